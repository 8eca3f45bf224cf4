//! The spool: content on its way, kept so that what was called durable survives any stop.
//!
//! Calls block and belong off the runtime. Attempt numbers come from the ledger and fence: once an attempt has begun,
//! nothing that an older one still writes is ever seen. Offsets count bytes of content, from the beginning without a
//! gap; bytes that are reserved or not yet durable never count. Content is written in pieces of
//! [`PIECE_BYTES`](protocol::limits::PIECE_BYTES), each whole and once by one attempt: attempts begin, and what is
//! durable ends, where a piece does: small content is durable as a whole or not at all. A back end need not know renaming.

mod disk;
mod file;
mod format;
mod header;
mod layout;
mod reader;
mod recovery;
mod seal;
mod segments;
mod writer;

use std::io::{self, Read};

use protocol::transfer_id::TransferKey;

pub use file::FileSpool;
pub use seal::{CipherFault, NotASpoolKey, SpoolKey};
pub use segments::SMALL_CONTENT_MAX;

/// Keeps content under the key of its transfer.
pub trait Spool: Send + Sync {
    /// Begins to take content in from `offset` on, where a piece begins or the content ends, as this attempt of a transfer
    /// of `length` bytes. Content beyond `offset` is dropped, finished content is open again, and the writers of older attempts get
    /// [`SpoolFault::Fenced`] from now on; so does this call, if a newer attempt has begun.
    fn begin(
        &self,
        key: &TransferKey,
        attempt: u32,
        offset: u64,
        length: u64,
    ) -> Result<Box<dyn SpoolWriter>, SpoolFault>;

    /// The first `upto` bytes, which must be durable. Whoever reads them gets none that are not what was written; an
    /// error on the way is understood by [`SpoolFault::of_reading`].
    fn read(&self, key: &TransferKey, upto: u64) -> Result<Box<dyn Read + Send>, SpoolFault>;

    /// Bytes of the finished content; `None` if there is none.
    fn finished_length(&self, key: &TransferKey) -> Result<Option<u64>, SpoolFault>;

    /// Deletes all content of a transfer, and fences the attempts that have begun; a later attempt may begin anew. That
    /// there is none is no fault. After a stop it may be there again, until [`Spool::recover`] asks whether it is wanted.
    ///
    /// An attempt that begins after this although its transfer is final leaves a partial behind that nobody reads:
    /// whoever sees its ledger step refused calls this again.
    fn drop_content(&self, key: &TransferKey) -> Result<(), SpoolFault>;

    /// At start-up, before any attempt: asks about every content and removes what nobody wants.
    fn recover(&self, wanted: &dyn Fn(&TransferKey) -> Keep) -> Result<Recovered, SpoolFault>;

    /// A write or fsync failed: nothing more is taken in until the process has started again.
    fn is_poisoned(&self) -> bool;
}

/// Takes one attempt's content in. Dropping it gives the attempt up; what was durable stays.
pub trait SpoolWriter: Send {
    /// Appends bytes. They are not durable yet.
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolFault>;

    /// Makes every whole piece durable and returns the offset up to which the content is: where a piece ends.
    fn sync(&mut self) -> Result<u64, SpoolFault>;

    /// Makes the whole content durable, then the name under which it counts as finished. For small content it is one thing,
    /// and a sync of all of it finishes it too.
    fn finish(self: Box<Self>) -> Result<(), SpoolFault>;
}

/// What the ledger wants kept of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing: unknown, refused, cancelled, expired, or handed over and past its time.
    Nothing,
    /// At least this many bytes: a transfer that may be resumed there.
    Prefix(u64),
    /// All of it, finished, with this length: a committed transfer.
    Whole(u64),
    /// Whatever is there, as it is: what is wanted of it cannot be found out now.
    Unknown,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Contents kept.
    pub kept: u64,
    /// Contents and leavings removed.
    pub removed: u64,
    /// Contents that are shorter than the ledger says, or not finished although committed: durable bytes are gone.
    pub damaged: Vec<TransferKey>,
    /// Names in the spool that are none of its own. They were left alone.
    pub strange: Vec<String>,
}

/// Why the spool did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SpoolFault {
    /// A newer attempt has begun, or the content was dropped.
    #[error("attempt {attempt} no longer has the content: a newer one took it over, or it was dropped")]
    Fenced {
        /// The one that spoke.
        attempt: u32,
    },
    /// An earlier write failed. See [`Spool::is_poisoned`].
    #[error("the spool has stopped after a failed write; stop the program and start it again")]
    Poisoned,
    /// The content could not be written or made durable. The spool takes nothing in any more.
    #[error("content could not be made durable: {operation}")]
    Write {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The content could not be read.
    #[error("content could not be read: {operation}")]
    Read {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is no content of this transfer.
    #[error("there is no content of {0}")]
    Missing(TransferKey),
    /// Durable bytes are gone or altered.
    #[error("the content of {0} is damaged: {1}")]
    Damaged(TransferKey, &'static str),
    /// More bytes than the transfer has, or an end before the last one: a mistake of the program.
    #[error("the content is {length} bytes long and not {written}")]
    Length {
        /// Declared.
        length: u64,
        /// Written, or tried to.
        written: u64,
    },
    /// An attempt that would begin within a piece: a mistake of the program.
    #[error("an attempt begins where a piece does, and not at byte {offset}")]
    WithinPiece {
        /// Where it would.
        offset: u64,
    },
    /// Nothing can be sealed.
    #[error("content could not be sealed: the cryptographic library failed")]
    Cipher,
    /// Another process has the spool.
    #[error("the spool is in use by another process: {0}")]
    InUse(String),
    /// The spool cannot be opened by this program.
    #[error("the spool {path} cannot be used: {reason}")]
    Unusable {
        /// Where.
        path: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl SpoolFault {
    /// What an error means that came while content was read.
    pub fn of_reading(error: io::Error) -> Self {
        error.downcast().unwrap_or_else(|source| SpoolFault::Read { operation: "read", source })
    }

    /// The disk, or the share of it that we may use, is full.
    pub fn is_full(&self) -> bool {
        matches!(self, SpoolFault::Write { source, .. } if crate::is_full(source))
    }
}

#[cfg(test)]
mod tests;
