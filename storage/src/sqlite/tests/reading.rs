//! Reading the log beside a running writer, and from copies.

use std::sync::atomic::{AtomicBool, Ordering};

use protocol::entry::Event;

use super::*;
use crate::{audit::Place, conformance::samples::*};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_verifies_while_it_grows() {
    let bench = Bench::new();
    let ledger = Arc::new(bench.open().await);
    let done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (ledger, done) = (Arc::clone(&ledger), Arc::clone(&done));
        tokio::spawn(async move {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                committed(&*ledger, offer(n)).await;
                n += 1;
            }
        })
    };
    // Another process would look at the file just so.
    let audit = SqliteAudit::open(&bench.path(), bench.log()).await.unwrap();
    let (mut last, mut rounds) = (0, 0);
    while rounds < 20 || last < 400 {
        let report = audit.verify(&|_, _| {}).await.unwrap();
        assert!(report.entries >= last);
        (last, rounds) = (report.entries, rounds + 1);
    }
    done.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_verifies_where_nothing_can_be_written() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    committed(&ledger, offer(1)).await;
    let head = ledger.head().await.unwrap();
    ledger.close().await;
    let copy = bench.directory.path().join("copy.db");
    std::fs::copy(bench.path(), &copy).unwrap();
    // SQLite cannot make its files beside it, as on a medium that cannot be written.
    for beside in ["copy.db-shm", "copy.db-wal"] {
        std::fs::create_dir(bench.directory.path().join(beside)).unwrap();
    }
    let audit = SqliteAudit::open(&copy, bench.log()).await.unwrap();
    assert_eq!(audit.head().await.unwrap(), head);
    assert_eq!(audit.verify(&|_, _| {}).await.unwrap().size, head.checkpoint.size);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_not_passed_off_as_complete_without_what_waits_in_its_wal() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    committed(&ledger, offer(1)).await;
    let head = ledger.head().await.unwrap();
    // Nothing is written now, so that a plain copy of both files is one state.
    for (from, to) in [("state/ledger.db", "copy.db"), ("state/ledger.db-wal", "copy.db-wal")] {
        std::fs::copy(bench.directory.path().join(from), bench.directory.path().join(to)).unwrap();
    }
    std::fs::create_dir(bench.directory.path().join("copy.db-shm")).unwrap();
    let verified = async {
        let audit = SqliteAudit::open(&bench.directory.path().join("copy.db"), bench.log()).await?;
        audit.verify(&|_, _| {}).await
    };
    match verified.await {
        Ok(report) => assert_eq!(report.size, head.checkpoint.size),
        Err(fault) => assert!(matches!(fault, AuditFault::Read(_)), "{fault:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_judged_by_the_key_it_should_have() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    ledger.record(entry(Event::Started)).await.unwrap();
    let audit = SqliteAudit::open(&bench.path(), signer(2).log().clone()).await.unwrap();
    let fault = audit.verify(&|_, _| {}).await.unwrap_err();
    assert!(matches!(fault, AuditFault::Damaged { place: Place::Checkpoint, .. }), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_there_is_not_made() {
    let bench = Bench::new();
    let missing = bench.directory.path().join("missing.db");
    assert!(matches!(SqliteAudit::open(&missing, bench.log()).await, Err(AuditFault::Read(_))));
    assert!(!missing.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_version_is_not_taken_for_a_damaged_one() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    committed(&ledger, offer(1)).await;
    ledger.close().await;
    let of_version = async |change| {
        assert!(run(&mut bench.raw().await, change).await > 0, "{change}");
        SqliteAudit::open(&bench.path(), bench.log()).await.unwrap().verify(&|_, _| {}).await
    };
    let newer = of_version("UPDATE _sqlx_migrations SET version = 1000 WHERE version = 3").await;
    assert!(matches!(newer, Err(AuditFault::Newer)), "{newer:?}");
    let older = of_version("DELETE FROM _sqlx_migrations WHERE version = 1000").await;
    assert!(matches!(older, Err(AuditFault::Older)), "{older:?}");
}
