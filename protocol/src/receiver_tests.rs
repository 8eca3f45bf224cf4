//! Properties of the receiver's life under any sequence of events.

use proptest::prelude::*;

use super::*;

const LENGTH: u64 = 5 * PIECE_BYTES + 7;

fn inputs() -> impl Strategy<Value = Input> {
    let attempt = 0u32..5;
    let offset = prop_oneof![Just(0), Just(PIECE_BYTES), 0..=LENGTH];
    prop_oneof![
        3 => offset.clone().prop_map(|offset| Input::Attempt { offset }),
        3 => (attempt.clone(), offset.clone()).prop_map(|(attempt, offset)| Input::Durable { attempt, offset }),
        2 => attempt.clone().prop_map(|attempt| Input::Whole { attempt }),
        2 => (attempt.clone(), offset).prop_map(|(attempt, offset)| Input::Cut { attempt, cause: Cause::LinkLost, offset }),
        1 => attempt.clone().prop_map(|attempt| Input::Mismatch { attempt }),
        1 => attempt.clone().prop_map(|attempt| Input::Commit { attempt }),
        1 => attempt.clone().prop_map(|attempt| Input::CommitAtOnce { attempt }),
        1 => attempt.prop_map(|attempt| Input::Refuse { attempt, reason: Problem::ClaimsIncomplete }),
        1 => Just(Input::Cancel),
        1 => Just(Input::Deadline),
        1 => Just(Input::Restart),
        1 => Just(Input::ContentLost),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_the_promises_hold(events in prop::collection::vec(inputs(), 1..60)) {
        let mut state = Receiver::offered(LENGTH);
        let mut whole_in_this_attempt = None;
        for input in events {
            let Ok((next, acts)) = state.step(input) else { continue };
            prop_assert!(!state.phase.is_final() || next == state, "a final state changed: {state:?} on {input:?}");
            prop_assert!(next.attempt >= state.attempt, "attempt numbers never go back");
            prop_assert!(next.offset <= LENGTH);
            if let Input::Whole { attempt } | Input::CommitAtOnce { attempt } = input {
                whole_in_this_attempt = Some(attempt);
            }
            if matches!(input, Input::CommitAtOnce { .. }) {
                prop_assert_eq!((next.attempt, state.offset), (state.attempt + 1, 0), "an attempt of its own, from byte 0");
            }
            if next.phase == Phase::Committed && state.phase != Phase::Committed {
                prop_assert_eq!(whole_in_this_attempt, Some(next.attempt), "committed without the whole content");
                prop_assert_eq!(next.offset, LENGTH);
                prop_assert!(acts.ends_with(&[Act::ReleaseReceipt, Act::Deliver]));
                let ended = acts.iter().any(|act| matches!(act, Act::EndAttempt { .. }));
                prop_assert_eq!(ended, state.phase == Phase::Receiving, "whoever still brings it is told to end");
            }
            prop_assert_eq!(acts.contains(&Act::ReleaseReceipt), input.commits());
            if let Phase::Aborted(_) = next.phase {
                prop_assert_eq!(next.offset % PIECE_BYTES, 0, "resumption starts on a piece border");
                prop_assert!(next.offset < LENGTH, "there is always a byte left to bring");
            }
            if matches!(next.phase, Phase::Refused(_)) {
                prop_assert_eq!(next.offset, 0, "nothing is kept of what will never be committed");
                prop_assert!(state == next || acts.contains(&Act::ReleaseRefusal), "an end without a signed no");
            }
            state = next;
        }
    }
}

fn receiving() -> Receiver {
    Receiver::offered(LENGTH).step(Input::Attempt { offset: 0 }).unwrap().0
}

#[test]
fn a_newer_attempt_ends_and_fences_the_older() {
    let (state, acts) = receiving().step(Input::Attempt { offset: 0 }).unwrap();
    assert_eq!(
        acts,
        [Act::EndAttempt { attempt: 1, cause: Cause::Superseded }, Act::TakeContent { attempt: 2 }]
    );
    for late in [
        Input::Durable { attempt: 1, offset: 10 },
        Input::Whole { attempt: 1 },
        Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: 0 },
        Input::Refuse { attempt: 1, reason: Problem::ClaimsIncomplete },
    ] {
        assert_eq!(state.step(late), Err(StepFault::Fenced { attempt: 1, current: 2 }));
    }
    let late = state.step(Input::CommitAtOnce { attempt: 2 });
    assert_eq!(late, Err(StepFault::Fenced { attempt: 2, current: 3 }));
}

#[test]
fn a_wrong_offset_is_told_the_right_one() {
    let cut = Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: 3 * PIECE_BYTES + 5 };
    let (aborted, _) = receiving().step(cut).unwrap();
    assert_eq!(
        aborted.step(Input::Attempt { offset: 0 }),
        Err(StepFault::WrongOffset { expected: 3 * PIECE_BYTES })
    );
}

#[test]
fn wrong_content_starts_over_once_and_is_then_final() {
    let mut state = Receiver::offered(LENGTH);
    for attempt in 1..=2 {
        state = state.step(Input::Attempt { offset: 0 }).unwrap().0;
        state = state.step(Input::Whole { attempt }).unwrap().0;
        state = state.step(Input::Mismatch { attempt }).unwrap().0;
        assert_eq!(state.offset, 0);
    }
    assert_eq!(state.phase, Phase::Refused(Problem::DigestMismatch));
}

#[test]
fn content_may_begin_come_and_be_committed_at_once_where_an_attempt_may_begin_at_its_first_byte() {
    let offered = Receiver::offered(LENGTH);
    let steps = [Input::Attempt { offset: 0 }, Input::Whole { attempt: 1 }, Input::Commit { attempt: 1 }];
    let (one_by_one, acts) =
        steps.into_iter().fold((offered, Vec::new()), |(state, _), input| state.step(input).unwrap());
    assert_eq!(offered.step(Input::CommitAtOnce { attempt: 1 }), Ok((one_by_one, acts)));
    let aborted = receiving().step(Input::Restart).unwrap().0;
    assert_eq!(aborted.step(Input::CommitAtOnce { attempt: 2 }).unwrap().0.phase, Phase::Committed);
    for other in [
        receiving().step(Input::Whole { attempt: 1 }).unwrap().0,
        receiving().step(Input::Cancel).unwrap().0,
        one_by_one,
    ] {
        let refused = other.step(Input::CommitAtOnce { attempt: other.attempt + 1 });
        assert!(matches!(refused, Err(StepFault::Unexpected { .. })), "{other:?}: {refused:?}");
    }
    let cut = Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: PIECE_BYTES };
    let resumable = receiving().step(cut).unwrap().0;
    let refused = resumable.step(Input::CommitAtOnce { attempt: 2 });
    assert_eq!(refused, Err(StepFault::WrongOffset { expected: PIECE_BYTES }));
}

#[test]
fn committing_at_once_ends_an_attempt_that_is_on_record_as_running() {
    let (committed, acts) = receiving().step(Input::CommitAtOnce { attempt: 2 }).unwrap();
    assert_eq!((committed.phase, committed.attempt), (Phase::Committed, 2));
    let ended = Act::EndAttempt { attempt: 1, cause: Cause::Superseded };
    assert_eq!(acts, [ended, Act::ReleaseReceipt, Act::Deliver]);
}

#[test]
fn a_cut_during_the_check_leaves_a_last_piece_to_bring() {
    let checking = receiving().step(Input::Whole { attempt: 1 }).unwrap().0;
    assert_eq!(checking.step(Input::Restart).unwrap().0.offset, 5 * PIECE_BYTES);
}

#[test]
fn no_transfer_is_cancelled_while_its_commit_may_be_under_way() {
    let checking = receiving().step(Input::Whole { attempt: 1 }).unwrap().0;
    assert_eq!(
        checking.step(Input::Cancel),
        Err(StepFault::Unexpected { phase: "checking", input: "cancel" })
    );
}
