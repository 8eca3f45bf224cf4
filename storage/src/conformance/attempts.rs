//! Claims about attempts, steps and stops.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    limits::PIECE_BYTES,
    receiver::{Act, Input, Phase, StepFault},
};

use super::{LedgerBench, samples::*};
use crate::{
    audit::AuditLog as _,
    ledger::{Ledger as _, LedgerFault},
    transfer::{NewTransfer, Step},
};

pub async fn attempts_that_race_get_numbers_of_their_own(bench: &impl LedgerBench) {
    const RACERS: u32 = 20;
    let ledger = Arc::new(bench.open().await);
    let key = offered(&*ledger, offer(1)).await.key;
    let racers: Vec<_> = (0..RACERS)
        .map(|_| {
            let (ledger, key) = (Arc::clone(&ledger), key.clone());
            tokio::spawn(async move {
                let attempt = noted(Input::Attempt { offset: 0 }, Event::AttemptBegan);
                ledger.step(&key, attempt).await.unwrap()
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for racer in racers {
        let stepped = racer.await.unwrap();
        let number = stepped.transfer.state.attempt;
        assert!(stepped.acts.contains(&Act::TakeContent { attempt: number }));
        if number > 1 {
            let ended = Act::EndAttempt { attempt: number - 1, cause: Cause::Superseded };
            assert!(stepped.acts.contains(&ended), "{:?}", stepped.acts);
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=RACERS).collect::<Vec<_>>());
}

pub async fn an_older_attempt_is_fenced(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = offered(&ledger, offer(1)).await.key;
    for _ in 0..2 {
        ledger.step(&key, bare(Input::Attempt { offset: 0 })).await.unwrap();
    }
    for late in [
        bare(Input::Durable { attempt: 1, offset: PIECE_BYTES }),
        bare(Input::Whole { attempt: 1 }),
        commit(&key, 1),
        bare(Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: PIECE_BYTES }),
    ] {
        let fault = step_fault(&ledger, &key, late).await;
        let fenced = StepFault::Fenced { attempt: 1, current: 2 };
        assert!(matches!(&fault, LedgerFault::Step(step) if *step == fenced), "{fault:?}");
    }
    assert_eq!(found(&ledger, &key).await.state.offset, 0);
}

pub async fn a_step_of_an_unknown_transfer_is_named(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let unknown = key(&sender(1), 1);
    let fault = step_fault(&ledger, &unknown, bare(Input::Cancel)).await;
    assert!(matches!(&fault, LedgerFault::Unknown(key) if *key == unknown), "{fault:?}");
    let fault = ledger.delivered(&unknown, moment(2), entry(Event::Delivered)).await.unwrap_err();
    assert!(matches!(&fault, LedgerFault::Unknown(key) if *key == unknown), "{fault:?}");
}

pub async fn parts_that_do_not_belong_together_are_turned_down(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let other_manifest = NewTransfer { manifest: "another".to_owned(), ..offer(1) };
    let others_submission = NewTransfer { submission: offer(2).submission, ..offer(1) };
    let refusal_offered = NewTransfer {
        entry: entry(Event::Offered),
        ..refused(offer(1), protocol::problem::Problem::TooLarge)
    };
    for misfit in [other_manifest, others_submission, refusal_offered] {
        let fault = ledger.offer(misfit).await.unwrap_err();
        assert!(matches!(fault, LedgerFault::Misfit(_)), "{fault:?}");
    }

    let key = checking(&ledger, offer(1)).await;
    let good = commit(&key, 1);
    let refuse = Input::Refuse { attempt: 1, reason: protocol::problem::Problem::ClaimsIncomplete };
    for misfit in [
        Step { receipt: None, ..good.clone() },
        Step { entry: None, ..good.clone() },
        Step { entry: Some(entry(Event::Committed)), ..good.clone() },
        Step { entry: Some(entry_about(Event::Committed, "another receipt")), ..good.clone() },
        Step { entry: Some(entry_about(Event::Delivered, &receipt(&key))), ..good.clone() },
        Step { refusal: Some("no".to_owned()), ..good.clone() },
        Step { receipt: Some(receipt(&key)), ..refusing(&key, Input::Mismatch { attempt: 1 }) },
        refusing(&key, Input::Mismatch { attempt: 1 }),
        noted(refuse, Event::Refused),
    ] {
        let shown = format!("{misfit:?}");
        let fault = step_fault(&ledger, &key, misfit).await;
        assert!(matches!(fault, LedgerFault::Misfit(_)), "{fault:?} for {shown}");
    }
    ledger.step(&key, good).await.unwrap();
}

pub async fn a_fault_changes_nothing(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = checking(&ledger, offer(1)).await;
    let (before, size) = (found(&ledger, &key).await, ledger.head().await.unwrap().checkpoint.size);
    step_fault(&ledger, &key, refusing(&key, Input::Cancel)).await;
    step_fault(&ledger, &key, commit(&key, 2)).await;
    step_fault(&ledger, &key, refusing(&key, Input::Mismatch { attempt: 1 })).await;
    assert_eq!(found(&ledger, &key).await, before);
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);
}

pub async fn a_state_keeps_the_time_it_was_entered(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = offered(&ledger, offer(1)).await.key;
    let at = |n, input| Step { at: moment(n), ..bare(input) };
    for (step, since) in [
        (at(10, Input::Attempt { offset: 0 }), 10),
        (at(11, Input::Durable { attempt: 1, offset: PIECE_BYTES }), 10),
        (at(12, Input::Attempt { offset: PIECE_BYTES }), 12),
        (at(13, Input::Whole { attempt: 2 }), 13),
        (Step { at: moment(14), ..commit(&key, 2) }, 14),
    ] {
        assert_eq!(ledger.step(&key, step).await.unwrap().transfer.since, moment(since));
        assert_eq!(found(&ledger, &key).await.since, moment(since));
    }
}

pub async fn what_changes_nothing_is_not_logged(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let before = committed(&ledger, offer(1)).await;
    let size = ledger.head().await.unwrap().checkpoint.size;
    // A restart does not concern what is final.
    let stepped = ledger.step(&before.key, noted(Input::Restart, Event::Aborted)).await.unwrap();
    assert_eq!((stepped.logged, &stepped.transfer), (None, &before));
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);
}

pub async fn every_step_survives_a_kill(bench: &impl LedgerBench) {
    let mut ledger = bench.open().await;
    let mut expected = offered(&ledger, offer(1)).await;
    let key = expected.key.clone();
    let cut = Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: PIECE_BYTES + 7 };
    for step in [
        noted(Input::Attempt { offset: 0 }, Event::AttemptBegan),
        bare(Input::Durable { attempt: 1, offset: PIECE_BYTES }),
        noted(cut, Event::Aborted),
        noted(Input::Attempt { offset: PIECE_BYTES }, Event::AttemptBegan),
        bare(Input::Whole { attempt: 2 }),
        commit(&key, 2),
    ] {
        bench.kill(ledger).await;
        ledger = bench.open().await;
        assert_eq!(found(&ledger, &key).await, expected);
        expected = ledger.step(&key, step).await.unwrap().transfer;
    }
    bench.kill(ledger).await;
    let ledger = bench.open().await;
    assert_eq!(found(&ledger, &key).await, expected);
    assert_eq!(ledger.undelivered().await.unwrap(), [key]);
}

pub async fn what_runs_at_a_kill_is_restarted_once(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let untouched = offered(&ledger, offer(1)).await;
    let done = committed(&ledger, offer(2)).await;
    let checking = checking(&ledger, offer(3)).await;
    let receiving = offered(&ledger, offer(4)).await.key;
    ledger.step(&receiving, bare(Input::Attempt { offset: 0 })).await.unwrap();
    ledger.step(&receiving, bare(Input::Durable { attempt: 1, offset: PIECE_BYTES + 1 })).await.unwrap();
    bench.kill(ledger).await;

    let ledger = bench.open().await;
    let aborted = |_: &crate::transfer::Transfer| Entry {
        cause: Some(Cause::Restarted),
        ..entry(Event::Aborted)
    };
    let mut restarted = ledger.restart(moment(50), &aborted).await.unwrap();
    restarted.sort();
    assert_eq!(restarted, [checking.clone(), receiving.clone()]);
    for (key, offset) in [(&checking, 3 * PIECE_BYTES), (&receiving, PIECE_BYTES)] {
        let transfer = found(&ledger, key).await;
        assert_eq!(transfer.state.phase, Phase::Aborted(Cause::Restarted));
        assert_eq!((transfer.state.offset, transfer.since), (offset, moment(50)));
    }
    assert_eq!(found(&ledger, &untouched.key).await, untouched);
    assert_eq!(found(&ledger, &done.key).await, done);
    let size = ledger.head().await.unwrap().checkpoint.size;
    assert_eq!(ledger.restart(moment(51), &aborted).await.unwrap(), []);
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);
}
