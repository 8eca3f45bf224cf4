//! What is kept in memory is what stands in the file.

use protocol::{entry::Event, problem::Problem};

use super::*;
use crate::{conformance::samples::*, transfer::Acknowledging};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_answers_from_memory_as_its_file_would() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let showing = NewTransfer { log_seen: Some(log_shown(1, 8, None)), ..offer(1) };
    let origin = log_shown(1, 8, None).seen.log.origin;
    let one = committed(&ledger, showing).await.key;
    let two = committed(&ledger, offer(2)).await.key;
    let no = offered(&ledger, refused(offer(3), Problem::TooLarge)).await.key;
    let under_way = checking(&ledger, offer(4)).await;
    ledger.delivered(&two, moment(9), entry(Event::Delivered)).await.unwrap();
    let acknowledging = Acknowledging {
        receipts: vec![(one.clone(), Sha256::of(receipt(&one).as_bytes()))],
        text: "held".to_owned(),
        at: moment(8),
        entry: entry_about(Event::Acknowledged, "held"),
    };
    ledger.acknowledge(acknowledging).await.unwrap();

    let file = SqliteAudit::open(&bench.path(), bench.log()).await.unwrap();
    for key in [one, two, no, under_way] {
        let mut connection = file.reader().await.unwrap();
        let stored = rows::find(&mut connection, &key).await.unwrap().unwrap().transfer;
        assert_eq!(found(&ledger, &key).await, stored);
    }
    let head = ledger.head().await.unwrap();
    assert_eq!(file.head().await.unwrap(), head);
    for index in 0..head.checkpoint.size {
        assert_eq!(ledger.entry(index).await.unwrap(), file.entry(index).await.unwrap());
        // Twice: what was read once is kept.
        for _ in 0..2 {
            let size = head.checkpoint.size;
            assert_eq!(
                ledger.inclusion(index, size).await.unwrap(),
                file.inclusion(index, size).await.unwrap()
            );
        }
    }
    let seen = ledger.counterpart_log(&origin).await.unwrap();
    ledger.close().await;
    assert_eq!(bench.open().await.counterpart_log(&origin).await.unwrap(), seen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_memory_has_forgotten_is_read_from_the_file() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let one = committed(&ledger, offer(1)).await;
    ledger.close().await;
    let again = bench.open().await;
    assert_eq!(found(&again, &one.key).await, one);
    let step = again.step(&one.key, bare(Input::Cancel)).await.unwrap_err();
    assert!(matches!(step, LedgerFault::Step(_)), "{step:?}");
    assert!(again.entry(0).await.unwrap().is_some());
}
