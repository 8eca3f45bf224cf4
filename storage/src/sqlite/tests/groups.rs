//! What waits together is written together, and does not disturb its neighbours.

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::Instant,
};

use protocol::{entry::Event, receiver::StepFault};

use super::*;
use crate::conformance::samples::*;

/// Holds the file's write lock: the writer stands still, and what is asked of it gathers.
async fn jam(bench: &Bench) -> SqliteConnection {
    let mut raw = bench.raw().await;
    run(&mut raw, "BEGIN IMMEDIATE").await;
    raw
}

/// Sends the call off without waiting for its answer.
fn send_off<'a, T>(call: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    // Else tokio would hold the later ones of many calls back.
    let mut call = Box::pin(tokio::task::unconstrained(call));
    let mut context = Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(&mut context).is_pending(), "it was answered although the file is locked");
    call
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_together_shares_a_transaction_and_a_checkpoint() {
    const CALLS: usize = 600;
    let bench = Bench::new();
    let ledger = bench.open().await;
    let before = ledger.batches();
    let jam = jam(&bench).await;
    let calls: Vec<_> = (0..CALLS).map(|_| send_off(ledger.record(entry(Event::Denied)))).collect();
    jam.close().await.unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for call in calls {
        sizes.insert(call.await.unwrap().size);
    }
    // The writer may have taken a first few before all were there; the rest comes in full batches.
    let batches = ledger.batches() - before;
    assert!(batches <= 4, "{batches} transactions for {CALLS} calls");
    assert_eq!(sizes.len() as u64, batches, "one checkpoint for each");
    ledger.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_calls_fault_does_not_touch_the_others_of_its_batch() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let good = checking(&ledger, offer(1)).await;
    let size = ledger.head().await.unwrap().checkpoint.size;
    let unknown = key(&sender(7), 7);
    let jam = jam(&bench).await;
    let first = send_off(ledger.record(entry(Event::Denied)));
    let fenced = send_off(ledger.step(&good, commit(&good, 9)));
    let commit = send_off(ledger.step(&good, commit(&good, 1)));
    let nobody = send_off(ledger.step(&unknown, bare(Input::Cancel)));
    let twice = send_off(ledger.step(&good, noted(Input::Cancel, Event::Cancelled)));
    let last = send_off(ledger.record(entry(Event::Denied)));
    jam.close().await.unwrap();

    assert_eq!(first.await.unwrap().index, size);
    let fenced = fenced.await.unwrap_err();
    assert!(matches!(fenced, LedgerFault::Step(StepFault::Fenced { .. })), "{fenced:?}");
    assert_eq!(commit.await.unwrap().logged.unwrap().index, size + 1);
    assert!(matches!(nobody.await.unwrap_err(), LedgerFault::Unknown(_)));
    assert!(matches!(twice.await.unwrap_err(), LedgerFault::Step(StepFault::Unexpected { .. })));
    assert_eq!(last.await.unwrap().index, size + 2);
    ledger.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_commits_of_the_same_content_in_one_batch_are_one() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let one = checking(&ledger, offer_of(&sender(1), 1, 1)).await;
    let two = checking(&ledger, offer_of(&sender(1), 2, 1)).await;
    let jam = jam(&bench).await;
    let first = send_off(ledger.step(&one, commit(&one, 1)));
    let second = send_off(ledger.step(&two, commit(&two, 1)));
    jam.close().await.unwrap();
    let first = first.await.unwrap().transfer;
    let fault = second.await.unwrap_err();
    assert!(matches!(&fault, LedgerFault::AlreadyHeld(held) if **held == first), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_went_away_still_takes_effect() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let jam = jam(&bench).await;
    drop(send_off(ledger.offer(offer(1))));
    let next = send_off(ledger.record(entry(Event::Denied)));
    jam.close().await.unwrap();
    next.await.unwrap();
    found(&ledger, &offer(1).key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let jam = jam(&bench).await;
    let calls: Vec<_> = (0..300).map(|_| send_off(ledger.record(entry(Event::Denied)))).collect();
    let closing = send_off(ledger.close());
    jam.close().await.unwrap();
    closing.await;
    for call in calls {
        call.await.unwrap();
    }
    let again = bench.open().await;
    assert_eq!(again.head().await.unwrap().checkpoint.size, 300);
}

/// Whole lives of transfers by 64 callers at once: offer, attempt, whole, commit with receipt, delivered.
#[ignore = "a measurement: run it alone, with --nocapture"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_in_a_second() {
    const CALLERS: u64 = 64;
    const EACH: u64 = 100;
    let bench = Bench::new();
    let ledger = Arc::new(bench.open().await);
    for round in 0..4 {
        let (start, batches) = (Instant::now(), ledger.batches());
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let ledger = Arc::clone(&ledger);
                tokio::spawn(async move {
                    for n in 0..EACH {
                        let n = (round * CALLERS + caller) * EACH + n;
                        let mut offer = offer(n);
                        offer.manifest = "m".repeat(4000) + &offer.manifest;
                        offer.manifest_sha256 = Sha256::of(offer.manifest.as_bytes());
                        let key = checking(&*ledger, offer).await;
                        let receipt = "r".repeat(4000) + &receipt(&key);
                        let entry_ = entry_about(Event::Committed, &receipt);
                        let commit = Step { receipt: Some(receipt), entry: Some(entry_), ..commit(&key, 1) };
                        ledger.step(&key, commit).await.unwrap();
                        ledger.delivered(&key, moment(9), entry(Event::Delivered)).await.unwrap();
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        let (seconds, batches) = (start.elapsed().as_secs_f64(), ledger.batches() - batches);
        let transfers = CALLERS * EACH;
        println!(
            "round {round}: {:.0} transfers/s ({:.0} operations/s), {batches} transactions for {transfers} \
             transfers, {:.1} operations each",
            transfers as f64 / seconds,
            (transfers * 5) as f64 / seconds,
            (transfers * 5) as f64 / batches as f64,
        );
    }
    let start = Instant::now();
    let report = ledger.verify(&|_, _| {}).await.unwrap();
    println!("verify: {:.0} entries/s", report.entries as f64 / start.elapsed().as_secs_f64());
    let size = std::fs::metadata(bench.path()).unwrap().len();
    println!("{:.1} KiB of ledger per transfer", size as f64 / 1024.0 / (4 * CALLERS * EACH) as f64);
}
