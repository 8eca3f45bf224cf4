//! One batch of the writer: operations that share a transaction.
//!
//! Every operation looks first and writes only when nothing can speak against it any more, so that the fault of one
//! does not touch its neighbours. An error of the store itself ends the whole batch.

use protocol::{digest::Sha256, entry::Entry, moment::Moment, receiver::Phase, transfer_id::TransferKey};
use sqlx::{Row as _, SqliteConnection};

use super::{log::Tail, queries, rows};
use crate::{
    audit::SignedHead,
    ledger::{LedgerFault, StoreFault},
    transfer::{Acknowledged, Acknowledging, Logged, Step, Stepped, Transfer},
};

/// Transaction and log, while a batch lasts.
pub(super) struct Batch<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) log: &'a mut Tail,
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

/// Writes what has not changed since the look before: the connection is the only writer.
fn exactly_one(result: &sqlx::sqlite::SqliteQueryResult) -> Result<(), StoreFault> {
    match result.rows_affected() {
        1 => Ok(()),
        count => Err(StoreFault::Damaged(format!("{count} rows changed instead of one"))),
    }
}

impl Batch<'_> {
    pub(super) async fn step(&mut self, key: &TransferKey, step: Step) -> Result<Done<Stepped>, Stop> {
        let Some(stored) = rows::find(self.connection, key).await? else {
            return Err(LedgerFault::Unknown(key.clone()).into());
        };
        let (number, mut transfer) = (stored.number, stored.transfer);
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

        transfer.state = after;
        if moved || after.attempt != before.attempt {
            transfer.since = step.at;
        }
        let logged = match step.entry {
            Some(entry) => Some(self.log.append(self.connection, of_transfer(entry, &transfer)).await?),
            None => None,
        };
        if after != before {
            self.write_state(number, &transfer).await?;
        }
        let entry = logged.as_ref().map(|logged| logged.index);
        if let Some(text) = step.receipt {
            self.write_answer(number, "receipt", &text, entry).await?;
            (transfer.receipt, transfer.receipt_entry) = (Some(text), entry);
        }
        if let Some(text) = step.refusal {
            self.write_answer(number, "refusal", &text, entry).await?;
            (transfer.refusal, transfer.refusal_entry) = (Some(text), entry);
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
            let named = rows::find(self.connection, &named).await?.map(|stored| stored.transfer);
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
        let mut pending = Vec::new();
        for (key, sha256) in &receipts {
            let row = sqlx::query(queries::RECEIPT)
                .bind(key.sender.to_string())
                .bind(key.id.to_string())
                .fetch_optional(&mut *self.connection)
                .await?;
            let unknown = || Acknowledged::Unknown(key.clone());
            let Some(row) = row else {
                let unknown = unknown();
                return Ok(Box::new(|_| unknown));
            };
            if Sha256::of(row.try_get::<&str, _>("text")?.as_bytes()) != *sha256 {
                let unknown = unknown();
                return Ok(Box::new(|_| unknown));
            }
            let number: i64 = row.try_get("number")?;
            if row.try_get::<Option<i64>, _>("acknowledged_at")?.is_none() && !pending.contains(&number) {
                pending.push(number);
            }
        }
        if !pending.is_empty() {
            let logged = self.log.append(self.connection, entry).await?;
            let statement = sqlx::query("INSERT INTO acknowledgement (text, entry) VALUES (?1, ?2)")
                .bind(text)
                .bind(logged.index.cast_signed())
                .execute(&mut *self.connection)
                .await?
                .last_insert_rowid();
            for number in pending {
                let written = sqlx::query(
                    "UPDATE transfer SET acknowledgement = ?2, acknowledged_at = ?3 WHERE number = ?1",
                )
                .bind(number)
                .bind(statement)
                .bind(at.unix_ms())
                .execute(&mut *self.connection)
                .await?;
                exactly_one(&written)?;
            }
        }
        Ok(Box::new(|_| Acknowledged::Accepted))
    }

    pub(super) async fn delivered(
        &mut self,
        key: &TransferKey,
        at: Moment,
        entry: Entry,
    ) -> Result<Done<Option<Logged>>, Stop> {
        let Some(stored) = rows::find(self.connection, key).await? else {
            return Err(LedgerFault::Unknown(key.clone()).into());
        };
        if stored.transfer.state.phase != Phase::Committed {
            return Err(LedgerFault::NotCommitted(key.clone()).into());
        }
        if stored.transfer.delivered_at.is_some() {
            return Ok(Box::new(|_| None));
        }
        let logged = self.log.append(self.connection, of_transfer(entry, &stored.transfer)).await?;
        let written = sqlx::query("UPDATE transfer SET delivered_at = ?2 WHERE number = ?1")
            .bind(stored.number)
            .bind(at.unix_ms())
            .execute(&mut *self.connection)
            .await?;
        exactly_one(&written)?;
        Ok(Box::new(|head| Some(logged.under(head))))
    }

    pub(super) async fn record(&mut self, entry: Entry) -> Result<Done<Logged>, Stop> {
        let logged = self.log.append(self.connection, entry).await?;
        Ok(Box::new(|head| logged.under(head)))
    }

    async fn write_state(&mut self, number: i64, transfer: &Transfer) -> Result<(), StoreFault> {
        let state = &transfer.state;
        let written = sqlx::query(
            "UPDATE transfer SET phase = ?2, reason = ?3, attempt = ?4, durable = ?5, mismatches = ?6, since = ?7 \
             WHERE number = ?1",
        )
        .bind(number)
        .bind(state.phase.name())
        .bind(rows::reason_text(state.phase))
        .bind(state.attempt)
        .bind(state.offset.cast_signed())
        .bind(state.mismatches)
        .bind(transfer.since.unix_ms())
        .execute(&mut *self.connection)
        .await?;
        exactly_one(&written)
    }

    pub(super) async fn write_answer(
        &mut self,
        number: i64,
        what: &str,
        text: &str,
        entry: Option<u64>,
    ) -> Result<(), StoreFault> {
        sqlx::query("INSERT INTO answer (transfer, what, text, entry) VALUES (?1, ?2, ?3, ?4)")
            .bind(number)
            .bind(what)
            .bind(text)
            .bind(entry.map(u64::cast_signed))
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }
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
