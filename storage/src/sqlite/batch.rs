//! One batch of the writer: operations that share a transaction.
//!
//! Every operation looks first and writes only when nothing can speak against it any more, so that the fault of one
//! does not touch its neighbours. An error of the store itself ends the whole batch.

use std::collections::{HashMap, HashSet};

use protocol::{digest::Sha256, entry::Entry, moment::Moment, receiver::Phase, transfer_id::TransferKey};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteQueryResult};

use super::{
    log::{Appended, Tail},
    queries,
    rows::{self, Stored},
};
use crate::{
    audit::SignedHead,
    ledger::{LedgerFault, StoreFault},
    transfer::{Acknowledged, Acknowledging, Logged, Step, Stepped, Transfer},
};

/// Transaction and log, while a batch lasts.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) log: &'a mut Tail,
    /// Transfers as they stand after the operations so far. Each statement costs two changes of thread, so that what
    /// the batch is known to need is read at once, and what it wrote is not read again.
    known: HashMap<TransferKey, Stored>,
}

/// An answer that is complete, and may be given, once the batch is durable under this head.
pub(super) type Done<T> = Box<dyn FnOnce(&SignedHead) -> T + Send>;

/// Why an operation did not do it.
pub(super) enum Stop {
    /// Nothing was written; the batch goes on.
    Fault(LedgerFault),
    /// The store failed; the batch is lost.
    Store(StoreFault),
}

impl From<LedgerFault> for Stop {
    fn from(fault: LedgerFault) -> Self {
        Stop::Fault(fault)
    }
}

impl From<StoreFault> for Stop {
    fn from(fault: StoreFault) -> Self {
        Stop::Store(fault)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Stop::Store(error.into())
    }
}

/// As many rows changed as there were to change: nobody else writes.
pub(super) fn changed(result: &SqliteQueryResult, expected: u64) -> Result<(), StoreFault> {
    match result.rows_affected() {
        count if count == expected => Ok(()),
        count => Err(StoreFault::Damaged(format!("{count} rows changed instead of {expected}"))),
    }
}

impl<'a> Batch<'a> {
    /// A batch whose operations will ask for these transfers.
    pub(super) async fn begin(
        connection: &'a mut SqliteConnection,
        log: &'a mut Tail,
        wanted: &HashSet<&TransferKey>,
    ) -> Result<Self, StoreFault> {
        let known = rows::find_all(connection, wanted).await?;
        Ok(Batch { connection, log, known })
    }

    /// The transfer as it stands now.
    async fn find(&mut self, key: &TransferKey) -> Result<Option<Stored>, StoreFault> {
        match self.known.get(key) {
            Some(stored) => Ok(Some(stored.clone())),
            None => rows::find(self.connection, key).await,
        }
    }

    /// The transfer as it stands now, which must be there.
    pub(super) async fn find_known(&mut self, key: &TransferKey) -> Result<Stored, Stop> {
        self.find(key).await?.ok_or_else(|| LedgerFault::Unknown(key.clone()).into())
    }

    pub(super) async fn step(&mut self, key: &TransferKey, step: Step) -> Result<Done<Stepped>, Stop> {
        let Stored { number, mut transfer } = self.find_known(key).await?;
        let before = transfer.state;
        let (after, acts) = before.step(step.input).map_err(LedgerFault::Step)?;
        let moved = after.phase != before.phase;
        if (moved && matches!(after.phase, Phase::Refused(_))) != step.refusal.is_some() {
            return Err(LedgerFault::Misfit("a refusal comes with the step that refuses").into());
        }
        if moved
            && after.phase == Phase::Committed
            && let Some(earlier) = self.held_by_another(&transfer).await?
        {
            return Err(LedgerFault::AlreadyHeld(Box::new(earlier)).into());
        }

        let mut logged = None;
        if after != before {
            transfer.state = after;
            if moved || after.attempt != before.attempt {
                transfer.since = step.at;
            }
            logged = step.entry.map(|entry| self.log.append(of_transfer(entry, &transfer))).transpose()?;
            let entry = logged.as_ref().map(Appended::index);
            if step.receipt.is_some() {
                (transfer.receipt, transfer.receipt_entry) = (step.receipt, entry);
            }
            if step.refusal.is_some() {
                (transfer.refusal, transfer.refusal_entry) = (step.refusal, entry);
            }
            self.write_step(number, &transfer, moved).await?;
            self.known.insert(key.clone(), Stored { number, transfer: transfer.clone() });
        }
        Ok(Box::new(move |head| Stepped { transfer, acts, logged: logged.map(|logged| logged.under(head)) }))
    }

    /// The committed transfer that already brought this one's content, unless this one repeats such a one on purpose.
    pub(super) async fn held_by_another(
        &mut self,
        transfer: &Transfer,
    ) -> Result<Option<Transfer>, StoreFault> {
        let (submission, sha256) = (&transfer.submission, &transfer.sha256);
        if let Some(id) = transfer.resubmission_of {
            let named = TransferKey { sender: submission.sender.clone(), id };
            let named = self.find(&named).await?.map(|stored| stored.transfer);
            let repeats = |named: &Transfer| {
                named.state.phase == Phase::Committed
                    && named.submission == *submission
                    && named.sha256 == *sha256
            };
            if named.as_ref().is_some_and(repeats) {
                return Ok(None);
            }
        }
        let held = rows::held(self.connection, submission, sha256, Some(&transfer.key)).await?;
        Ok(held.map(|stored| stored.transfer))
    }

    pub(super) async fn acknowledge(
        &mut self,
        acknowledging: Acknowledging,
    ) -> Result<Done<Acknowledged>, Stop> {
        let Acknowledging { receipts, text, at, entry } = acknowledging;
        let held = self.receipts(receipts.iter().map(|(key, _)| key)).await?;
        let mut pending = Vec::new();
        for (key, sha256) in receipts {
            match held.get(&key) {
                Some(receipt) if receipt.sha256 == sha256 => {
                    if !receipt.acknowledged {
                        pending.push(receipt.number);
                    }
                    self.known.remove(&key);
                }
                _ => return Ok(Box::new(|_| Acknowledged::Unknown(key))),
            }
        }
        pending.sort_unstable();
        pending.dedup();
        if !pending.is_empty() {
            let logged = self.log.append(entry)?;
            let written = sqlx::query(queries::ACKNOWLEDGE)
                .bind(text)
                .bind(logged.index().cast_signed())
                .bind(at.unix_ms())
                .bind(serde_json::json!(pending).to_string())
                .execute(&mut *self.connection)
                .await?;
            changed(&written, 1 + pending.len() as u64)?;
        }
        Ok(Box::new(|_| Acknowledged::Accepted))
    }

    async fn receipts(
        &mut self,
        keys: impl Iterator<Item = &TransferKey>,
    ) -> Result<HashMap<TransferKey, HeldReceipt>, StoreFault> {
        let rows = sqlx::query(queries::RECEIPTS)
            .bind(rows::keys_json(keys))
            .fetch_all(&mut *self.connection)
            .await?;
        let mut held = HashMap::new();
        for row in rows {
            let receipt = HeldReceipt {
                number: row.try_get("number")?,
                sha256: Sha256::of(row.try_get("text")?),
                acknowledged: row.try_get::<Option<i64>, _>("acknowledged_at")?.is_some(),
            };
            held.insert(rows::key(&row)?, receipt);
        }
        Ok(held)
    }

    pub(super) async fn delivered(
        &mut self,
        key: &TransferKey,
        at: Moment,
        entry: Entry,
    ) -> Result<Done<Option<Logged>>, Stop> {
        let Stored { number, mut transfer } = self.find_known(key).await?;
        if transfer.state.phase != Phase::Committed {
            return Err(LedgerFault::NotCommitted(key.clone()).into());
        }
        if transfer.delivered_at.is_some() {
            return Ok(Box::new(|_| None));
        }
        let logged = self.log.append(of_transfer(entry, &transfer))?;
        let written = sqlx::query("UPDATE transfer SET delivered_at = ?2 WHERE number = ?1")
            .bind(number)
            .bind(at.unix_ms())
            .execute(&mut *self.connection)
            .await?;
        changed(&written, 1)?;
        transfer.delivered_at = Some(at);
        self.known.insert(key.clone(), Stored { number, transfer });
        Ok(Box::new(|head| Some(logged.under(head))))
    }

    pub(super) async fn record(&mut self, entry: Entry) -> Result<Done<Logged>, Stop> {
        let logged = self.log.append(entry)?;
        Ok(Box::new(|head| logged.under(head)))
    }

    /// Writes a new state, with the answer if this step gave one.
    async fn write_step(&mut self, number: i64, transfer: &Transfer, moved: bool) -> Result<(), StoreFault> {
        let state = &transfer.state;
        let answer = match state.phase {
            Phase::Committed if moved => Some(("receipt", &transfer.receipt, transfer.receipt_entry)),
            Phase::Refused(_) if moved => Some(("refusal", &transfer.refusal, transfer.refusal_entry)),
            _ => None,
        };
        let query = if answer.is_some() { queries::STEP_WITH_ANSWER } else { queries::STEP };
        let mut query = sqlx::query(query)
            .bind(number)
            .bind(state.phase.name())
            .bind(rows::reason_text(state.phase))
            .bind(state.attempt)
            .bind(state.offset.cast_signed())
            .bind(state.mismatches)
            .bind(transfer.since.unix_ms());
        if let Some((what, text, entry)) = answer {
            query = query.bind(what).bind(text.as_deref()).bind(entry.map(u64::cast_signed));
        }
        let written = query.execute(&mut *self.connection).await?;
        changed(&written, if answer.is_some() { 2 } else { 1 })
    }
}

/// A receipt as an acknowledgement sees it.
struct HeldReceipt {
    number: i64,
    sha256: Sha256,
    acknowledged: bool,
}

/// The entry with what the ledger knows better than its caller.
pub(super) fn of_transfer(entry: Entry, transfer: &Transfer) -> Entry {
    Entry {
        sender: Some(transfer.key.sender.clone()),
        transfer_id: Some(transfer.key.id),
        manifest_sha256: Some(transfer.manifest_sha256),
        attempt: (transfer.state.attempt > 0).then_some(transfer.state.attempt),
        offset: Some(entry.offset.unwrap_or(transfer.state.offset)),
        ..entry
    }
}
