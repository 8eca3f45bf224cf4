//! The one task that writes: takes whatever waits, makes it durable in one transaction under one signed checkpoint,
//! and then answers. While a batch is being synced the next one gathers; nothing waits for a timer.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

use protocol::{checkpoint::LogSigner, entry::Entry, moment::Moment, transfer_id::TransferKey};
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::{
    headers::Headers,
    log::Tail,
    operations::Done,
    recent::Recent,
    work::{Numbers, Work},
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
    /// Answer when all before it is answered.
    Settle(Reply<()>),
    /// Take no more, finish what waits, end.
    Close,
}

impl Command {
    /// The exact texts of the statements that it brings.
    pub(super) fn statements(&self) -> impl Iterator<Item = &str> {
        let texts = match self {
            Command::Offer(new, _) => {
                [Some(&new.manifest), new.refusal.as_ref().map(|refusal| &refusal.text)]
            }
            Command::Step(call, _) => [call.1.receipt.as_ref(), call.1.refusal.as_ref()],
            Command::Acknowledge(call, _) => [Some(&call.text), None],
            Command::Delivered(..) | Command::Record(..) | Command::Settle(..) | Command::Close => {
                [None, None]
            }
        };
        texts.into_iter().flatten().map(String::as_str)
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

    /// Yields the first failure: it is the one that explains the others.
    pub(super) fn set_poison(&self, fault: StoreFault) -> Arc<StoreFault> {
        let first = self.poison.get_or_init(|| {
            tracing::error!(fault = &fault as &dyn std::error::Error, "the ledger stops writing");
            Arc::new(fault)
        });
        Arc::clone(first)
    }
}

pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    pub(super) log: Tail,
    pub(super) numbers: Numbers,
    pub(super) headers: Headers,
    pub(super) signer: Arc<dyn LogSigner>,
    pub(super) health: Arc<Health>,
    pub(super) recent: Arc<Recent>,
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
        let mut work = Work::empty(&mut self.log, &mut self.numbers, &mut self.headers);
        work.gather(&mut transaction, commands, &self.recent).await?;
        answers.extend(commands.drain(..).filter_map(|command| apply(&mut work, command)));
        let written = work.flush(&mut transaction, &*self.signer).await?;
        transaction.commit().await?;
        self.recent.put(written);
        self.health.batches.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn apply(work: &mut Work<'_>, command: Command) -> Option<Answer> {
    Some(match command {
        Command::Offer(new, reply) => hold(work.offer(*new), reply),
        Command::Step(call, reply) => {
            let (key, step) = *call;
            hold(work.step(&key, step), reply)
        }
        Command::Acknowledge(call, reply) => hold(work.acknowledge(*call), reply),
        Command::Delivered(call, reply) => {
            let (key, at, entry) = *call;
            hold(work.delivered(&key, at, entry), reply)
        }
        Command::Record(entry, reply) => hold(work.record(*entry), reply),
        Command::Settle(reply) => hold(Ok(Box::new(|_| ())), reply),
        Command::Close => return None,
    })
}

/// Keeps the answer back until the batch is durable: even a fault may rest on what a neighbour has just done.
fn hold<T: Send + 'static>(done: Result<Done<T>, LedgerFault>, reply: Reply<T>) -> Answer {
    Box::new(move |head| {
        let answer = match head {
            Ok(head) => done.map(|done| done(head)),
            Err(poison) => Err(LedgerFault::Poisoned(Arc::clone(poison))),
        };
        // A caller that went away no longer wants to know.
        let _ = reply.send(answer);
    })
}
