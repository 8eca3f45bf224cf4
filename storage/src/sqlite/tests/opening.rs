//! Which files are opened, and which are refused.

#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use protocol::entry::Event;

use super::*;
use crate::{audit::Place, conformance::samples::*};

/// A ledger with some transfers, closed in good order.
async fn closed() -> Bench {
    let bench = Bench::new();
    let ledger = bench.open().await;
    for n in 0..3 {
        committed(&ledger, offer(n)).await;
    }
    ledger.close().await;
    bench
}

#[tokio::test]
async fn a_ledger_of_another_environment_is_refused_by_name() {
    let bench = closed().await;
    let production = bench.try_open_as(Environment::Production, &bench.signer).await;
    let Err(fault) = production else { panic!("it was opened") };
    assert_eq!(
        fault.to_string(),
        "the ledger belongs to environment `test`, and `production` is configured; name another ledger file"
    );
    bench.open().await;
}

#[tokio::test]
async fn a_log_is_not_continued_with_another_key() {
    let bench = closed().await;
    let other = bench.try_open_as(Environment::Test, &signer(2)).await;
    let Err(OpenFault::OtherLogKey { stored, given }) = other else { panic!("it was opened") };
    assert_eq!((stored, given), (bench.signer.log().key.clone(), signer(2).log().key.clone()));
}

#[tokio::test]
async fn a_ledger_is_open_once_at_a_time() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let again = SqliteLedger::open(&bench.path(), Environment::Test, signer(1)).await;
    assert!(matches!(again, Err(OpenFault::InUse(_))));
    ledger.close().await;
    bench.open().await;
}

#[tokio::test]
async fn a_closed_ledger_takes_nothing_more() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    ledger.close().await;
    ledger.close().await;
    let fault = ledger.record(entry(Event::Denied)).await.unwrap_err();
    assert!(matches!(fault, LedgerFault::Closed), "{fault:?}");
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().parent().unwrap()).unwrap();
    let options = SqliteConnectOptions::new().filename(bench.path()).create_if_missing(true);
    let mut other = SqliteConnection::connect_with(&options).await.unwrap();
    run(&mut other, "CREATE TABLE theirs (x)").await;
    assert!(matches!(bench.try_open().await, Err(OpenFault::NotALedger(_))));
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT name FROM sqlite_schema").fetch_all(&mut other).await.unwrap();
    assert_eq!(tables, ["theirs"]);
}

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_refused() {
    let bench = closed().await;
    let mut raw = bench.raw().await;
    run(
        &mut raw,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .await;
    assert!(matches!(bench.try_open().await, Err(OpenFault::Newer)));
}

#[tokio::test]
async fn a_ledger_whose_schema_has_another_history_is_refused() {
    let bench = closed().await;
    let mut raw = bench.raw().await;
    run(&mut raw, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    assert!(matches!(bench.try_open().await, Err(OpenFault::Migration(_))));
}

#[tokio::test]
async fn a_ledger_that_was_killed_before_its_first_table_is_begun_again() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path().parent().unwrap()).unwrap();
    std::fs::write(bench.path(), b"").unwrap();
    let ledger = bench.open().await;
    offered(&ledger, offer(1)).await;
}

#[tokio::test]
async fn a_log_whose_end_was_altered_is_not_continued() {
    for (harm, expected) in [
        ("UPDATE log_head SET size = size - 1", Place::Checkpoint),
        ("UPDATE log_head SET root = zeroblob(32)", Place::Checkpoint),
        ("UPDATE log_head SET checkpoint = replace(checkpoint, 'test', 'tesT')", Place::Checkpoint),
        ("DELETE FROM log_head", Place::Checkpoint),
        ("DELETE FROM log_entry WHERE position = 8", Place::Entry(9)),
        ("INSERT INTO log_entry VALUES (9, 'more', zeroblob(32))", Place::Entry(9)),
        ("DELETE FROM log_node WHERE number = 6", Place::Entry(9)),
        ("INSERT INTO log_node VALUES (7, zeroblob(32))", Place::Entry(9)),
        ("UPDATE log_node SET hash = zeroblob(32) WHERE number = 6", Place::Checkpoint),
        ("UPDATE log_entry SET hash = zeroblob(32) WHERE position = 8", Place::Checkpoint),
    ] {
        let bench = closed().await;
        assert_eq!(run(&mut bench.raw().await, harm).await, 1, "{harm}");
        match bench.try_open().await {
            Err(OpenFault::LogDamaged { place, .. }) => assert_eq!(place, expected, "{harm}"),
            Err(fault) => panic!("{harm}: {fault:?}"),
            Ok(_) => panic!("opened in spite of: {harm}"),
        }
    }
}

#[tokio::test]
async fn the_bundled_sqlite_is_none_that_can_corrupt_its_wal() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(ledger.readers()).await.unwrap();
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts >= vec![3, 51, 3], "{version} has the bug of the WAL reset, mended in 3.51.3");
}

#[tokio::test]
async fn every_commit_is_synced() {
    let bench = Bench::new();
    let ledger = bench.open().await;
    ledger.record(entry(Event::Started)).await.unwrap();
    let task = ledger.writer.lock().unwrap().take().unwrap();
    let _ = ledger.queue.send(Command::Close).await;
    let mut connection = task.await.unwrap().connection;
    let mut pragma = async |name: &str| -> String {
        let value = AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        sqlx::query_scalar(value).fetch_one(&mut connection).await.unwrap()
    };
    assert_eq!(pragma("journal_mode").await, "wal");
    // FULL: the WAL is synced at every commit; NORMAL syncs it only when it is copied.
    assert_eq!(pragma("synchronous").await, "2");
    assert_eq!(pragma("foreign_keys").await, "1");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let ledger = bench.open().await;
    offered(&ledger, offer(1)).await;
    let directory = bench.path().parent().unwrap().to_owned();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
