//! The ledger and audit log in one SQLite file: for one node with a disk of its own.
//!
//! One connection writes, owned by one task that commits in groups (`writer`); a pool reads. A lock file keeps other
//! processes from writing; any number of them may read ([`SqliteAudit::open`]). The first failed write poisons the
//! ledger: whether it is durable can only be told by opening the file again.

mod evidence;
mod flush;
mod headers;
mod log;
mod offer;
mod opening;
mod operations;
mod proofs;
mod queries;
mod recent;
mod rows;
mod usage;
mod verify;
mod work;
mod writer;

use std::{
    fs::File,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use protocol::{
    checkpoint::LogSigner,
    digest::Sha256,
    entry::{Entry, Event},
    moment::Moment,
    party::{Environment, Party},
    receiver::Input,
    transfer_id::TransferKey,
};
use sqlx::{Connection as _, SqliteConnection, SqlitePool};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

pub use opening::OpenFault;
pub use proofs::SqliteAudit;

use crate::{
    audit::{AuditFault, AuditLog, AuditReport, SignedHead},
    ledger::{Ledger, LedgerFault, StoreFault},
    transfer::{
        Acknowledged, Acknowledging, Counts, LogSeen, Logged, NewTransfer, Offered, Step, Stepped,
        Submission, Transfer,
    },
};
use recent::Recent;
use writer::{Command, Health, QUEUE_MAX, Reply, Writer};

/// An open ledger. Close it to know that its writer has ended; dropped, it ends on its own.
pub struct SqliteLedger {
    queue: mpsc::Sender<Command>,
    health: Arc<Health>,
    audit: SqliteAudit,
    recent: Arc<Recent>,
    writer: Mutex<Option<JoinHandle<Ended>>>,
    closing: AtomicBool,
}

/// What the writer leaves: its connection, and the lock that kept other processes out.
struct Ended {
    connection: SqliteConnection,
    _lock: File,
}

impl SqliteLedger {
    /// Opens the ledger of this file, or begins one. Its log is that of `signer`. The log of a new ledger is empty:
    /// its first entry is the caller's to record.
    pub async fn open(
        path: &Path,
        environment: Environment,
        signer: Arc<dyn LogSigner>,
    ) -> Result<Self, OpenFault> {
        let opening::Opened { connection, log, numbers, headers, lock } =
            opening::open(path, environment, &signer).await?;
        let recent = Arc::new(Recent::new(log.head().clone()));
        let audit = SqliteAudit::beside_writer(path, signer.log().clone(), Arc::clone(&recent)).await?;
        let health = Arc::new(Health::default());
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let writer = Writer {
            connection,
            log,
            numbers,
            headers,
            signer,
            health: Arc::clone(&health),
            recent: Arc::clone(&recent),
        };
        let task = tokio::spawn(async move { Ended { connection: writer.run(commands).await, _lock: lock } });
        Ok(SqliteLedger {
            queue,
            health,
            audit,
            recent,
            writer: Mutex::new(Some(task)),
            closing: AtomicBool::new(false),
        })
    }

    /// Takes no more writes, finishes those that wait, and returns when the file is free for the next process.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // A writer that is gone already has nothing to be told.
        let _ = self.queue.send(Command::Close).await;
        let task = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = match task {
            Some(task) => task.await,
            None => return,
        };
        self.audit.close().await;
        match ended {
            Ok(ended) => {
                if let Err(error) = ended.connection.close().await {
                    tracing::warn!(%error, "the ledger's connection did not close in good order");
                }
            }
            Err(error) => tracing::error!(%error, "the ledger's writer did not end in good order"),
        }
    }

    /// Transactions that became durable since the ledger was opened.
    pub fn batches(&self) -> u64 {
        self.health.batches()
    }

    /// The log, for reading alone.
    pub fn audit(&self) -> &SqliteAudit {
        &self.audit
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, LedgerFault> {
        if let Some(poison) = self.health.poison() {
            return Err(LedgerFault::Poisoned(poison));
        }
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        self.outcome(answer).await
    }

    async fn send(&self, command: Command) -> Result<(), LedgerFault> {
        match self.queue.send(command).await {
            Ok(()) => Ok(()),
            Err(_) if self.closing.load(Ordering::Acquire) => Err(LedgerFault::Closed),
            Err(_) => Err(LedgerFault::Poisoned(self.health.set_poison(StoreFault::WriterGone))),
        }
    }

    async fn outcome<T>(&self, answer: oneshot::Receiver<Result<T, LedgerFault>>) -> Result<T, LedgerFault> {
        // An answer that never comes was lost with a batch, or with the writer.
        let lost = |_| Err(LedgerFault::Poisoned(self.health.set_poison(StoreFault::WriterGone)));
        answer.await.unwrap_or_else(lost)
    }

    fn readers(&self) -> &SqlitePool {
        self.audit.pool()
    }
}

/// The entry names the statement it is about, and the event is the right one.
fn fits(entry: &Entry, event: Event, text: Option<&str>) -> Result<(), LedgerFault> {
    if entry.event != event {
        return Err(LedgerFault::Misfit("the entry speaks of another event"));
    }
    match text {
        Some(text) if entry.statement_sha256 != Some(Sha256::of(text.as_bytes())) => {
            Err(LedgerFault::Misfit("the entry does not hold the hash of the statement"))
        }
        _ => Ok(()),
    }
}

fn step_fits(step: &Step) -> Result<(), LedgerFault> {
    if step.input.commits() != step.receipt.is_some() {
        return Err(LedgerFault::Misfit("a receipt comes with the commit"));
    }
    match (matches!(step.input, Input::CommitAtOnce { .. }), &step.began) {
        (true, Some(began)) => fits(began, Event::AttemptBegan, None)?,
        (false, None) => {}
        _ => return Err(LedgerFault::Misfit("a beginning comes with what commits at once")),
    }
    let statement = match (&step.receipt, &step.refusal) {
        (Some(_), Some(_)) => return Err(LedgerFault::Misfit("a receipt and a refusal in one step")),
        (Some(receipt), None) => (Event::Committed, receipt),
        (None, Some(refusal)) => (Event::Refused, refusal),
        (None, None) => return Ok(()),
    };
    let entry = step.entry.as_ref().ok_or(LedgerFault::Misfit("a statement needs an entry"))?;
    fits(entry, statement.0, Some(statement.1))
}

#[async_trait]
impl Ledger for SqliteLedger {
    async fn offer(&self, transfer: NewTransfer) -> Result<Offered, LedgerFault> {
        if transfer.manifest_sha256 != Sha256::of(transfer.manifest.as_bytes()) {
            return Err(LedgerFault::Misfit("the manifest has another hash"));
        }
        if transfer.submission.sender != transfer.key.sender {
            return Err(LedgerFault::Misfit("the submission is another sender's"));
        }
        match &transfer.refusal {
            None => fits(&transfer.entry, Event::Offered, None)?,
            Some(refusal) => fits(&transfer.entry, Event::Refused, Some(&refusal.text))?,
        }
        self.ask(|reply| Command::Offer(Box::new(transfer), reply)).await
    }

    async fn step(&self, key: &TransferKey, step: Step) -> Result<Stepped, LedgerFault> {
        step_fits(&step)?;
        let call = Box::new((key.clone(), step));
        self.ask(|reply| Command::Step(call, reply)).await
    }

    async fn find(&self, key: &TransferKey) -> Result<Option<Transfer>, LedgerFault> {
        if let Some(stored) = self.recent.transfer(key) {
            return Ok(Some(stored.transfer));
        }
        let mut connection = self.audit.reader().await?;
        Ok(rows::find(&mut connection, key).await?.map(|stored| stored.transfer))
    }

    async fn held(&self, submission: &Submission, sha256: &Sha256) -> Result<Option<Transfer>, LedgerFault> {
        let mut connection = self.audit.reader().await?;
        Ok(rows::held(&mut connection, submission, sha256).await?.map(|stored| stored.transfer))
    }

    async fn acknowledge(&self, acknowledging: Acknowledging) -> Result<Acknowledged, LedgerFault> {
        fits(&acknowledging.entry, Event::Acknowledged, Some(&acknowledging.text))?;
        self.ask(|reply| Command::Acknowledge(Box::new(acknowledging), reply)).await
    }

    async fn delivered(
        &self,
        key: &TransferKey,
        at: Moment,
        entry: Entry,
    ) -> Result<Option<Logged>, LedgerFault> {
        fits(&entry, Event::Delivered, None)?;
        let call = Box::new((key.clone(), at, entry));
        self.ask(|reply| Command::Delivered(call, reply)).await
    }

    async fn undelivered(&self) -> Result<Vec<TransferKey>, LedgerFault> {
        let query = sqlx::query(queries::UNDELIVERED);
        keys(query.fetch_all(self.readers()).await)
    }

    async fn overdue(&self, now: Moment, limit: u32) -> Result<Vec<TransferKey>, LedgerFault> {
        let query = sqlx::query(queries::OVERDUE);
        keys(query.bind(now.unix_ms()).bind(limit).fetch_all(self.readers()).await)
    }

    async fn counts(&self) -> Result<Counts, LedgerFault> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as(queries::COUNTS).fetch_all(self.readers()).await.map_err(StoreFault::from)?;
        let of = |wanted: &str| rows.iter().find(|(name, _)| name == wanted).map_or(0, |(_, count)| *count);
        let waiting = |done: &str| of("committed").saturating_sub(of(done)).cast_unsigned();
        Ok(Counts {
            undelivered: waiting("delivered"),
            unacknowledged: waiting("acknowledged"),
            phases: rows
                .into_iter()
                .filter(|(name, _)| !matches!(name.as_str(), "delivered" | "acknowledged"))
                .map(|(name, count)| (name, count.cast_unsigned()))
                .collect(),
        })
    }

    async fn record(&self, entry: Entry) -> Result<Logged, LedgerFault> {
        self.ask(|reply| Command::Record(Box::new(entry), reply)).await
    }

    async fn restart(
        &self,
        at: Moment,
        entry: &(dyn for<'t> Fn(&'t Transfer) -> Entry + Send + Sync),
    ) -> Result<Vec<TransferKey>, LedgerFault> {
        let query = sqlx::query(queries::RUNNING);
        let running = keys(query.fetch_all(self.readers()).await)?;
        // All are asked for before the first answer is awaited, so that they share transactions.
        let mut answers = Vec::with_capacity(running.len());
        for key in &running {
            let transfer = self.find(key).await?.ok_or_else(|| LedgerFault::Unknown(key.clone()))?;
            let entry = entry(&transfer);
            fits(&entry, Event::Aborted, None)?;
            let step = Step {
                input: Input::Restart,
                at,
                receipt: None,
                refusal: None,
                began: None,
                entry: Some(entry),
                guard: None,
            };
            let (reply, answer) = oneshot::channel();
            let command = Command::Step(Box::new((key.clone(), step)), reply);
            self.send(command).await?;
            answers.push(answer);
        }
        for answer in answers {
            self.outcome(answer).await?;
        }
        Ok(running)
    }

    async fn settle(&self) -> Result<(), LedgerFault> {
        self.ask(Command::Settle).await
    }

    async fn counterpart_log(&self, origin: &str) -> Result<Option<LogSeen>, LedgerFault> {
        if let Some(seen) = self.recent.log(origin) {
            return Ok(Some(seen));
        }
        let row = sqlx::query(queries::COUNTERPART_LOGS)
            .bind(serde_json::json!([origin]).to_string())
            .fetch_optional(self.readers())
            .await
            .map_err(StoreFault::from)?;
        Ok(row.as_ref().map(rows::log_seen).transpose()?)
    }

    fn is_known_to_be_full(&self, sender: &Party, open_max: u32) -> bool {
        self.recent.unfinished(sender).is_some_and(|unfinished| unfinished >= open_max)
    }

    fn is_poisoned(&self) -> bool {
        self.health.poison().is_some()
    }
}

fn keys(rows: Result<Vec<sqlx::sqlite::SqliteRow>, sqlx::Error>) -> Result<Vec<TransferKey>, LedgerFault> {
    let rows = rows.map_err(StoreFault::from)?;
    Ok(rows.iter().map(rows::key).collect::<Result<Vec<_>, _>>()?)
}

#[async_trait]
impl AuditLog for SqliteLedger {
    async fn head(&self) -> Result<SignedHead, AuditFault> {
        self.audit.head().await
    }

    async fn entry(&self, index: u64) -> Result<Option<String>, AuditFault> {
        self.audit.entry(index).await
    }

    async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Sha256>, AuditFault> {
        self.audit.inclusion(index, size).await
    }

    async fn consistency(&self, from: u64, to: u64) -> Result<Vec<Sha256>, AuditFault> {
        self.audit.consistency(from, to).await
    }

    async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<AuditReport, AuditFault> {
        self.audit.verify(progress).await
    }
}

#[cfg(test)]
mod tests;
