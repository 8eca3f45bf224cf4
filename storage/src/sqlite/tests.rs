//! The suite, run on SQLite files, and what is true of those alone.

use std::{path::PathBuf, sync::Arc};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use protocol::checkpoint::{LogIdentity, LogSigner};

use super::*;
use crate::conformance::LedgerBench;

pub(super) struct Key(Ed25519KeyPair, LogIdentity);

impl Key {
    pub(super) fn signer(seed: u8) -> Arc<dyn LogSigner> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        Arc::new(Key(pair, LogIdentity::new("sekisho/test/log", &public_key).unwrap()))
    }
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
    pub(super) directory: tempfile::TempDir,
    pub(super) signer: Arc<dyn LogSigner>,
}

impl Bench {
    pub(super) fn new() -> Self {
        Bench { directory: tempfile::tempdir().unwrap(), signer: Key::signer(1) }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("state/ledger.db")
    }

    pub(super) async fn try_open(&self, environment: Environment) -> Result<SqliteLedger, OpenFault> {
        SqliteLedger::open(&self.path(), environment, Arc::clone(&self.signer)).await
    }
}

#[async_trait]
impl LedgerBench for Bench {
    type Store = SqliteLedger;

    async fn open(&self) -> SqliteLedger {
        self.try_open(Environment::Test).await.unwrap()
    }

    async fn kill(&self, ledger: SqliteLedger) {
        // The writer is stopped wherever it stands; with it goes the lock.
        let writer = ledger.writer.lock().unwrap().take().unwrap();
        writer.abort();
        assert!(writer.await.unwrap_err().is_cancelled());
    }

    fn log(&self) -> LogIdentity {
        self.signer.log().clone()
    }
}

crate::ledger_claims!(Bench::new());
