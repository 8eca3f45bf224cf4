//! Any sequence of events leaves the ledger where the pure state machine says.

use std::collections::BTreeMap;

use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    limits::PIECE_BYTES,
    problem::Problem,
    receiver::{Input, Phase, Receiver},
    transfer_id::TransferKey,
};

use super::{LedgerBench, dice::Dice, samples::*};
use crate::{
    audit::AuditLog as _,
    ledger::{Ledger as _, LedgerFault},
    transfer::Step,
};

const EVENTS: usize = 400;
const TRANSFERS: u64 = 6;

/// Two transfers each have the same content, so that only one of them can be committed.
fn nth(n: u64) -> crate::transfer::NewTransfer {
    offer_of(&sender(1), n, n / 2)
}

fn any_input(dice: &mut Dice, state: &Receiver) -> Input {
    // Mostly what fits, so that lives get somewhere; never only that.
    let attempt = if dice.once_in(5) { dice.below(4) as u32 } else { state.attempt };
    let offset = if dice.once_in(5) { dice.below(LENGTH + 2 * PIECE_BYTES) } else { state.offset };
    match dice.below(40) {
        0..8 => Input::Attempt { offset },
        8..16 => Input::Durable { attempt, offset: offset + dice.below(PIECE_BYTES) },
        16..22 => Input::Whole { attempt },
        22..28 => Input::Cut { attempt, cause: Cause::LinkLost, offset: dice.below(LENGTH + 1) },
        28..31 => Input::Mismatch { attempt },
        31..34 => Input::Commit { attempt },
        34..36 => Input::CommitAtOnce { attempt: attempt + 1 },
        36 => Input::Refuse { attempt, reason: Problem::ClaimsIncomplete },
        37 => Input::Cancel,
        38 => Input::Deadline,
        _ => Input::Restart,
    }
}

/// The step with the texts that its outcome needs.
fn step_of(key: &TransferKey, state: &Receiver, input: Input, note: bool) -> Step {
    let refuses = matches!(state.step(input), Ok((next, _)) if matches!(next.phase, Phase::Refused(_)))
        && !matches!(state.phase, Phase::Refused(_));
    match input {
        Input::Commit { .. } => committing(key, input),
        Input::CommitAtOnce { .. } => committing_at_once(key, input),
        _ if refuses => refusing(key, input),
        _ if note => noted(input, Event::Aborted),
        _ => bare(input),
    }
}

pub async fn a_random_life_is_that_of_the_pure_receiver(bench: &impl LedgerBench) {
    let mut dice = Dice::from_seed();
    let mut ledger = bench.open().await;
    let mut model: BTreeMap<TransferKey, Receiver> = BTreeMap::new();
    for n in 0..TRANSFERS {
        model.insert(offered(&ledger, nth(n)).await.key, Receiver::offered(LENGTH));
    }
    let keys: Vec<TransferKey> = model.keys().cloned().collect();
    // The other transfer with the same content is its neighbour: ids grow with time.
    let twin = |index: usize| keys[index ^ 1].clone();

    for _ in 0..EVENTS {
        if dice.once_in(40) {
            bench.kill(ledger).await;
            ledger = bench.open().await;
            let aborted = |_: &crate::transfer::Transfer| -> Entry { entry(Event::Aborted) };
            let restarted = ledger.restart(moment(2), &aborted).await.unwrap();
            for (key, state) in &mut model {
                let next = state.step(Input::Restart).unwrap().0;
                assert_eq!(restarted.contains(key), next != *state);
                *state = next;
            }
        }
        let index = dice.below(TRANSFERS) as usize;
        let key = &keys[index];
        let state = model[key];
        let input = any_input(&mut dice, &state);
        let stepped = ledger.step(key, step_of(key, &state, input, dice.once_in(2))).await;
        let held = model[&twin(index)].phase == Phase::Committed && state.phase != Phase::Committed;
        match (state.step(input), stepped) {
            (Ok((next, _)), Err(LedgerFault::AlreadyHeld(other))) => {
                assert!(held && next.phase == Phase::Committed, "{input:?} from {state:?}");
                assert_eq!(other.key, twin(index));
            }
            (Ok((next, acts)), Ok(stepped)) => {
                assert!(!(held && next.phase == Phase::Committed), "the same content was committed twice");
                assert_eq!((stepped.transfer.state, stepped.acts), (next, acts), "{input:?} from {state:?}");
                assert_eq!(found(&ledger, key).await, stepped.transfer);
                model.insert(key.clone(), next);
            }
            (Err(expected), Err(LedgerFault::Step(got))) => assert_eq!(got, expected),
            (expected, got) => panic!("{input:?} from {state:?}: {expected:?}, but {got:?}"),
        }
    }

    let counts = ledger.counts().await.unwrap();
    for (phase, count) in &counts.phases {
        let expected = model.values().filter(|state| state.phase.name() == phase).count();
        assert_eq!(*count, expected as u64, "{phase}");
    }
    ledger.verify(&|_, _| {}).await.unwrap();
}
