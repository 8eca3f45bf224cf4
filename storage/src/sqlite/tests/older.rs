//! A ledger that an older version wrote.

use protocol::{day::day_of, entry::Event};

use super::*;
use crate::{conformance::samples::*, transfer::NewTransfer};

/// What the first version wrote: two committed transfers of senders 1 and 2, the first delivered and acknowledged; of
/// sender 2 also one refused and one that was being checked; and one offered by sender 4, who showed its log.
const FIRST: &str = include_str!("ledger_0001.sql");

async fn first() -> Bench {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().parent().unwrap()).unwrap();
    // A dump's tables do not stand in the order in which they refer to each other.
    let options =
        SqliteConnectOptions::new().filename(bench.path()).create_if_missing(true).foreign_keys(false);
    let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
    run(&mut raw, FIRST).await;
    raw.close().await.unwrap();
    bench
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_ledger_opens_with_all_that_it_held_and_goes_on() {
    let bench = first().await;
    let ledger = bench.open().await;
    assert_eq!(ledger.verify(&|_, _| {}).await.unwrap().statements, 5 + 3 + 1);
    let one = found(&ledger, &offer(1).key).await;
    assert_eq!(one.manifest, offer(1).manifest);
    assert_eq!(one.receipt, Some(receipt(&one.key)));
    assert_eq!(
        (one.acknowledgement.as_deref(), one.delivered_at),
        (Some("acknowledgement"), Some(moment(9)))
    );
    let no = found(&ledger, &offer_of(&sender(2), 3, 3).key).await;
    assert!(no.refusal.is_some_and(|text| text.starts_with("refusal of")));
    let counts = ledger.counts().await.unwrap();
    assert_eq!((counts.of("committed"), counts.undelivered, counts.unacknowledged), (2, 1, 1));
    let seen = ledger.counterpart_log(&log_shown(4, 0, None).seen.log.origin).await.unwrap();
    assert_eq!(seen.map(|seen| seen.size), Some(8));

    let waiting = offer_of(&sender(2), 5, 5).key;
    let done = ledger.step(&waiting, commit(&waiting, 1)).await.unwrap().transfer;
    let new = committed(&ledger, offer(6)).await;
    ledger.close().await;
    let again = bench.open().await;
    again.verify(&|_, _| {}).await.unwrap();
    for transfer in [one, done, new] {
        assert_eq!(found(&again, &transfer.key).await, transfer);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_offered_today_before_an_upgrade_still_counts() {
    let bench = first().await;
    let ledger = bench.open().await;
    // Sender 2 has offered three files of this day.
    let nth = |n, of_day_max, files: u64| {
        let offer = offer_of(&sender(2), n, n);
        let day_began = day_of(offer.offered_at).began;
        let bytes_of_day_max = files * LENGTH;
        let allowance =
            crate::transfer::Allowance { day_began, of_day_max, bytes_of_day_max, ..offer.allowance };
        NewTransfer { allowance, ..offer }
    };
    assert_eq!(ledger.offer(nth(7, 3, 9)).await.unwrap(), Offered::OverQuota, "by number");
    assert_eq!(ledger.offer(nth(7, 9, 3)).await.unwrap(), Offered::OverQuota, "by bytes");
    offered(&ledger, nth(7, 4, 4)).await;
    ledger.record(entry(Event::Denied)).await.unwrap();
}
