//! What a gateway keeps: the ledger of transfers with its audit log, the spool of content, and the inbox it delivers
//! into.
//!
//! Ledger, log and spool stand behind traits, so that a cluster can put other machines behind them; each trait has one
//! suite of claims in the module `conformance` (feature `conformance`) that every back end must pass. No HTTP and no
//! TLS here, and no clock: callers bring the time.
//!
//! The order that makes a receipt true: content durable ([`spool::SpoolWriter::sync`]), its name durable
//! ([`spool::SpoolWriter::finish`]), the ledger's transaction durable ([`ledger::Ledger::step`] with a commit), and
//! only then a reply, a signature that leaves, or a delivery ([`inbox::Inbox::deliver`]).

pub mod audit;
pub mod buffers;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod inbox;
pub mod ledger;
pub mod spool;
pub mod sqlite;
pub mod transfer;

use std::io;

/// The same error once more, for another whom it concerns.
fn again(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// The disk, or the share of it that this process may use, is full.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}
