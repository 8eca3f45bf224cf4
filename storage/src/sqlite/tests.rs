//! The suite, run on SQLite files, and what is true of those alone.

mod damage;
mod groups;
mod headers;
mod kill;
mod older;
mod opening;
mod poison;
mod reading;
mod recent;

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use protocol::checkpoint::{LogIdentity, LogSigner};
use sqlx::{AssertSqlSafe, sqlite::SqliteConnectOptions};

use super::*;
use crate::conformance::LedgerBench;

struct Key(Ed25519KeyPair, LogIdentity);

fn signer(seed: u8) -> Arc<dyn LogSigner> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public_key = pair.public_key().as_ref().try_into().unwrap();
    Arc::new(Key(pair, LogIdentity::new("sekisho/test/log", &public_key).unwrap()))
}

impl LogSigner for Key {
    fn log(&self) -> &LogIdentity {
        &self.1
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

/// A ledger file in a directory of its own.
pub(super) struct Bench {
    directory: tempfile::TempDir,
    signer: Arc<dyn LogSigner>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Bench { directory: tempfile::tempdir().unwrap(), signer: signer(1) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("state/ledger.db")
    }

    async fn try_open_as(
        &self,
        environment: Environment,
        signer: &Arc<dyn LogSigner>,
    ) -> Result<SqliteLedger, OpenFault> {
        loop {
            match SqliteLedger::open(&self.path(), environment, Arc::clone(signer)).await {
                // A test beside this one is just starting a process, which holds all our locks until it is started.
                Err(OpenFault::InUse(_)) => tokio::task::yield_now().await,
                opened => return opened,
            }
        }
    }

    async fn try_open(&self) -> Result<SqliteLedger, OpenFault> {
        self.try_open_as(Environment::Test, &self.signer).await
    }

    /// A connection to the file behind the ledger's back, bound by none of its rules.
    async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.path()).foreign_keys(false);
        let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
        run(&mut raw, "PRAGMA ignore_check_constraints = ON").await;
        let rules: Vec<String> = sqlx::query_scalar(
            r"SELECT name FROM sqlite_schema WHERE type = 'trigger' AND name LIKE '%\_is\_%' ESCAPE '\'",
        )
        .fetch_all(&mut raw)
        .await
        .unwrap();
        for rule in rules {
            run(&mut raw, &format!("DROP TRIGGER {rule}")).await;
        }
        raw
    }
}

async fn run(raw: &mut SqliteConnection, sql: &str) -> u64 {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(raw).await.unwrap().rows_affected()
}

#[async_trait]
impl LedgerBench for Bench {
    type Store = SqliteLedger;

    async fn open(&self) -> SqliteLedger {
        self.try_open().await.unwrap()
    }

    async fn kill(&self, ledger: SqliteLedger) {
        // The writer is stopped wherever it stands; with it goes the lock.
        let writer = ledger.writer.lock().unwrap().take().unwrap();
        writer.abort();
        assert!(writer.await.is_err_and(|ended| ended.is_cancelled()));
    }

    fn log(&self) -> LogIdentity {
        self.signer.log().clone()
    }
}

crate::ledger_claims!(Bench::new());
