//! Claims about the audit log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use protocol::{
    cause::Cause,
    checkpoint::Checkpoint,
    digest::Sha256,
    entry::{Entry, Event},
    merkle::{check_consistency, check_inclusion, leaf_hash},
    receiver::Input,
};

use super::{LedgerBench, samples::*};
use crate::{
    audit::{AuditFault, AuditLog, SignedHead},
    ledger::Ledger as _,
    transfer::{Logged, Step},
};

/// Checks with public means alone that the entry is in the log whose checkpoint came with it.
async fn check_logged(bench: &impl LedgerBench, log: &dyn AuditLog, logged: &Logged) {
    let head = Checkpoint::verify(&logged.checkpoint, &bench.log()).unwrap();
    assert_eq!(head.size, logged.size);
    let proof = log.inclusion(logged.index, logged.size).await.unwrap();
    let leaf = leaf_hash(logged.entry.as_bytes());
    assert_eq!(check_inclusion(leaf, logged.index, logged.size, &proof, &head.root), Ok(()));
    assert_eq!(log.entry(logged.index).await.unwrap().as_ref(), Some(&logged.entry));
}

pub async fn each_entry_stands_under_the_checkpoint_it_came_with(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let mut all = Vec::new();
    for n in 0..40 {
        let note = Some(format!("note {n}"));
        all.push(ledger.record(Entry { note, ..entry(Event::Denied) }).await.unwrap());
    }
    let key = checking(&ledger, offer(1)).await;
    all.push(ledger.step(&key, commit(&key, 1)).await.unwrap().logged.unwrap());
    for logged in &all {
        check_logged(bench, &ledger, logged).await;
    }
    // Proofs may be renewed under a newer head.
    let SignedHead { text, checkpoint } = ledger.head().await.unwrap();
    for logged in all {
        let renewed = Logged { checkpoint: text.clone(), size: checkpoint.size, ..logged };
        check_logged(bench, &ledger, &renewed).await;
    }
}

pub async fn each_head_continues_every_earlier_one(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let mut heads = vec![ledger.head().await.unwrap()];
    for _ in 0..20 {
        ledger.record(entry(Event::Denied)).await.unwrap();
        heads.push(ledger.head().await.unwrap());
    }
    for (place, new) in heads.iter().enumerate() {
        assert_eq!(Checkpoint::verify(&new.text, &bench.log()).as_ref(), Ok(&new.checkpoint));
        for old in &heads[..=place] {
            let (old, new) = (&old.checkpoint, &new.checkpoint);
            let proof = ledger.consistency(old.size, new.size).await.unwrap();
            assert_eq!(check_consistency(old.size, &old.root, new.size, &new.root, &proof), Ok(()));
        }
    }
}

pub async fn entries_stand_in_one_order_without_a_gap(bench: &impl LedgerBench) {
    const WRITERS: u64 = 16;
    const EACH: u64 = 10;
    let ledger = Arc::new(bench.open().await);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                let mut logged = Vec::new();
                for n in 0..EACH {
                    let note = Some(format!("{writer} {n}"));
                    logged.push(ledger.record(Entry { note, ..entry(Event::Denied) }).await.unwrap());
                }
                logged
            })
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        let logged = writer.await.unwrap();
        assert!(logged.is_sorted_by_key(|logged| logged.index), "one writer's entries keep their order");
        all.extend(logged);
    }
    all.sort_by_key(|logged| logged.index);
    for (index, logged) in (0..).zip(&all) {
        let entry: Entry = serde_json::from_str(&logged.entry).unwrap();
        assert_eq!((logged.index, entry.seq), (index, index));
        check_logged(bench, &*ledger, logged).await;
    }
    assert_eq!(ledger.head().await.unwrap().checkpoint.size, WRITERS * EACH);
}

pub async fn entries_name_the_transfer_and_attempt_whatever_the_caller_wrote(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let offer = offer(1);
    let transfer = offered(&ledger, offer.clone()).await;
    let text = ledger.entry(transfer.offer_entry).await.unwrap().unwrap();
    let logged: Entry = serde_json::from_str(&text).unwrap();
    assert_eq!((logged.sender.as_ref(), logged.transfer_id), (Some(&offer.key.sender), Some(offer.key.id)));
    assert_eq!((logged.length, logged.sha256), (Some(offer.length), Some(offer.sha256)));
    assert_eq!(logged.manifest_sha256, Some(offer.manifest_sha256));

    let wrong = Entry { attempt: Some(9), seq: 77, sender: Some(sender(5)), ..entry(Event::AttemptBegan) };
    let begin = Step { entry: Some(wrong), ..bare(Input::Attempt { offset: 0 }) };
    let logged = ledger.step(&offer.key, begin).await.unwrap().logged.unwrap();
    let logged: Entry = serde_json::from_str(&logged.entry).unwrap();
    assert_eq!((logged.attempt, logged.offset, logged.seq), (Some(1), Some(0), 1));
    assert_eq!(logged.sender.as_ref(), Some(&offer.key.sender));

    // The offset is the caller's to give: the state's is rounded down.
    let cut = Input::Cut { attempt: 1, cause: Cause::LinkLost, offset: 5 };
    let aborted = Entry { offset: Some(5), ..entry(Event::Aborted) };
    let cut = Step { entry: Some(aborted), ..bare(cut) };
    let logged = ledger.step(&offer.key, cut).await.unwrap().logged.unwrap();
    assert_eq!(serde_json::from_str::<Entry>(&logged.entry).unwrap().offset, Some(5));
}

pub async fn texts_are_kept_to_the_byte(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let odd = "\" \0 \\ \\u0000 \n\r\t\u{1}\u{7f}\u{85}\u{2028}\u{feff} \
               'レセプト' \u{1f5c2}\u{10ffff} [1,{\"a\":null}] --";
    let denied = Entry { note: Some(odd.to_owned()), ..entry(Event::Denied) };
    let logged = ledger.record(denied).await.unwrap();
    check_logged(bench, &ledger, &logged).await;

    let mut offer = offer(1);
    offer.manifest = odd.to_owned();
    offer.manifest_sha256 = Sha256::of(odd.as_bytes());
    let mut shown = log_shown(1, 8, None);
    shown.seen.checkpoint = odd.to_owned();
    offer.log_seen = Some(shown.clone());
    let key = checking(&ledger, offer).await;
    let odd_receipt = format!("{odd}{odd}");
    let receipt = Step {
        entry: Some(entry_about(Event::Committed, &odd_receipt)),
        receipt: Some(odd_receipt.clone()),
        ..commit(&key, 1)
    };
    ledger.step(&key, receipt).await.unwrap();
    let transfer = found(&ledger, &key).await;
    assert_eq!((transfer.manifest.as_str(), transfer.receipt.as_ref()), (odd, Some(&odd_receipt)));
    let kept = ledger.counterpart_log(&shown.seen.log.origin).await.unwrap();
    assert_eq!(kept, Some(shown.seen));
    ledger.verify(&|_, _| {}).await.unwrap();
}

pub async fn what_the_log_does_not_have_is_not_proved(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    for _ in 0..3 {
        ledger.record(entry(Event::Denied)).await.unwrap();
    }
    assert_eq!(ledger.entry(3).await.unwrap(), None);
    assert_eq!(ledger.entry(u64::MAX).await.unwrap(), None);
    for (index, size) in [(3, 3), (0, 4), (2, 2), (0, 0), (u64::MAX, 3), (0, u64::MAX)] {
        let fault = ledger.inclusion(index, size).await.unwrap_err();
        assert!(matches!(fault, AuditFault::OutOfRange { .. }), "{fault:?}");
    }
    for (from, to) in [(3, 2), (3, 4), (u64::MAX, 3), (0, u64::MAX)] {
        let fault = ledger.consistency(from, to).await.unwrap_err();
        assert!(matches!(fault, AuditFault::OutOfRange { .. }), "{fault:?}");
    }
}

pub async fn a_sound_log_verifies_to_its_end(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let nothing = ledger.verify(&|_, _| {}).await.unwrap();
    assert_eq!((nothing.entries, nothing.root), (0, protocol::merkle::empty_root()));

    committed(&ledger, offer(1)).await;
    offered(&ledger, refused(offer(2), protocol::problem::Problem::TooLarge)).await;
    for _ in 0..600 {
        ledger.record(entry(Event::Denied)).await.unwrap();
    }
    let head = ledger.head().await.unwrap().checkpoint;
    let last = AtomicU64::new(0);
    let progress = |done: u64, all: u64| {
        assert_eq!(all, head.size);
        assert!(last.swap(done, Ordering::Relaxed) < done, "progress goes forward");
    };
    let report = ledger.verify(&progress).await.unwrap();
    assert_eq!(last.load(Ordering::Relaxed), head.size);
    assert_eq!((report.entries, report.size, report.root), (head.size, head.size, head.root));
    // Two manifests, a receipt and a refusal.
    assert_eq!(report.statements, 4);
}

pub async fn a_log_goes_on_after_a_kill(bench: &impl LedgerBench) {
    let mut heads = Vec::new();
    for round in 0..12u64 {
        let ledger = bench.open().await;
        let logged = ledger.record(entry(Event::Started)).await.unwrap();
        assert_eq!(logged.index, round);
        let new = ledger.head().await.unwrap().checkpoint;
        for old in heads.iter().chain([&new]) {
            let Checkpoint { size, root, .. } = old;
            let proof = ledger.consistency(*size, new.size).await.unwrap();
            assert_eq!(check_consistency(*size, root, new.size, &new.root, &proof), Ok(()));
        }
        heads.push(new);
        bench.kill(ledger).await;
    }
}
