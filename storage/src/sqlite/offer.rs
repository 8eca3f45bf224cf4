//! Taking an offer in: what may speak against it, in which order, and what is stored.

use protocol::{
    party::Identity,
    receiver::{Input, Receiver},
};
use sqlx::Row as _;

use super::{
    batch::{Batch, Done, Stop, of_transfer},
    queries, rows,
};
use crate::{
    ledger::{LedgerFault, StoreFault},
    transfer::{LogAdvance, LogSeen, NewTransfer, Offered, Transfer},
};

/// What a shown log is against the stored one.
enum View {
    /// The first of its origin, or newer than the stored one and proved to continue it.
    Advances,
    /// The stored one, or older: nothing to store.
    Known,
    Forked,
    Moved,
}

impl Batch<'_> {
    pub(super) async fn offer(&mut self, new: NewTransfer) -> Result<Done<Offered>, Stop> {
        let answer = |offered: Offered| -> Result<Done<Offered>, Stop> { Ok(Box::new(|_| offered)) };
        if let Some(known) = rows::find(self.connection, &new.key).await? {
            let same = known.transfer.manifest_sha256 == new.manifest_sha256;
            let known = Box::new(known.transfer);
            return answer(if same { Offered::Same(known) } else { Offered::Conflict });
        }
        let advances = match &new.log_seen {
            None => false,
            Some(shown) => match self.view(shown).await? {
                View::Advances => true,
                View::Known => false,
                View::Forked => return answer(Offered::LogForked),
                View::Moved => return answer(Offered::LogMoved),
            },
        };
        let mut transfer = transfer_of(&new)?;
        if new.refusal.is_none() {
            if let Some(earlier) = self.held_by_another(&transfer).await? {
                return answer(Offered::AlreadyHeld(Box::new(earlier)));
            }
            if self.unfinished(&new, new.open_max).await? >= new.open_max {
                return answer(Offered::TooManyOpen);
            }
        }

        let mut entry = of_transfer(new.entry, &transfer);
        entry.kind = Some(transfer.submission.kind);
        entry.class = Some(transfer.class);
        entry.length = Some(transfer.length);
        entry.sha256 = Some(transfer.sha256);
        entry.offset = None;
        let index = self.log.append(self.connection, entry).await?.index;
        transfer.offer_entry = index;
        let number = self.insert_transfer(&transfer).await?;
        if let Some(text) = &transfer.refusal {
            self.write_answer(number, "refusal", text, Some(index)).await?;
            transfer.refusal_entry = Some(index);
        }
        if advances && let Some(shown) = &new.log_seen {
            self.write_view(&shown.seen).await?;
        }
        answer(Offered::New(Box::new(transfer)))
    }

    async fn unfinished(&mut self, new: &NewTransfer, enough: u32) -> Result<u32, StoreFault> {
        let count = sqlx::query_scalar(queries::UNFINISHED)
            .bind(new.key.sender.to_string())
            .bind(enough)
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(count)
    }

    async fn insert_transfer(&mut self, transfer: &Transfer) -> Result<i64, StoreFault> {
        let number = sqlx::query(
            "INSERT INTO transfer (sender, id, receiver, kind, claim_month, length, sha256, class, manifest_sha256, \
             resubmission_of, phase, reason, attempt, durable, mismatches, since, offered_at, deadline) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, 0, ?13, ?14, ?15)",
        )
        .bind(transfer.key.sender.to_string())
        .bind(transfer.key.id.to_string())
        .bind(transfer.submission.receiver.to_string())
        .bind(transfer.submission.kind.name())
        .bind(rows::month_text(&transfer.submission))
        .bind(transfer.length.cast_signed())
        .bind(transfer.sha256.as_bytes().as_slice())
        .bind(transfer.class.name())
        .bind(transfer.manifest_sha256.as_bytes().as_slice())
        .bind(transfer.resubmission_of.map(|id| id.to_string()))
        .bind(transfer.state.phase.name())
        .bind(rows::reason_text(transfer.state.phase))
        .bind(transfer.since.unix_ms())
        .bind(transfer.offered_at.unix_ms())
        .bind(transfer.deadline.unix_ms())
        .execute(&mut *self.connection)
        .await?
        .last_insert_rowid();
        sqlx::query("INSERT INTO manifest (transfer, text, entry) VALUES (?1, ?2, ?3)")
            .bind(number)
            .bind(transfer.manifest.as_str())
            .bind(transfer.offer_entry.cast_signed())
            .execute(&mut *self.connection)
            .await?;
        Ok(number)
    }

    async fn view(&mut self, shown: &LogAdvance) -> Result<View, StoreFault> {
        let seen = &shown.seen;
        let Some(stored) = counterpart_log(self.connection, &seen.log.origin).await? else {
            return Ok(if shown.verified_against.is_none() { View::Advances } else { View::Moved });
        };
        let forked = stored.log != seen.log
            || !same_party(&stored.identity, &seen.identity)
            || (stored.size == seen.size && stored.root != seen.root);
        Ok(if forked {
            View::Forked
        } else if seen.size <= stored.size {
            View::Known
        } else if shown.verified_against == Some((stored.size, stored.root)) {
            View::Advances
        } else {
            View::Moved
        })
    }

    async fn write_view(&mut self, seen: &LogSeen) -> Result<(), StoreFault> {
        sqlx::query(
            "INSERT INTO counterpart_log (origin, key, identity, size, root, checkpoint) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (origin) DO UPDATE SET \
             identity = excluded.identity, size = excluded.size, root = excluded.root, \
             checkpoint = excluded.checkpoint",
        )
        .bind(seen.log.origin.as_str())
        .bind(seen.log.key.as_str())
        .bind(seen.identity.to_uri())
        .bind(seen.size.cast_signed())
        .bind(seen.root.as_bytes().as_slice())
        .bind(seen.checkpoint.as_str())
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}

/// The newest head that the log of this origin has shown.
pub(super) async fn counterpart_log(
    connection: &mut sqlx::SqliteConnection,
    origin: &str,
) -> Result<Option<LogSeen>, StoreFault> {
    let row = sqlx::query(
        "SELECT origin, key, identity, size, root, checkpoint FROM counterpart_log WHERE origin = ?1",
    )
    .bind(origin)
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let identity = Identity::from_uri(row.try_get("identity")?)
        .map_err(|_| StoreFault::Damaged(format!("the owner of the log {origin}")))?;
    Ok(Some(LogSeen {
        log: protocol::checkpoint::LogIdentity { origin: row.try_get("origin")?, key: row.try_get("key")? },
        identity,
        size: rows::unsigned(&row, "size")?,
        root: rows::sha256(&row, "root")?,
        checkpoint: row.try_get("checkpoint")?,
    }))
}

/// A certificate that names one code more or less, as an agent's does with each client that comes or goes, is still
/// the same party's.
fn same_party(one: &Identity, other: &Identity) -> bool {
    one.environment() == other.environment()
        && one.role() == other.role()
        && one.codes().iter().any(|code| other.codes().contains(code))
}

fn transfer_of(new: &NewTransfer) -> Result<Transfer, LedgerFault> {
    let mut state = Receiver::offered(new.length);
    if let Some(refusal) = &new.refusal {
        let refuse = Input::Refuse { attempt: 0, reason: refusal.reason };
        (state, _) = state.step(refuse).map_err(LedgerFault::Step)?;
    }
    Ok(Transfer {
        key: new.key.clone(),
        manifest: new.manifest.clone(),
        manifest_sha256: new.manifest_sha256,
        offer_entry: 0,
        submission: new.submission.clone(),
        length: new.length,
        sha256: new.sha256,
        class: new.class,
        resubmission_of: new.resubmission_of,
        state,
        since: new.offered_at,
        offered_at: new.offered_at,
        deadline: new.deadline,
        receipt: None,
        receipt_entry: None,
        refusal: new.refusal.as_ref().map(|refusal| refusal.text.clone()),
        refusal_entry: None,
        acknowledgement: None,
        acknowledged_at: None,
        delivered_at: None,
    })
}
