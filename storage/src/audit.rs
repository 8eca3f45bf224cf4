//! The audit log: entries that nobody can alter, drop or reorder without its showing.
//!
//! The log is a Merkle tree with one signed checkpoint per batch of writes ([`protocol::merkle`],
//! [`protocol::checkpoint`]). It is written by the ledger, in the transaction of what it speaks of; here it is read,
//! proved and verified.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use protocol::{checkpoint::Checkpoint, digest::Sha256, transfer_id::TransferKey};

use crate::ledger::StoreFault;

/// Reads and proves the log.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// The newest signed head.
    async fn head(&self) -> Result<SignedHead, AuditFault>;

    /// The exact text of an entry; `None` beyond the end.
    async fn entry(&self, index: u64) -> Result<Option<String>, AuditFault>;

    /// Proves that entry `index` stands in the log of `size` entries.
    async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Sha256>, AuditFault>;

    /// Proves that the log of `from` entries is the beginning of that of `to`.
    async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Sha256>, AuditFault>;

    /// Reads the whole log up to its newest head and the evidence it speaks of, and computes everything afresh.
    /// `progress` is told (entries done, entries in all). Entries written meanwhile are left to the next time.
    async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<AuditReport, AuditFault>;
}

/// A head and the note that was signed over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The signed note.
    pub text: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// What was found to be in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// Entries read.
    pub entries: u64,
    /// Manifests, receipts, refusals and acknowledgements whose hashes stand in them.
    pub statements: u64,
    /// Of the log.
    pub size: u64,
    /// Of the log.
    pub root: Sha256,
}

/// Why the log could not be read, proved or verified.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditFault {
    /// The log has not that many entries, or the range is upside down.
    #[error("the log has {size} entries; {asked} was asked for")]
    OutOfRange {
        /// What was asked for.
        asked: u64,
        /// What there is.
        size: u64,
    },
    /// Something stored is not what was written. This is the first such place.
    #[error("{place}: {what}")]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file is as an older version of this program left it.
    #[error(
        "the ledger was written by an older version of this program; next: start the gateway once, which brings it up to \
         date, or verify it with the version that wrote it; this says nothing of whether it was altered"
    )]
    Older,
    /// The file was made by a newer program.
    #[error(
        "the ledger was written by a newer version of this program; next: verify it with that version; this says \
         nothing of whether it was altered"
    )]
    Newer,
    /// A read failed.
    #[error("the log cannot be read")]
    Read(#[source] Arc<StoreFault>),
}

impl From<StoreFault> for AuditFault {
    fn from(fault: StoreFault) -> Self {
        AuditFault::Read(Arc::new(fault))
    }
}

/// A place in the log or in what it speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The entry of this index.
    Entry(u64),
    /// The full subtree of this level and index.
    Node {
        /// 1 for two leaves.
        level: u8,
        /// From the left.
        index: u64,
    },
    /// The signed head.
    Checkpoint,
    /// A transfer's manifest.
    Manifest(TransferKey),
    /// A transfer's receipt.
    Receipt(TransferKey),
    /// A transfer's refusal.
    Refusal(TransferKey),
    /// The acknowledgement that this entry speaks of.
    Acknowledgement(u64),
    /// What the ledger says of a transfer beside its evidence.
    Transfer(TransferKey),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Entry(index) => write!(f, "log entry {index}"),
            Place::Node { level, index } => write!(f, "log node {index} of level {level}"),
            Place::Checkpoint => f.write_str("the log's signed checkpoint"),
            Place::Manifest(key) => write!(f, "the manifest of {key}"),
            Place::Receipt(key) => write!(f, "the receipt of {key}"),
            Place::Refusal(key) => write!(f, "the refusal of {key}"),
            Place::Acknowledgement(entry) => write!(f, "the acknowledgement of log entry {entry}"),
            Place::Transfer(key) => write!(f, "the ledger's row of {key}"),
        }
    }
}
