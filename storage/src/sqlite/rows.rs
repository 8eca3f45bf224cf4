//! A transfer as rows: how it is read, and how values are written.

use protocol::{
    cause::Cause,
    checkpoint::LogIdentity,
    digest::Sha256,
    kind::Class,
    moment::Moment,
    party::Identity,
    problem::Problem,
    receiver::{Phase, Receiver},
    transfer_id::TransferKey,
};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::queries;
use crate::{
    ledger::StoreFault,
    transfer::{LogSeen, Submission, Transfer},
};

impl From<sqlx::Error> for StoreFault {
    fn from(error: sqlx::Error) -> Self {
        StoreFault::Database(Box::new(error))
    }
}

/// A transfer with the number its rows go by.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) number: i64,
    pub(super) transfer: Transfer,
}

pub(super) async fn find(
    connection: &mut SqliteConnection,
    key: &TransferKey,
) -> Result<Option<Stored>, StoreFault> {
    let row = sqlx::query(queries::FIND)
        .bind(key.sender.to_string())
        .bind(key.id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// The transfer that last committed this content for this submission.
pub(super) async fn held(
    connection: &mut SqliteConnection,
    submission: &Submission,
    sha256: &Sha256,
) -> Result<Option<Stored>, StoreFault> {
    let row = sqlx::query(queries::HELD)
        .bind(submission.sender.to_string())
        .bind(sha256.as_bytes().as_slice())
        .bind(submission.receiver.to_string())
        .bind(submission.kind.name())
        .bind(month_text(submission))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(stored).transpose()
}

/// 請求年月 as stored: empty for kinds without one.
pub(super) fn month_text(submission: &Submission) -> String {
    submission.claim_month.map(|month| month.to_string()).unwrap_or_default()
}

/// What stands beside the phase: the cause of an abort or the problem of a refusal.
pub(super) fn reason_text(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Aborted(cause) => Some(cause.name()),
        Phase::Refused(problem) => Some(problem.code()),
        _ => None,
    }
}

pub(super) fn stored(row: &SqliteRow) -> Result<Stored, StoreFault> {
    let number: i64 = row.try_get("number")?;
    let damaged = |column: &str| StoreFault::Damaged(format!("{column} of transfer row {number}"));
    let key = key(row)?;
    let parse_month = |text: String| match text.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| damaged("claim_month")),
    };
    let submission = Submission {
        sender: key.sender.clone(),
        receiver: text(row, "receiver")?.parse().map_err(|_| damaged("receiver"))?,
        kind: text(row, "kind")?.parse().map_err(|_| damaged("kind"))?,
        claim_month: parse_month(text(row, "claim_month")?)?,
    };
    let length = unsigned(row, "length")?;
    let state = Receiver {
        phase: phase(row)?.ok_or_else(|| damaged("phase"))?,
        length,
        attempt: row.try_get("attempt")?,
        offset: unsigned(row, "durable")?,
        mismatches: row.try_get("mismatches")?,
    };
    let (mut receipt, mut refusal) = (None, None);
    match row.try_get::<Option<&str>, _>("what")? {
        Some("receipt") => receipt = Some((text(row, "answer")?, unsigned(row, "answer_entry")?)),
        Some("refusal") => refusal = Some((text(row, "answer")?, unsigned(row, "answer_entry")?)),
        _ => {}
    }
    let (receipt, receipt_entry) = receipt.unzip();
    let (refusal, refusal_entry) = refusal.unzip();
    let transfer = Transfer {
        manifest: row.try_get::<Option<String>, _>("manifest")?.ok_or_else(|| damaged("manifest"))?,
        manifest_sha256: sha256(row, "manifest_sha256")?,
        offer_entry: unsigned(row, "offer_entry")?,
        submission,
        length,
        sha256: sha256(row, "sha256")?,
        class: class(&text(row, "class")?).ok_or_else(|| damaged("class"))?,
        resubmission_of: row
            .try_get::<Option<&str>, _>("resubmission_of")?
            .map(|id| id.parse().map_err(|_| damaged("resubmission_of")))
            .transpose()?,
        state,
        since: moment(row, "since")?,
        offered_at: moment(row, "offered_at")?,
        deadline: moment(row, "deadline")?,
        receipt,
        receipt_entry,
        refusal,
        refusal_entry,
        acknowledgement: row.try_get("acknowledgement")?,
        acknowledged_at: optional_moment(row, "acknowledged_at")?,
        delivered_at: optional_moment(row, "delivered_at")?,
        key,
    };
    Ok(Stored { number, transfer })
}

/// The newest head that a counterpart's log has shown.
pub(super) fn log_seen(row: &SqliteRow) -> Result<LogSeen, StoreFault> {
    let origin = text(row, "origin")?;
    let identity = Identity::from_uri(row.try_get("identity")?)
        .map_err(|_| StoreFault::Damaged(format!("the owner of the log {origin}")))?;
    Ok(LogSeen {
        log: LogIdentity { origin, key: row.try_get("key")? },
        identity,
        size: unsigned(row, "size")?,
        root: sha256(row, "root")?,
        checkpoint: row.try_get("checkpoint")?,
    })
}

/// The key, from the columns `sender` and `id`.
pub(super) fn key(row: &SqliteRow) -> Result<TransferKey, StoreFault> {
    let (sender, id) = (text(row, "sender")?, text(row, "id")?);
    match (sender.parse(), id.parse()) {
        (Ok(sender), Ok(id)) => Ok(TransferKey { sender, id }),
        _ => Err(StoreFault::Damaged(format!("the key of a transfer, `{sender}/{id}`"))),
    }
}

fn phase(row: &SqliteRow) -> Result<Option<Phase>, StoreFault> {
    let reason: Option<&str> = row.try_get("reason")?;
    Ok(match (row.try_get::<&str, _>("phase")?, reason) {
        ("offered", None) => Some(Phase::Offered),
        ("receiving", None) => Some(Phase::Receiving),
        ("checking", None) => Some(Phase::Checking),
        ("committed", None) => Some(Phase::Committed),
        ("aborted", Some(cause)) => Cause::from_name(cause).map(Phase::Aborted),
        ("refused", Some(code)) => Problem::from_code(code).map(Phase::Refused),
        _ => None,
    })
}

fn class(name: &str) -> Option<Class> {
    [Class::Public, Class::Confidential, Class::StrictlyConfidential]
        .into_iter()
        .find(|class| class.name() == name)
}

fn text(row: &SqliteRow, column: &str) -> Result<String, StoreFault> {
    Ok(row.try_get(column)?)
}

/// 64 bits that are kept as the signed number of the same bits.
pub(super) fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, StoreFault> {
    Ok(row.try_get::<i64, _>(column)?.cast_unsigned())
}

pub(super) fn sha256(row: &SqliteRow, column: &str) -> Result<Sha256, StoreFault> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = bytes.try_into().map_err(|_| StoreFault::Damaged(format!("a hash in column {column}")))?;
    Ok(Sha256::from_bytes(bytes))
}

fn moment(row: &SqliteRow, column: &str) -> Result<Moment, StoreFault> {
    Ok(Moment::from_unix_ms(row.try_get(column)?))
}

fn optional_moment(row: &SqliteRow, column: &str) -> Result<Option<Moment>, StoreFault> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Moment::from_unix_ms))
}
