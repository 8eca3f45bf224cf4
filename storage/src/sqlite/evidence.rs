//! The evidence beside the log: each manifest, receipt, refusal and acknowledgement is the one whose hash was logged,
//! and none that was logged is missing.

use std::{
    collections::{HashMap, HashSet},
    ops::Range,
};

use protocol::{
    digest::Sha256,
    entry::{Entry, Event},
    transfer_id::TransferKey,
};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};

use super::{
    rows::{key, unsigned},
    verify::{damaged, last_word, spoken_of},
};
use crate::audit::{AuditFault, Place};

const NOT_LOGGED: &str = "its text is not the one whose hash was logged";
const OTHER_ENTRY: &str = "its log entry speaks of something else";
const MISSING: &str = "it is missing";

/// Checks what the entries of this range speak of. Yields the number of texts.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    range: Range<u64>,
    entries: &HashMap<u64, Entry>,
) -> Result<u64, AuditFault> {
    let manifests = check_manifests(connection, &range, entries).await?;
    let answers = check_answers(connection, &range, entries).await?;
    let acknowledgements = check_acknowledgements(connection, &range, entries).await?;
    Ok(manifests + answers + acknowledgements)
}

/// The row's entry, or its place if that entry speaks of something else.
fn entry_of<'a>(
    entries: &'a HashMap<u64, Entry>,
    row: &SqliteRow,
    place: impl Fn() -> Place,
) -> Result<(u64, &'a Entry), AuditFault> {
    let index = unsigned(row, "entry")?;
    entries.get(&index).map(|entry| (index, entry)).ok_or_else(|| damaged(place(), OTHER_ENTRY))
}

async fn check_manifests(
    connection: &mut SqliteConnection,
    range: &Range<u64>,
    entries: &HashMap<u64, Entry>,
) -> Result<u64, AuditFault> {
    let rows = sqlx::query(
        "SELECT m.entry, coalesce(h.text || '.', '') || m.text AS text, t.sender, t.id, t.receiver, \
         t.kind, t.class, t.length, t.sha256, t.manifest_sha256 \
         FROM manifest m JOIN transfer t ON t.number = m.transfer \
         LEFT JOIN jws_header h ON h.number = m.header \
         WHERE m.entry >= ?1 AND m.entry < ?2 ORDER BY m.entry",
    )
    .bind(range.start.cast_signed())
    .bind(range.end.cast_signed())
    .fetch_all(connection)
    .await?;
    let mut found = HashSet::new();
    for row in &rows {
        let key = key(row)?;
        let (index, entry) = entry_of(entries, row, || Place::Manifest(key.clone()))?;
        let hash = Sha256::of(row.try_get::<&[u8], _>("text")?);
        if !matches!(entry.event, Event::Offered | Event::Refused) || spoken_of(entry) != Some(key.clone()) {
            return Err(damaged(Place::Manifest(key), OTHER_ENTRY));
        }
        if entry.manifest_sha256 != Some(hash) {
            return Err(damaged(Place::Manifest(key), NOT_LOGGED));
        }
        check_row(row, entry, &key)?;
        found.insert(index);
    }
    // Whose no stands in the entry of its offer is demanded with that no.
    let offered = |entry: &Entry| (entry.event == Event::Offered).then(|| spoken_of(entry)).flatten();
    demand(range, entries, &found, |_, entry| offered(entry).map(Place::Manifest))?;
    Ok(rows.len() as u64)
}

/// Of every entry that speaks of a text, that text was found.
fn demand(
    range: &Range<u64>,
    entries: &HashMap<u64, Entry>,
    found: &HashSet<u64>,
    spoken_of: impl Fn(u64, &Entry) -> Option<Place>,
) -> Result<(), AuditFault> {
    let missing = range
        .clone()
        .filter(|index| !found.contains(index))
        .find_map(|index| spoken_of(index, entries.get(&index)?));
    missing.map_or(Ok(()), |place| Err(damaged(place, MISSING)))
}

/// What the ledger itself says of the transfer is what it logged.
fn check_row(row: &SqliteRow, entry: &Entry, key: &TransferKey) -> Result<(), AuditFault> {
    let logged = |hash: &Option<Sha256>| hash.map(|hash| hash.as_bytes().to_vec());
    let same = Some(row.try_get::<&[u8], _>("sha256")?) == logged(&entry.sha256).as_deref()
        && Some(row.try_get::<&[u8], _>("manifest_sha256")?) == logged(&entry.manifest_sha256).as_deref()
        && Some(unsigned(row, "length")?) == entry.length
        && Some(row.try_get::<&str, _>("kind")?) == entry.kind.map(|kind| kind.name())
        && Some(row.try_get::<&str, _>("class")?) == entry.class.map(|class| class.name());
    if same { Ok(()) } else { Err(damaged(Place::Transfer(key.clone()), "it is not what was logged")) }
}

async fn check_answers(
    connection: &mut SqliteConnection,
    range: &Range<u64>,
    entries: &HashMap<u64, Entry>,
) -> Result<u64, AuditFault> {
    let rows = sqlx::query(
        "SELECT a.entry, a.what, coalesce(h.text || '.', '') || a.text AS text, a.sha256, t.sender, t.id \
         FROM answer a JOIN transfer t ON t.number = a.transfer LEFT JOIN jws_header h ON h.number = a.header \
         WHERE a.entry >= ?1 AND a.entry < ?2 ORDER BY a.entry",
    )
    .bind(range.start.cast_signed())
    .bind(range.end.cast_signed())
    .fetch_all(connection)
    .await?;
    let mut found = HashSet::new();
    for row in &rows {
        let key = key(row)?;
        let what: &str = row.try_get("what")?;
        let place = || answer_place(what, key.clone());
        let (index, entry) = entry_of(entries, row, place)?;
        if last_word(entry) != Some(what) || spoken_of(entry).as_ref() != Some(&key) {
            return Err(damaged(place(), OTHER_ENTRY));
        }
        let hash = Sha256::of(row.try_get::<&[u8], _>("text")?);
        if entry.statement_sha256 != Some(hash) || row.try_get::<&[u8], _>("sha256")? != hash.as_bytes() {
            return Err(damaged(place(), NOT_LOGGED));
        }
        found.insert(index);
    }
    demand(range, entries, &found, |_, entry| Some(answer_place(last_word(entry)?, spoken_of(entry)?)))?;
    Ok(rows.len() as u64)
}

fn answer_place(what: &str, key: TransferKey) -> Place {
    if what == "receipt" { Place::Receipt(key) } else { Place::Refusal(key) }
}

async fn check_acknowledgements(
    connection: &mut SqliteConnection,
    range: &Range<u64>,
    entries: &HashMap<u64, Entry>,
) -> Result<u64, AuditFault> {
    let rows = sqlx::query(
        "SELECT k.entry, coalesce(h.text || '.', '') || k.text AS text FROM acknowledgement k \
         LEFT JOIN jws_header h ON h.number = k.header WHERE k.entry >= ?1 AND k.entry < ?2 ORDER BY k.entry",
    )
    .bind(range.start.cast_signed())
    .bind(range.end.cast_signed())
    .fetch_all(connection)
    .await?;
    let mut found = HashSet::new();
    for row in &rows {
        let place = Place::Acknowledgement(unsigned(row, "entry")?);
        let (index, entry) = entry_of(entries, row, || place.clone())?;
        if entry.event != Event::Acknowledged {
            return Err(damaged(place, OTHER_ENTRY));
        }
        if entry.statement_sha256 != Some(Sha256::of(row.try_get::<&[u8], _>("text")?)) {
            return Err(damaged(place, NOT_LOGGED));
        }
        found.insert(index);
    }
    demand(range, entries, &found, |index, entry| {
        (entry.event == Event::Acknowledged).then_some(Place::Acknowledgement(index))
    })?;
    Ok(rows.len() as u64)
}

/// No transfer lacks a text that its state promises, and none has one that its state excludes.
pub(super) async fn check_completeness(connection: &mut SqliteConnection) -> Result<(), AuditFault> {
    let row = sqlx::query(
        "SELECT t.sender, t.id, t.phase, m.transfer AS manifest, a.what FROM transfer t \
         LEFT JOIN manifest m ON m.transfer = t.number LEFT JOIN answer a ON a.transfer = t.number \
         LEFT JOIN acknowledgement k ON k.number = t.acknowledgement \
         WHERE m.transfer IS NULL OR (t.acknowledged_at IS NULL) <> (k.number IS NULL) OR coalesce(a.what, '') <> \
         CASE t.phase WHEN 'committed' THEN 'receipt' WHEN 'refused' THEN 'refusal' ELSE '' END LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let key = key(&row)?;
    if row.try_get::<Option<i64>, _>("manifest")?.is_none() {
        return Err(damaged(Place::Manifest(key), MISSING));
    }
    match (row.try_get("phase")?, row.try_get::<Option<&str>, _>("what")?) {
        ("committed", None) => Err(damaged(Place::Receipt(key), MISSING)),
        ("refused", None) => Err(damaged(Place::Refusal(key), MISSING)),
        _ => Err(damaged(Place::Transfer(key), "its state contradicts the evidence kept of it")),
    }
}
