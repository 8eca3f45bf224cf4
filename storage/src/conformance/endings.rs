//! Claims about what ends a transfer, and what follows: receipts, refusals, acknowledgements, deliveries, deadlines.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use protocol::{
    cause::Cause,
    digest::Sha256,
    entry::{Entry, Event},
    problem::Problem,
    receiver::{Act, Input, Phase},
    transfer_id::TransferKey,
};

use tokio::sync::Notify;

use super::{LedgerBench, samples::*};
use crate::{
    audit::AuditLog,
    ledger::{Ledger as _, LedgerFault},
    transfer::{Acknowledged, Acknowledging, Guard, NewTransfer, Step},
};

pub async fn a_commit_keeps_the_receipt_and_its_entry(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = checking(&ledger, offer(1)).await;
    let stepped = ledger.step(&key, commit(&key, 1)).await.unwrap();
    assert_eq!(stepped.acts, [Act::ReleaseReceipt, Act::Deliver]);
    assert_eq!(stepped.transfer.receipt, Some(receipt(&key)));
    let index = stepped.transfer.receipt_entry.unwrap();
    assert_eq!(stepped.logged.map(|logged| logged.index), Some(index));
    let logged: Entry = serde_json::from_str(&ledger.entry(index).await.unwrap().unwrap()).unwrap();
    assert_eq!(logged.statement_sha256, Some(Sha256::of(receipt(&key).as_bytes())));
    assert_eq!(found(&ledger, &key).await, stepped.transfer);
}

pub async fn a_commit_that_lost_the_race_for_the_same_content_is_not_done(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let slow = checking(&ledger, offer_of(&sender(1), 1, 1)).await;
    let fast = committed(&ledger, offer_of(&sender(1), 2, 1)).await;
    let before = found(&ledger, &slow).await;
    let fault = step_fault(&ledger, &slow, commit(&slow, 1)).await;
    assert!(matches!(&fault, LedgerFault::AlreadyHeld(held) if **held == fast), "{fault:?}");
    assert_eq!(found(&ledger, &slow).await, before);
}

pub async fn content_that_is_committed_at_once_is_committed_like_any_other(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let fast = offered(&ledger, offer_of(&sender(1), 1, 1)).await.key;
    let slow = offered(&ledger, offer_of(&sender(1), 2, 1)).await.key;
    let at_once = Input::CommitAtOnce { attempt: 1 };
    for (misfit, what) in [
        (committing(&fast, at_once), "without a beginning"),
        (Step { receipt: None, ..committing_at_once(&fast, at_once) }, "without a receipt"),
        (
            Step { began: Some(entry(Event::Aborted)), ..committing_at_once(&fast, at_once) },
            "with another beginning",
        ),
        (
            Step { began: Some(entry(Event::AttemptBegan)), ..bare(Input::Attempt { offset: 0 }) },
            "with a beginning beside",
        ),
    ] {
        let fault = step_fault(&ledger, &fast, misfit).await;
        assert!(matches!(fault, LedgerFault::Misfit(_)), "{what}: {fault:?}");
    }
    let before = ledger.head().await.unwrap().checkpoint.size;
    let stepped = ledger.step(&fast, committing_at_once(&fast, at_once)).await.unwrap();
    assert_eq!(stepped.acts, [Act::ReleaseReceipt, Act::Deliver]);
    assert_eq!(found(&ledger, &fast).await, stepped.transfer);
    assert_eq!(stepped.transfer.receipt, Some(receipt(&fast)));
    let state = stepped.transfer.state;
    assert_eq!((state.phase, state.attempt, state.offset), (Phase::Committed, 1, LENGTH));
    let began = entry_at(&ledger, before).await;
    assert_eq!((began.event, began.attempt, began.offset), (Event::AttemptBegan, Some(1), Some(0)));
    assert_eq!(stepped.transfer.receipt_entry, Some(before + 1));
    assert_eq!(entry_at(&ledger, before + 1).await.event, Event::Committed);
    let fault = step_fault(&ledger, &slow, committing_at_once(&slow, at_once)).await;
    assert!(matches!(&fault, LedgerFault::AlreadyHeld(held) if **held == stepped.transfer), "{fault:?}");
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, before + 2, "nothing of it is in the log");
}

async fn entry_at(ledger: &impl AuditLog, index: u64) -> Entry {
    serde_json::from_str(&ledger.entry(index).await.unwrap().unwrap()).unwrap()
}

pub async fn a_commit_that_is_forbidden_changes_nothing_and_may_be_allowed_later(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = checking(&ledger, offer(1)).await;
    let (before, size) = (found(&ledger, &key).await, ledger.head().await.unwrap().checkpoint.size);
    let guarded = |allowed| Step { guard: Some(Guard::new(move || allowed)), ..commit(&key, 1) };
    let fault = step_fault(&ledger, &key, guarded(false)).await;
    assert!(matches!(fault, LedgerFault::Forbidden), "{fault:?}");
    assert_eq!(found(&ledger, &key).await, before);
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);
    let stepped = ledger.step(&key, guarded(true)).await.unwrap();
    assert_eq!(stepped.transfer.state.phase, Phase::Committed);
}

pub async fn a_commit_that_was_allowed_is_durable_once_the_ledger_has_settled(bench: &impl LedgerBench) {
    let ledger = Arc::new(bench.open().await);
    for n in 0..20 {
        let key = checking(&*ledger, offer(n)).await;
        let allowed = Arc::new(Notify::new());
        let noted = Arc::clone(&allowed);
        let guard = Guard::new(move || {
            noted.notify_one();
            true
        });
        let (committing, step) = (Arc::clone(&ledger), Step { guard: Some(guard), ..commit(&key, 1) });
        let of = key.clone();
        let committing = tokio::spawn(async move { committing.step(&of, step).await });
        allowed.notified().await;
        ledger.settle().await.unwrap();
        assert_eq!(found(&*ledger, &key).await.state.phase, Phase::Committed);
        committing.await.unwrap().unwrap();
    }
}

pub async fn nothing_is_committed_once_it_was_forbidden_and_the_ledger_has_settled(bench: &impl LedgerBench) {
    let ledger = Arc::new(bench.open().await);
    let mut ready = Vec::new();
    for n in 0..40 {
        ready.push(checking(&*ledger, offer(n)).await);
    }
    let forbidden = Arc::new(AtomicBool::new(false));
    let committing: Vec<_> = ready
        .iter()
        .map(|key| {
            let (ledger, key, forbidden) = (Arc::clone(&ledger), key.clone(), Arc::clone(&forbidden));
            let guard = Guard::new(move || !forbidden.load(Ordering::SeqCst));
            let step = Step { guard: Some(guard), ..commit(&key, 1) };
            tokio::spawn(async move { ledger.step(&key, step).await })
        })
        .collect();
    forbidden.store(true, Ordering::SeqCst);
    ledger.settle().await.unwrap();
    let mut committed = Vec::new();
    for key in &ready {
        committed.push(found(&*ledger, key).await.state.phase == Phase::Committed);
    }
    for ((step, key), committed) in committing.into_iter().zip(&ready).zip(committed) {
        match step.await.unwrap() {
            Ok(_) => assert!(committed, "{key} was committed after the ledger had settled"),
            Err(LedgerFault::Forbidden) => assert!(!committed, "{key}"),
            Err(fault) => panic!("{fault:?}"),
        }
        assert_eq!(found(&*ledger, key).await.state.phase == Phase::Committed, committed);
    }
}

pub async fn one_of_many_commits_of_the_same_content_wins(bench: &impl LedgerBench) {
    const RACERS: u64 = 8;
    let ledger = Arc::new(bench.open().await);
    let mut ready = Vec::new();
    for n in 0..RACERS {
        ready.push(checking(&*ledger, offer_of(&sender(1), n, 1)).await);
    }
    let mut racers = Vec::new();
    for key in ready {
        let ledger = Arc::clone(&ledger);
        racers.push(tokio::spawn(async move { ledger.step(&key, commit(&key, 1)).await }));
    }
    let (mut won, mut lost) = (Vec::new(), Vec::new());
    for racer in racers {
        match racer.await.unwrap() {
            Ok(stepped) => won.push(stepped.transfer),
            Err(LedgerFault::AlreadyHeld(held)) => lost.push(*held),
            Err(fault) => panic!("{fault:?}"),
        }
    }
    assert_eq!(won.len(), 1);
    assert_eq!(lost, vec![won[0].clone(); RACERS as usize - 1]);
}

pub async fn a_transfer_that_lost_the_race_can_be_refused(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let slow = checking(&ledger, offer_of(&sender(1), 1, 1)).await;
    committed(&ledger, offer_of(&sender(1), 2, 1)).await;
    let refuse = Input::Refuse { attempt: 1, reason: Problem::AlreadyHeld };
    let stepped = ledger.step(&slow, refusing(&slow, refuse)).await.unwrap();
    assert_eq!(stepped.transfer.state.phase, Phase::Refused(Problem::AlreadyHeld));
    assert_eq!(stepped.transfer.refusal_entry, stepped.logged.map(|logged| logged.index));
    assert_eq!(found(&ledger, &slow).await, stepped.transfer);
}

pub async fn a_second_mismatch_keeps_its_refusal(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = checking(&ledger, offer(1)).await;
    let first = ledger.step(&key, noted(Input::Mismatch { attempt: 1 }, Event::Aborted)).await.unwrap();
    assert_eq!(first.transfer.state.phase, Phase::Aborted(Cause::DigestMismatch));
    assert_eq!(first.acts, [Act::DropContent]);
    ledger.step(&key, bare(Input::Attempt { offset: 0 })).await.unwrap();
    ledger.step(&key, bare(Input::Whole { attempt: 2 })).await.unwrap();
    let second = ledger.step(&key, refusing(&key, Input::Mismatch { attempt: 2 })).await.unwrap();
    assert_eq!(second.transfer.state.phase, Phase::Refused(Problem::DigestMismatch));
    assert!(second.transfer.refusal.is_some());
    assert_eq!(found(&ledger, &key).await, second.transfer);
}

fn acknowledging(keys: &[&TransferKey], text: &str) -> Acknowledging {
    Acknowledging {
        receipts: keys.iter().map(|key| ((*key).clone(), Sha256::of(receipt(key).as_bytes()))).collect(),
        text: text.to_owned(),
        at: moment(60),
        entry: entry_about(Event::Acknowledged, text),
    }
}

pub async fn all_receipts_of_a_statement_are_acknowledged_or_none(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let one = committed(&ledger, offer(1)).await.key;
    let two = committed(&ledger, offer(2)).await.key;
    let uncommitted = checking(&ledger, offer(3)).await;
    let size = ledger.head().await.unwrap().checkpoint.size;
    for unknown in [&uncommitted, &key(&sender(4), 4)] {
        let answer = ledger.acknowledge(acknowledging(&[&one, &two, unknown], "too many")).await.unwrap();
        assert_eq!(answer, Acknowledged::Unknown(unknown.clone()));
    }
    assert_eq!(found(&ledger, &one).await.acknowledged_at, None);
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);

    // One that is named twice is no harm.
    let answer = ledger.acknowledge(acknowledging(&[&one, &two, &one], "both")).await.unwrap();
    assert_eq!(answer, Acknowledged::Accepted);
    for key in [&one, &two] {
        let transfer = found(&ledger, key).await;
        assert_eq!(transfer.acknowledgement.as_deref(), Some("both"));
        assert_eq!(transfer.acknowledged_at, Some(moment(60)));
    }
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size + 1);
}

pub async fn an_acknowledgement_counts_once(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let one = committed(&ledger, offer(1)).await.key;
    let two = committed(&ledger, offer(2)).await.key;
    ledger.acknowledge(acknowledging(&[&one], "first")).await.unwrap();
    let size = ledger.head().await.unwrap().checkpoint.size;
    // The same again, and another one for the same receipt: a sender that did not hear the first answer.
    for text in ["first", "second"] {
        let answer = ledger.acknowledge(acknowledging(&[&one], text)).await.unwrap();
        assert_eq!(answer, Acknowledged::Accepted);
    }
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, size);
    ledger.acknowledge(acknowledging(&[&one, &two], "third")).await.unwrap();
    assert_eq!(found(&ledger, &one).await.acknowledgement.as_deref(), Some("first"));
    assert_eq!(found(&ledger, &two).await.acknowledgement.as_deref(), Some("third"));
}

pub async fn only_the_receipts_own_hash_acknowledges_it(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let key = committed(&ledger, offer(1)).await.key;
    let refused = offered(&ledger, refused(offer(2), Problem::TooLarge)).await;
    let mut other = acknowledging(&[&key], "other");
    other.receipts[0].1 = Sha256::of(b"another receipt");
    assert_eq!(ledger.acknowledge(other).await.unwrap(), Acknowledged::Unknown(key));
    // A refusal is no receipt.
    let mut refusal = acknowledging(&[&refused.key], "refusal");
    refusal.receipts[0].1 = Sha256::of(refused.refusal.unwrap().as_bytes());
    assert_eq!(ledger.acknowledge(refusal).await.unwrap(), Acknowledged::Unknown(refused.key));
}

pub async fn a_delivery_is_noted_once(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let one = committed(&ledger, offer(1)).await.key;
    let two = committed(&ledger, offer(2)).await.key;
    assert_eq!(ledger.undelivered().await.unwrap(), [one.clone(), two.clone()]);
    let logged = ledger.delivered(&one, moment(70), entry(Event::Delivered)).await.unwrap().unwrap();
    assert!(logged.entry.contains("delivered"));
    assert_eq!(ledger.delivered(&one, moment(71), entry(Event::Delivered)).await.unwrap(), None);
    assert_eq!(found(&ledger, &one).await.delivered_at, Some(moment(70)));
    assert_eq!(ledger.undelivered().await.unwrap(), [two]);
}

pub async fn only_what_is_committed_can_be_delivered(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let checking = checking(&ledger, offer(1)).await;
    let refused = offered(&ledger, refused(offer(2), Problem::TooLarge)).await.key;
    for key in [checking, refused] {
        let fault = ledger.delivered(&key, moment(70), entry(Event::Delivered)).await.unwrap_err();
        assert!(matches!(&fault, LedgerFault::NotCommitted(named) if *named == key), "{fault:?}");
    }
}

pub async fn overdue_are_those_that_wait_beyond_their_deadline(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let until = |n, deadline| NewTransfer { deadline: moment(deadline), ..offer(n) };
    let late = offered(&ledger, until(1, 20)).await.key;
    let earliest = offered(&ledger, until(2, 10)).await.key;
    offered(&ledger, until(3, 31)).await;
    // One that is being received gets its time, one that was aborted does not.
    let receiving = offered(&ledger, until(4, 5)).await.key;
    ledger.step(&receiving, bare(Input::Attempt { offset: 0 })).await.unwrap();
    committed(&ledger, until(5, 5)).await;
    let aborted = offered(&ledger, until(6, 30)).await.key;
    ledger.step(&aborted, bare(Input::Attempt { offset: 0 })).await.unwrap();
    let cut = Input::Cut { attempt: 1, cause: Cause::Stalled, offset: 0 };
    ledger.step(&aborted, noted(cut, Event::Aborted)).await.unwrap();

    let overdue = ledger.overdue(moment(30), 10).await.unwrap();
    assert_eq!(overdue, [earliest.clone(), late, aborted]);
    assert_eq!(ledger.overdue(moment(30), 1).await.unwrap(), [earliest]);
    assert_eq!(ledger.overdue(moment(9), 10).await.unwrap(), []);
    for key in overdue {
        ledger.step(&key, refusing(&key, Input::Deadline)).await.unwrap();
    }
    assert_eq!(ledger.overdue(moment(30), 10).await.unwrap(), []);
}

pub async fn counts_are_those_of_the_transfers(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let all = ["offered", "receiving", "checking", "committed", "aborted", "refused"];
    let counts = ledger.counts().await.unwrap();
    for phase in all {
        assert!(counts.phases.iter().any(|(name, count)| name == phase && *count == 0), "{phase}");
    }
    offered(&ledger, offer(1)).await;
    let receiving = offered(&ledger, offer(2)).await.key;
    ledger.step(&receiving, bare(Input::Attempt { offset: 0 })).await.unwrap();
    checking(&ledger, offer(3)).await;
    let keys = [4, 5, 6].map(offer);
    let mut done = Vec::new();
    for offer in keys {
        done.push(committed(&ledger, offer).await.key);
    }
    offered(&ledger, refused(offer(7), Problem::TooLarge)).await;
    let cancelled = offered(&ledger, offer(8)).await.key;
    ledger.step(&cancelled, refusing(&cancelled, Input::Cancel)).await.unwrap();
    for _ in 0..2 {
        ledger.delivered(&done[0], moment(70), entry(Event::Delivered)).await.unwrap();
        ledger.acknowledge(acknowledging(&[&done[0], &done[1]], "held")).await.unwrap();
    }
    let counts = ledger.counts().await.unwrap();
    let expected = [1, 1, 1, 3, 0, 2];
    for (phase, expected) in all.into_iter().zip(expected) {
        assert_eq!(counts.of(phase), expected, "{phase}");
    }
    assert_eq!((counts.undelivered, counts.unacknowledged), (2, 1));
}
