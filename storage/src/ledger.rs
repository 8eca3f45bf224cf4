//! The ledger: what became of every transfer, durable before anybody is told.
//!
//! A back end may be shared by several processes. It need not know which attempt is alive: attempt numbers fence, and
//! each step is judged by [`protocol::receiver::Receiver`] inside the transaction that stores it. Every call is safe
//! to repeat after a lost answer; a call whose future is dropped may still take effect.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use protocol::{
    digest::Sha256, entry::Entry, moment::Moment, party::Party, receiver::StepFault, transfer_id::TransferKey,
};

use crate::transfer::{
    Acknowledged, Acknowledging, Counts, LogSeen, Logged, NewTransfer, Offered, Step, Stepped, Submission,
    Transfer,
};

/// Keeps transfers. When a call that writes returns, what it did is durable, log entry and checkpoint included.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Stores a new transfer, unless one of the named reasons speaks against it.
    async fn offer(&self, transfer: NewTransfer) -> Result<Offered, LedgerFault>;

    /// Takes a transfer one step on. Faults change nothing.
    async fn step(&self, key: &TransferKey, step: Step) -> Result<Stepped, LedgerFault>;

    /// The transfer of this key.
    async fn find(&self, key: &TransferKey) -> Result<Option<Transfer>, LedgerFault>;

    /// The transfer that last committed this content for this submission.
    async fn held(&self, submission: &Submission, sha256: &Sha256) -> Result<Option<Transfer>, LedgerFault>;

    /// Notes that the sender holds these receipts: of all of them or, if one is unknown, of none.
    async fn acknowledge(&self, acknowledging: Acknowledging) -> Result<Acknowledged, LedgerFault>;

    /// Notes that the content of a committed transfer was handed over. `None` if that was known: nothing is logged
    /// twice.
    async fn delivered(
        &self,
        key: &TransferKey,
        at: Moment,
        entry: Entry,
    ) -> Result<Option<Logged>, LedgerFault>;

    /// Committed transfers that were not handed over yet, oldest first.
    async fn undelivered(&self) -> Result<Vec<TransferKey>, LedgerFault>;

    /// Up to `limit` transfers that wait for their sender and whose deadline is `now` or earlier, longest overdue
    /// first. Those that are being received are not among them.
    async fn overdue(&self, now: Moment, limit: u32) -> Result<Vec<TransferKey>, LedgerFault>;

    /// How many transfers there are of each sort. The cost does not grow with their number.
    async fn counts(&self) -> Result<Counts, LedgerFault>;

    /// Adds an entry of its own to the log.
    async fn record(&self, entry: Entry) -> Result<Logged, LedgerFault>;

    /// After a stop: aborts, as restarted, every transfer that was being received or checked by this node, with the
    /// entry that `entry` makes of it. To be called before the first attempt. What a stop in between leaves undone,
    /// the next call does.
    async fn restart(
        &self,
        at: Moment,
        entry: &(dyn for<'t> Fn(&'t Transfer) -> Entry + Send + Sync),
    ) -> Result<Vec<TransferKey>, LedgerFault>;

    /// Returns when every write that was asked for before is durable, or is known to have failed.
    async fn settle(&self) -> Result<(), LedgerFault>;

    /// The newest head that the log of this origin has shown.
    async fn counterpart_log(&self, origin: &str) -> Result<Option<LogSeen>, LedgerFault>;

    /// Is it known, without asking the disk, that this sender has as many unfinished transfers as it may? A ledger that does
    /// not know says no. What ended counts no more once its end was answered.
    fn is_known_to_be_full(&self, sender: &Party, open_max: u32) -> bool;

    /// The ledger has stopped writing: an earlier write failed and may or may not be durable. The process must stop;
    /// what is on disk decides when it starts again.
    fn is_poisoned(&self) -> bool;
}

/// Why the ledger did not do it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerFault {
    /// A write failed, this one or an earlier one; whether it is durable is unknown. See [`Ledger::is_poisoned`].
    #[error("the ledger has stopped writing after a failure; stop the program and start it again")]
    Poisoned(#[source] Arc<StoreFault>),
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// A read failed.
    #[error("the ledger cannot be read")]
    Read(#[source] Arc<StoreFault>),
    /// No such transfer.
    #[error("no transfer is known as {0}")]
    Unknown(TransferKey),
    /// The transfer is not where this event could happen.
    #[error("the event does not fit the transfer's state")]
    Step(#[source] StepFault),
    /// The commit was not done: the same content for the same submission was committed meanwhile, under this key.
    #[error("the same content was committed as {}", .0.key)]
    AlreadyHeld(Box<Transfer>),
    /// The step's guard forbade it.
    #[error("the step was forbidden before it was taken")]
    Forbidden,
    /// The transfer is not committed.
    #[error("transfer {0} is not committed")]
    NotCommitted(TransferKey),
    /// The parts of the call contradict each other: a mistake of the program.
    #[error("the parts of the call do not belong together: {0}")]
    Misfit(&'static str),
}

/// Why the store behind a ledger or log failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// The database.
    #[error("the database failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// Something stored is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The task that writes is gone.
    #[error("the ledger's writer ended unexpectedly")]
    WriterGone,
}

impl From<StoreFault> for LedgerFault {
    /// For reads; a failed write is [`LedgerFault::Poisoned`].
    fn from(fault: StoreFault) -> Self {
        LedgerFault::Read(Arc::new(fault))
    }
}
