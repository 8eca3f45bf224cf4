//! The one task that writes: takes whatever waits, makes it durable in one transaction under one signed checkpoint,
//! and then answers. While a batch is being synced the next one gathers; nothing waits for a timer.

use std::{
    collections::HashSet,
    mem,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::{checkpoint::LogSigner, entry::Entry, moment::Moment, transfer_id::TransferKey};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::{
    batch::{Batch, Done, Stop},
    log::Tail,
};
use crate::{
    audit::SignedHead,
    ledger::{LedgerFault, StoreFault},
    transfer::{Acknowledged, Acknowledging, Logged, NewTransfer, Offered, Step, Stepped},
};

/// Calls that may wait before callers do: a few batches.
pub(super) const QUEUE_MAX: usize = 1024;

/// Operations in one transaction: enough to hide a slow disk's fsync, few enough to answer within a moment.
const BATCH_MAX: usize = 256;

pub(super) type Reply<T> = oneshot::Sender<Result<T, LedgerFault>>;

/// What the writer can be asked to do.
pub(super) enum Command {
    Offer(Box<NewTransfer>, Reply<Offered>),
    Step(Box<(TransferKey, Step)>, Reply<Stepped>),
    Acknowledge(Box<Acknowledging>, Reply<Acknowledged>),
    Delivered(Box<(TransferKey, Moment, Entry)>, Reply<Option<Logged>>),
    Record(Box<Entry>, Reply<Logged>),
    /// Take no more, finish what waits, end.
    Close,
}

impl Command {
    /// The transfer it speaks of, if there should be one.
    fn known_transfer(&self) -> Option<&TransferKey> {
        match self {
            Command::Step(call, _) => Some(&call.0),
            Command::Delivered(call, _) => Some(&call.0),
            Command::Offer(..) | Command::Acknowledge(..) | Command::Record(..) | Command::Close => None,
        }
    }
}

/// What others may know of the writer.
#[derive(Default)]
pub(super) struct Health {
    poison: OnceLock<Arc<StoreFault>>,
    batches: AtomicU64,
}

impl Health {
    pub(super) fn poison(&self) -> Option<Arc<StoreFault>> {
        self.poison.get().cloned()
    }

    /// Transactions that became durable.
    pub(super) fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    fn set_poison(&self, fault: StoreFault) {
        tracing::error!(fault = &fault as &dyn std::error::Error, "the ledger stops writing");
        // The first failure is the one that explains the others.
        let _ = self.poison.set(Arc::new(fault));
    }
}

pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    pub(super) log: Tail,
    pub(super) signer: Arc<dyn LogSigner>,
    pub(super) health: Arc<Health>,
}

/// An answer that is given once the batch is durable under a head, or lost for this reason.
type Answer = Box<dyn FnOnce(Result<&SignedHead, &Arc<StoreFault>>) + Send>;

impl Writer {
    /// Runs until [`Command::Close`], or until nobody is left who could ask. Yields the connection, to be closed last:
    /// the last one to be closed puts the WAL's content into the database and removes it, if it may write.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Command>) -> SqliteConnection {
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
            if waiting.iter().any(|command| matches!(command, Command::Close)) {
                queue.close();
            }
            let mut answers = Vec::with_capacity(waiting.len());
            if self.health.poison().is_none()
                && let Err(fault) = self.write(&mut waiting, &mut answers).await
            {
                self.health.set_poison(fault);
            }
            let poison = self.health.poison();
            let outcome = poison.as_ref().map_or(Ok(self.log.head()), Err);
            answers.into_iter().for_each(|answer| answer(outcome));
            // What was not reached is dropped only now: its callers find the poison set.
            waiting.clear();
        }
        self.connection
    }

    async fn write(
        &mut self,
        commands: &mut Vec<Command>,
        answers: &mut Vec<Answer>,
    ) -> Result<(), StoreFault> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let wanted: HashSet<&TransferKey> = commands.iter().filter_map(Command::known_transfer).collect();
        let mut batch = Batch::begin(&mut transaction, &mut self.log, &wanted).await?;
        let mut left = mem::take(commands).into_iter();
        let mut outcome = Ok(());
        while outcome.is_ok()
            && let Some(command) = left.next()
        {
            outcome = apply(&mut batch, command, answers).await;
        }
        commands.extend(left);
        outcome?;
        self.log.seal(&mut transaction, &*self.signer).await?;
        transaction.commit().await?;
        self.health.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

async fn apply(batch: &mut Batch<'_>, command: Command, answers: &mut Vec<Answer>) -> Result<(), StoreFault> {
    match command {
        Command::Offer(new, reply) => hold(batch.offer(*new).await, reply, answers),
        Command::Step(call, reply) => {
            let (key, step) = *call;
            hold(batch.step(&key, step).await, reply, answers)
        }
        Command::Acknowledge(call, reply) => hold(batch.acknowledge(*call).await, reply, answers),
        Command::Delivered(call, reply) => {
            let (key, at, entry) = *call;
            hold(batch.delivered(&key, at, entry).await, reply, answers)
        }
        Command::Record(entry, reply) => hold(batch.record(*entry).await, reply, answers),
        Command::Close => Ok(()),
    }
}

/// Keeps the answer back until the batch is durable: even a fault may rest on what a neighbour has just written.
fn hold<T: Send + 'static>(
    done: Result<Done<T>, Stop>,
    reply: Reply<T>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreFault> {
    let (done, outcome) = match done {
        Ok(done) => (Ok(done), Ok(())),
        Err(Stop::Fault(fault)) => (Err(Some(fault)), Ok(())),
        Err(Stop::Store(fault)) => (Err(None), Err(fault)),
    };
    answers.push(Box::new(move |head: Result<&SignedHead, &Arc<StoreFault>>| {
        let answer = match (head, done) {
            (Err(poison), _) => Err(LedgerFault::Poisoned(Arc::clone(poison))),
            (Ok(head), Ok(done)) => Ok(done(head)),
            (Ok(_), Err(Some(fault))) => Err(fault),
            // A batch in which the store failed has no head.
            (Ok(_), Err(None)) => Err(LedgerFault::Poisoned(Arc::new(StoreFault::WriterGone))),
        };
        // A caller that went away no longer wants to know.
        let _ = reply.send(answer);
    }));
    outcome
}
