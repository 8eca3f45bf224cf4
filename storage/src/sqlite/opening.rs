//! Opening a ledger: whose file it is, its schema, its environment, its log. Any doubt is a named refusal.

use std::{
    cmp::Ordering,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use durable::Access;
use protocol::{
    checkpoint::{Checkpoint, CheckpointFault, LogIdentity, LogSigner},
    merkle,
    party::Environment,
};
use sqlx::{
    Connection as _, Row as _, SqliteConnection, SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    headers::Headers,
    log::{Tail, node_count, read_frontier, read_head},
    work::Numbers,
};
use crate::{
    audit::{AuditFault, Place},
    ledger::StoreFault,
};

/// Every change of the schema, from the first on.
static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Marks the file as a ledger, as the first migration does.
const APPLICATION_ID: i64 = 1_399_155_505;

/// How long to wait for another connection's lock. The lock file keeps other writers out; this is for a backup tool.
const BUSY: Duration = Duration::from_secs(5);

/// Pages in the WAL before they are copied into the database: 16 MiB, so that a page that changes often is copied once.
const WAL_PAGES: &str = "4000";

/// The writer's cache, in KiB and negative: the upper levels of the indexes of ten million transfers.
const CACHE: &str = "-32768";

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The file or its directory.
    #[error("the ledger's file {path} cannot be opened")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("the ledger {0} is in use by another process; stop that one first")]
    InUse(PathBuf),
    /// Some other database.
    #[error("{0} is not a ledger of this program; name another file")]
    NotALedger(PathBuf),
    /// Made by a newer program.
    #[error("the ledger was written by a newer version of this program; install that version")]
    Newer,
    /// The schema could not be brought up to date.
    #[error("the ledger's schema could not be brought up to date")]
    Migration(#[source] MigrateError),
    /// Production and test never mix.
    #[error(
        "the ledger belongs to environment `{stored}`, and `{asked}` is configured; name another ledger file"
    )]
    OtherEnvironment {
        /// Stamped into the ledger.
        stored: String,
        /// Configured.
        asked: Environment,
    },
    /// Its log is signed with another key.
    #[error(
        "the ledger's log is {stored}, and the configured log key is {given}; configure the key the log was begun \
         with, or begin a new ledger"
    )]
    OtherLogKey {
        /// Verifier key of the ledger's log.
        stored: String,
        /// Verifier key of the configured one.
        given: String,
    },
    /// The log's end is not what was signed.
    #[error("the log is damaged at its end: {place}; restore a backup, and verify the log before going on")]
    LogDamaged {
        /// Where.
        place: Place,
        /// What is wrong with the signature, if that is what is wrong.
        #[source]
        source: Option<CheckpointFault>,
    },
    /// The database.
    #[error("the ledger cannot be read")]
    Store(#[source] StoreFault),
}

impl From<StoreFault> for OpenFault {
    fn from(fault: StoreFault) -> Self {
        OpenFault::Store(fault)
    }
}

impl From<sqlx::Error> for OpenFault {
    fn from(error: sqlx::Error) -> Self {
        OpenFault::Store(error.into())
    }
}

/// A ledger whose every stamp fits, ready to be written.
pub(super) struct Opened {
    pub(super) connection: SqliteConnection,
    pub(super) log: Tail,
    pub(super) numbers: Numbers,
    pub(super) headers: Headers,
    /// Held as long as the ledger is: closing it lets the next process in.
    pub(super) lock: File,
}

pub(super) async fn open(
    path: &Path,
    environment: Environment,
    signer: &Arc<dyn LogSigner>,
) -> Result<Opened, OpenFault> {
    let file = path.to_owned();
    let lock = tokio::task::spawn_blocking(move || lock_and_create(&file))
        .await
        .map_err(|lost| OpenFault::File { path: path.to_owned(), source: io::Error::other(lost) })??;
    // A pool of one, because that is what migrations are run on; its connection becomes the writer's.
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(writer_options(path)).await?;
    check_kind(&pool, path).await?;
    MIGRATIONS.run(&pool).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) => OpenFault::Newer,
        error => OpenFault::Migration(error),
    })?;
    let mut connection = pool.acquire().await?.detach();
    stamp(&mut connection, environment, &**signer).await?;
    settle_wal(&mut connection).await?;
    let log = check_log(&mut connection, signer.log()).await?;
    let numbers = Numbers {
        transfer: sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM transfer")
            .fetch_one(&mut connection)
            .await?,
        acknowledgement: sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM acknowledgement")
            .fetch_one(&mut connection)
            .await?,
    };
    let header = sqlx::query_scalar("SELECT coalesce(max(number), 0) + 1 FROM jws_header")
        .fetch_one(&mut connection)
        .await?;
    Ok(Opened { connection, log, numbers, headers: Headers::from_number(header), lock })
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("trusted_schema", "OFF")
        .pragma("cell_size_check", "ON")
        // Its own temporary files would stand elsewhere, where a confined process may not write.
        .pragma("temp_store", "MEMORY")
        .pragma("cache_size", CACHE)
        .pragma("wal_autocheckpoint", WAL_PAGES)
}

/// The files are ours alone: SQLite gives its log and index the mode of the database.
fn lock_and_create(path: &Path) -> Result<File, OpenFault> {
    let fault = |source| OpenFault::File { path: path.to_owned(), source };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        durable::create_directory(directory, Access::Private).map_err(fault)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = durable::new_file(Access::Private)
        .create_new(false)
        .create(true)
        .open(PathBuf::from(name))
        .map_err(fault)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(OpenFault::InUse(path.to_owned())),
        Err(fs::TryLockError::Error(source)) => return Err(fault(source)),
    }
    match durable::create(path, b"", Access::Private) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fault(error)),
        _ => Ok(lock),
    }
}

/// Whoever only reads cannot bring a schema up to date, and must not take what it misses for damage.
pub(super) async fn check_version(pool: &SqlitePool) -> Result<(), AuditFault> {
    let stored: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(pool)
        .await
        .map_err(StoreFault::from)?;
    match stored.cmp(&MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()) {
        Ordering::Less => Err(AuditFault::Older),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(AuditFault::Newer),
    }
}

/// Nothing yet, or one of ours.
async fn check_kind(pool: &SqlitePool, path: &Path) -> Result<(), OpenFault> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(pool).await?;
    let kind: i64 = sqlx::query_scalar("PRAGMA application_id").fetch_one(pool).await?;
    if tables == 0 || kind == APPLICATION_ID { Ok(()) } else { Err(OpenFault::NotALedger(path.to_owned())) }
}

/// Stamps a new ledger with its environment and its log; checks the stamps of an old one.
async fn stamp(
    connection: &mut SqliteConnection,
    environment: Environment,
    signer: &dyn LogSigner,
) -> Result<(), OpenFault> {
    let log = signer.log();
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let row =
        sqlx::query("SELECT environment, log_key FROM ledger").fetch_optional(&mut *transaction).await?;
    if let Some(row) = row {
        let stored: String = row.try_get("environment")?;
        if stored != environment.name() {
            return Err(OpenFault::OtherEnvironment { stored, asked: environment });
        }
        let stored: String = row.try_get("log_key")?;
        if stored != log.key {
            return Err(OpenFault::OtherLogKey { stored, given: log.key.clone() });
        }
        sqlx::query("UPDATE ledger SET openings = openings + 1").execute(&mut *transaction).await?;
        transaction.commit().await?;
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO ledger (only_row, environment, log_origin, log_key, openings) VALUES (1, ?1, ?2, ?3, 1)",
    )
    .bind(environment.name())
    .bind(log.origin.as_str())
    .bind(log.key.as_str())
    .execute(&mut *transaction)
    .await?;
    let empty = Checkpoint { origin: log.origin.clone(), size: 0, root: merkle::empty_root() };
    sqlx::query("INSERT INTO log_head (only_row, size, root, checkpoint) VALUES (1, 0, ?1, ?2)")
        .bind(empty.root.as_bytes().as_slice())
        .bind(empty.sign(signer))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(())
}

/// Makes durable what a killed process had written and perhaps not synced: this process can read it already, and might
/// give it out. Stamping has synced the WAL; this copies it into the database and syncs that, as far as readers let it.
async fn settle_wal(connection: &mut SqliteConnection) -> Result<(), OpenFault> {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_all(connection).await?;
    Ok(())
}

/// The signed head, the entries and the nodes end at the same place, and the root is the signed one.
async fn check_log(connection: &mut SqliteConnection, log: &LogIdentity) -> Result<Tail, OpenFault> {
    let damaged = |place| OpenFault::LogDamaged { place, source: None };
    let head = read_head(connection, &log.origin).await?.ok_or_else(|| damaged(Place::Checkpoint))?;
    let signed = Checkpoint::verify(&head.text, log)
        .map_err(|source| OpenFault::LogDamaged { place: Place::Checkpoint, source: Some(source) })?;
    if signed != head.checkpoint {
        return Err(damaged(Place::Checkpoint));
    }
    let size = signed.size;
    let entries: i64 = sqlx::query_scalar("SELECT coalesce(max(position) + 1, 0) FROM log_entry")
        .fetch_one(&mut *connection)
        .await?;
    let nodes: i64 = sqlx::query_scalar("SELECT coalesce(max(number) + 1, 0) FROM log_node")
        .fetch_one(&mut *connection)
        .await?;
    if entries.cast_unsigned() != size || nodes.cast_unsigned() != node_count(size) {
        return Err(damaged(Place::Entry(size)));
    }
    let frontier = read_frontier(connection, size).await?.ok_or_else(|| damaged(Place::Checkpoint))?;
    if frontier.root() != signed.root {
        return Err(damaged(Place::Checkpoint));
    }
    Ok(Tail::new(frontier, head))
}
