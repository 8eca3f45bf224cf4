//! What waits together is written together, and does not disturb its neighbours.

use std::{
    pin::Pin,
    task::{Context, Waker},
    time::Instant,
};

use protocol::{entry::Event, receiver::StepFault};

use super::*;
use crate::{conformance::samples::*, transfer::NewTransfer};

/// Holds the file's write lock: the writer stands still with a first call, and what is asked of it gathers behind.
pub(super) struct Jam<'a> {
    raw: SqliteConnection,
    first: Pin<Box<dyn Future<Output = Result<Logged, LedgerFault>> + 'a>>,
}

impl<'a> Jam<'a> {
    pub(super) async fn behind(bench: &Bench, ledger: &'a SqliteLedger, first: Entry) -> Self {
        let mut raw = bench.raw().await;
        run(&mut raw, "BEGIN IMMEDIATE").await;
        let first = send_off(ledger.record(first));
        while ledger.queue.capacity() < QUEUE_MAX {
            tokio::task::yield_now().await;
        }
        Jam { raw, first }
    }

    /// What became of the first call.
    pub(super) async fn release(self) -> Result<Logged, LedgerFault> {
        self.raw.close().await.unwrap();
        self.first.await
    }
}

/// Sends the call off without waiting for its answer.
pub(super) fn send_off<'a, T>(call: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
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
    let jam = Jam::behind(&bench, &ledger, entry(Event::Started)).await;
    let calls: Vec<_> = (0..CALLS).map(|_| send_off(ledger.record(entry(Event::Denied)))).collect();
    jam.release().await.unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for call in calls {
        sizes.insert(call.await.unwrap().size);
    }
    // The one before them, and as many full batches as it takes.
    assert_eq!(ledger.batches() - before, 1 + 3);
    assert_eq!(sizes.len(), 3, "one checkpoint for each");
    ledger.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_calls_fault_does_not_touch_the_others_of_its_batch() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let good = checking(&ledger, offer(1)).await;
    let size = ledger.head().await.unwrap().checkpoint.size;
    let (before, unknown) = (ledger.batches(), key(&sender(7), 7));
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    let fenced = send_off(ledger.step(&good, commit(&good, 9)));
    let commit = send_off(ledger.step(&good, commit(&good, 1)));
    let nobody = send_off(ledger.step(&unknown, bare(Input::Cancel)));
    let twice = send_off(ledger.step(&good, noted(Input::Cancel, Event::Cancelled)));
    let last = send_off(ledger.record(entry(Event::Denied)));
    assert_eq!(jam.release().await.unwrap().index, size);
    let fenced = fenced.await.unwrap_err();
    assert!(matches!(fenced, LedgerFault::Step(StepFault::Fenced { .. })), "{fenced:?}");
    assert_eq!(commit.await.unwrap().logged.unwrap().index, size + 1);
    assert!(matches!(nobody.await.unwrap_err(), LedgerFault::Unknown(_)));
    assert!(matches!(twice.await.unwrap_err(), LedgerFault::Step(StepFault::Unexpected { .. })));
    assert_eq!(last.await.unwrap().index, size + 2);
    assert_eq!(ledger.batches(), before + 2);
    ledger.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_commits_of_the_same_content_in_one_batch_are_one() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let one = checking(&ledger, offer_of(&sender(1), 1, 1)).await;
    let two = checking(&ledger, offer_of(&sender(1), 2, 1)).await;
    let before = ledger.batches();
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    let first = send_off(ledger.step(&one, commit(&one, 1)));
    let second = send_off(ledger.step(&two, commit(&two, 1)));
    jam.release().await.unwrap();
    let first = first.await.unwrap().transfer;
    let fault = second.await.unwrap_err();
    assert!(matches!(&fault, LedgerFault::AlreadyHeld(held) if **held == first), "{fault:?}");
    assert_eq!(ledger.batches(), before + 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_of_one_batch_see_each_other() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let before = ledger.batches();
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    let limited = |n| open_at_most(2, offer_of(&sender(1), n, n));
    let showing = |n, size, root_size, against| {
        let mut shown = log_shown(2, size, against);
        shown.seen.root = root(2, root_size);
        NewTransfer { log_seen: Some(shown), ..offer_of(&sender(2), n, n) }
    };
    let offers = [
        limited(1),
        limited(1),
        limited(2),
        limited(3),
        showing(4, 8, 8, None),
        showing(5, 8, 7, None),
        showing(6, 9, 9, None),
        showing(7, 9, 9, Some((8, root(2, 8)))),
    ];
    let calls: Vec<_> = offers.into_iter().map(|offer| send_off(ledger.offer(offer))).collect();
    jam.release().await.unwrap();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(match call.await.unwrap() {
            Offered::New(_) => "new",
            Offered::Same(_) => "same",
            Offered::TooManyOpen => "too many",
            Offered::LogForked => "forked",
            Offered::LogMoved => "moved",
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(answers, ["new", "same", "new", "too many", "new", "forked", "moved", "new"]);
    assert_eq!(ledger.batches(), before + 2);
    let kept = ledger.counterpart_log(&log_shown(2, 0, None).seen.log.origin).await.unwrap();
    assert_eq!(kept.map(|seen| seen.size), Some(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_life_fits_in_one_batch() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let before = ledger.batches();
    let key = offer(1).key;
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    let offered = send_off(ledger.offer(offer(1)));
    let attempt = send_off(ledger.step(&key, noted(Input::Attempt { offset: 0 }, Event::AttemptBegan)));
    let whole = send_off(ledger.step(&key, bare(Input::Whole { attempt: 1 })));
    let committed = send_off(ledger.step(&key, commit(&key, 1)));
    let acknowledging = Acknowledging {
        receipts: vec![(key.clone(), Sha256::of(receipt(&key).as_bytes()))],
        text: "held".to_owned(),
        at: moment(8),
        entry: entry_about(Event::Acknowledged, "held"),
    };
    let acknowledged = send_off(ledger.acknowledge(acknowledging));
    let delivered = send_off(ledger.delivered(&key, moment(9), entry(Event::Delivered)));
    jam.release().await.unwrap();
    offered.await.unwrap();
    attempt.await.unwrap();
    whole.await.unwrap();
    committed.await.unwrap();
    assert_eq!(acknowledged.await.unwrap(), Acknowledged::Accepted);
    delivered.await.unwrap();
    assert_eq!(ledger.batches(), before + 2);

    let transfer = found(&ledger, &key).await;
    assert_eq!((transfer.receipt, transfer.acknowledgement), (Some(receipt(&key)), Some("held".to_owned())));
    assert_eq!((transfer.acknowledged_at, transfer.delivered_at), (Some(moment(8)), Some(moment(9))));
    let counts = ledger.counts().await.unwrap();
    assert_eq!((counts.of("committed"), counts.undelivered, counts.unacknowledged), (1, 0, 0));
    ledger.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_whose_caller_went_away_still_takes_effect() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    drop(send_off(ledger.offer(offer(1))));
    let next = send_off(ledger.record(entry(Event::Denied)));
    jam.release().await.unwrap();
    next.await.unwrap();
    found(&ledger, &offer(1).key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let jam = Jam::behind(&bench, &ledger, entry(Event::Denied)).await;
    let calls: Vec<_> = (0..300).map(|_| send_off(ledger.record(entry(Event::Denied)))).collect();
    let closing = send_off(ledger.close());
    jam.release().await.unwrap();
    closing.await;
    for call in calls {
        call.await.unwrap();
    }
    let again = bench.open().await;
    assert_eq!(again.head().await.unwrap().checkpoint.size, 1 + 300);
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
