//! Taking an offer in: what may speak against it, in which order, and what is stored.

use protocol::{
    checkpoint::LogIdentity,
    party::Identity,
    receiver::{Input, Receiver},
};
use sqlx::{Row as _, sqlite::SqliteRow};

use super::{
    batch::{Batch, Done, Stop, changed, of_transfer},
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

/// What may speak against an offer.
struct Look {
    known: bool,
    held: bool,
    unfinished: u32,
    log: Option<LogSeen>,
}

impl Batch<'_> {
    pub(super) async fn offer(&mut self, new: NewTransfer) -> Result<Done<Offered>, Stop> {
        let answer = |offered: Offered| -> Result<Done<Offered>, Stop> { Ok(Box::new(|_| offered)) };
        let look = self.look(&new).await?;
        if look.known {
            let known = self.find_known(&new.key).await?.transfer;
            let same = known.manifest_sha256 == new.manifest_sha256;
            return answer(if same { Offered::Same(Box::new(known)) } else { Offered::Conflict });
        }
        let advances = match new.log_seen.as_ref().map(|shown| view(look.log.as_ref(), shown)) {
            None | Some(View::Known) => false,
            Some(View::Advances) => true,
            Some(View::Forked) => return answer(Offered::LogForked),
            Some(View::Moved) => return answer(Offered::LogMoved),
        };
        let mut transfer = transfer_of(&new)?;
        if new.refusal.is_none() {
            if look.held
                && let Some(earlier) = self.held_by_another(&transfer).await?
            {
                return answer(Offered::AlreadyHeld(Box::new(earlier)));
            }
            if look.unfinished >= new.open_max {
                return answer(Offered::TooManyOpen);
            }
        }

        let mut entry = of_transfer(new.entry, &transfer);
        entry.kind = Some(transfer.submission.kind);
        entry.class = Some(transfer.class);
        entry.length = Some(transfer.length);
        entry.sha256 = Some(transfer.sha256);
        entry.offset = None;
        let index = self.log.append(entry)?.index();
        transfer.offer_entry = index;
        transfer.refusal_entry = transfer.refusal.as_ref().map(|_| index);
        let seen = new.log_seen.filter(|_| advances).map(|shown| shown.seen);
        self.insert(&transfer, seen.as_ref()).await?;
        answer(Offered::New(Box::new(transfer)))
    }

    async fn look(&mut self, new: &NewTransfer) -> Result<Look, StoreFault> {
        let row = sqlx::query(queries::LOOK)
            .bind(new.key.sender.to_string())
            .bind(new.key.id.to_string())
            .bind(new.sha256.as_bytes().as_slice())
            .bind(new.submission.receiver.to_string())
            .bind(new.submission.kind.name())
            .bind(rows::month_text(&new.submission))
            .bind(new.open_max)
            .bind(new.log_seen.as_ref().map(|shown| shown.seen.log.origin.as_str()))
            .fetch_one(&mut *self.connection)
            .await?;
        Ok(Look {
            known: row.try_get("known")?,
            held: row.try_get("held")?,
            unfinished: row.try_get("unfinished")?,
            log: log_seen(&row)?,
        })
    }

    async fn insert(&mut self, transfer: &Transfer, seen: Option<&LogSeen>) -> Result<(), StoreFault> {
        let written = sqlx::query(queries::OFFER)
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
            .bind(transfer.offered_at.unix_ms())
            .bind(transfer.deadline.unix_ms())
            .bind(transfer.manifest.as_str())
            .bind(transfer.offer_entry.cast_signed())
            .bind(transfer.refusal.as_deref())
            .bind(seen.map(|seen| seen.log.origin.as_str()))
            .bind(seen.map(|seen| seen.log.key.as_str()))
            .bind(seen.map(|seen| seen.identity.to_uri()))
            .bind(seen.map(|seen| seen.size.cast_signed()))
            .bind(seen.map(|seen| seen.root.as_bytes().as_slice()))
            .bind(seen.map(|seen| seen.checkpoint.as_str()))
            .execute(&mut *self.connection)
            .await?;
        changed(&written, 2 + u64::from(transfer.refusal.is_some()) + u64::from(seen.is_some()))
    }
}

/// What is shown, against what was shown before.
fn view(stored: Option<&LogSeen>, shown: &LogAdvance) -> View {
    let seen = &shown.seen;
    let Some(stored) = stored else {
        return if shown.verified_against.is_none() { View::Advances } else { View::Moved };
    };
    let forked = stored.log != seen.log
        || !same_party(&stored.identity, &seen.identity)
        || (stored.size == seen.size && stored.root != seen.root);
    if forked {
        View::Forked
    } else if seen.size <= stored.size {
        View::Known
    } else if shown.verified_against == Some((stored.size, stored.root)) {
        View::Advances
    } else {
        View::Moved
    }
}

/// The newest head that the log of this origin has shown.
pub(super) async fn counterpart_log(
    connection: &mut sqlx::SqliteConnection,
    origin: &str,
) -> Result<Option<LogSeen>, StoreFault> {
    let row = sqlx::query(queries::COUNTERPART_LOG).bind(origin).fetch_optional(connection).await?;
    row.map_or(Ok(None), |row| log_seen(&row))
}

fn log_seen(row: &SqliteRow) -> Result<Option<LogSeen>, StoreFault> {
    let Some(origin) = row.try_get::<Option<String>, _>("origin")? else { return Ok(None) };
    let identity = Identity::from_uri(row.try_get("identity")?)
        .map_err(|_| StoreFault::Damaged(format!("the owner of the log {origin}")))?;
    Ok(Some(LogSeen {
        log: LogIdentity { origin, key: row.try_get("key")? },
        identity,
        size: rows::unsigned(row, "size")?,
        root: rows::sha256(row, "root")?,
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
