//! After a write whose outcome is unknown nothing more is written, until the file was opened again.

use std::{error::Error as _, process::Command as Process};

use protocol::entry::Event;

use super::{
    groups::{Jam, send_off},
    *,
};
use crate::conformance::samples::*;

/// The ledger says that it is poisoned, and goes on reading.
async fn assert_poisoned(ledger: &SqliteLedger, fault: LedgerFault) {
    assert!(matches!(fault, LedgerFault::Poisoned(_)), "{fault:?}");
    assert!(fault.source().is_some_and(|cause| cause.source().is_some()), "the cause is kept: {fault:?}");
    assert!(ledger.is_poisoned());
    for fault in [
        ledger.record(entry(Event::Denied)).await.unwrap_err(),
        ledger.offer(offer(8)).await.unwrap_err(),
        ledger.step(&offer(1).key, bare(Input::Cancel)).await.unwrap_err(),
    ] {
        assert!(matches!(fault, LedgerFault::Poisoned(_)), "{fault:?}");
    }
    found(ledger, &offer(1).key).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_fails_poisons_the_ledger_and_leaves_nothing_of_its_batch() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let before = offered(&ledger, offer(1)).await;
    let mut raw = bench.raw().await;
    run(
        &mut raw,
        "CREATE TRIGGER broken BEFORE INSERT ON log_entry WHEN NEW.text LIKE '%broken%' \
         BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
    )
    .await;
    let broken = || Entry { note: Some("broken".to_owned()), ..entry(Event::Denied) };
    let (good, bad) =
        tokio::join!(ledger.step(&before.key, bare(Input::Attempt { offset: 0 })), ledger.record(broken()));
    assert_poisoned(&ledger, bad.unwrap_err()).await;
    ledger.close().await;

    run(&mut raw, "DROP TRIGGER broken").await;
    let again = bench.open().await;
    // It shared the batch, or came before it; the answer it got is true either way.
    let after = found(&again, &before.key).await;
    assert_eq!(good.is_ok(), after != before, "{good:?}");
    assert_eq!(again.head().await.unwrap().checkpoint.size, 1);
    again.verify(&|_, _| {}).await.unwrap();
    again.record(broken()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_behind_a_failure_is_not_written() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let key = offered(&ledger, offer(1)).await.key;
    let mut raw = bench.raw().await;
    run(
        &mut raw,
        "CREATE TRIGGER broken BEFORE INSERT ON log_entry WHEN NEW.text LIKE '%broken%' \
         BEGIN SELECT RAISE(FAIL, 'disk I/O error'); END",
    )
    .await;
    let broken = Entry { note: Some("broken".to_owned()), ..entry(Event::Denied) };
    let jam = Jam::behind(&bench, &ledger, broken).await;
    let behind = send_off(ledger.record(entry(Event::Denied)));
    let unlogged = send_off(ledger.step(&key, bare(Input::Attempt { offset: 0 })));
    assert!(matches!(jam.release().await, Err(LedgerFault::Poisoned(_))));
    assert!(matches!(behind.await, Err(LedgerFault::Poisoned(_))));
    assert!(matches!(unlogged.await, Err(LedgerFault::Poisoned(_))));
    ledger.close().await;
    let again = bench.open().await;
    assert_eq!(again.head().await.unwrap().checkpoint.size, 1);
    assert_eq!(found(&again, &key).await.state.phase, protocol::receiver::Phase::Offered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_cannot_be_committed_poisons_the_ledger() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    offered(&ledger, offer(1)).await;
    let mut raw = bench.raw().await;
    // A reference that is only looked at when the transaction ends.
    run(
        &mut raw,
        "CREATE TABLE trap (x INTEGER REFERENCES ledger (only_row) DEFERRABLE INITIALLY DEFERRED); \
         CREATE TRIGGER trapped AFTER INSERT ON log_entry BEGIN INSERT INTO trap VALUES (77); END",
    )
    .await;
    let key = offer(1).key;
    let step = noted(Input::Attempt { offset: 0 }, Event::AttemptBegan);
    let fault = step_fault(&ledger, &key, step).await;
    assert_poisoned(&ledger, fault).await;
    ledger.close().await;
    run(&mut raw, "DROP TRIGGER trapped").await;
    let again = bench.open().await;
    assert_eq!(found(&again, &key).await.state.attempt, 0);
    again.verify(&|_, _| {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_gone_is_no_ledger_that_was_closed() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    offered(&ledger, offer(1)).await;
    let writer = ledger.writer.lock().unwrap().take().unwrap();
    writer.abort();
    while !writer.is_finished() {
        tokio::task::yield_now().await;
    }
    let fault = ledger.record(entry(Event::Denied)).await.unwrap_err();
    assert!(matches!(fault, LedgerFault::Poisoned(_)), "{fault:?}");
    assert!(ledger.is_poisoned());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_writer_is_noticed_before_it_does_harm() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    offered(&ledger, offer(1)).await;
    run(&mut bench.raw().await, "UPDATE log_head SET size = size + 1").await;
    let fault = ledger.record(entry(Event::Denied)).await.unwrap_err();
    assert!(matches!(fault, LedgerFault::Poisoned(_)), "{fault:?}");
    let entries: i64 =
        sqlx::query_scalar("SELECT count(*) FROM log_entry").fetch_one(ledger.readers()).await.unwrap();
    assert_eq!(entries, 1);
}

/// Where the process below finds its ledger, and that it is meant at all.
const DIRECTORY: &str = "STORAGE_TEST_DIRECTORY";

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_poisons_the_ledger() {
    let bench = Bench::new();
    // A limit on the size of files is a full disk to whoever writes: a real failure of a real write.
    let limited = Process::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "sqlite::tests::poison::on_a_small_disk"])
        .env(DIRECTORY, bench.directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    assert!(
        limited.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&limited.stderr)
    );

    // What was promised before the disk was full is there, and nothing else is.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let ledger = bench.open().await;
        let promised: u64 =
            said.lines().find_map(|line| line.strip_prefix("promised ")?.parse().ok()).unwrap();
        let size = ledger.head().await.unwrap().checkpoint.size;
        assert!(promised > 0 && size >= promised, "{promised} were promised, {size} are there");
        ledger.verify(&|_, _| {}).await.unwrap();
        ledger.record(entry(Event::Denied)).await.unwrap();
    });
}

#[cfg(unix)]
#[ignore = "runs in a process of its own with a limit on the size of files"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_small_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let path = std::path::Path::new(&directory).join("state/ledger.db");
    let ledger = SqliteLedger::open(&path, Environment::Test, signer(1)).await.unwrap();
    offered(&ledger, offer(1)).await;
    let mut promised = 1u64;
    let fault = loop {
        let note = Some("x".repeat(1000));
        match ledger.record(Entry { note, ..entry(Event::Denied) }).await {
            Ok(logged) => promised = logged.index + 1,
            Err(fault) => break fault,
        }
        assert!(promised < 10_000, "the disk never got full");
    };
    println!("promised {promised}");
    assert_poisoned(&ledger, fault).await;
}
