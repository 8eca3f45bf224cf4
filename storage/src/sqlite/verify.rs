//! The full check of a log: every leaf, node and root computed afresh, and every text kept as evidence compared with
//! the entry that speaks of it.
//!
//! It reads in short steps and looks at nothing above the head it began with, so that a running gateway neither
//! disturbs it nor waits for it.

use std::{collections::HashMap, ops::Range};

use protocol::{
    checkpoint::Checkpoint,
    digest::Sha256,
    entry::{Entry, Event},
    merkle::{self, Frontier, NodeId},
    transfer_id::TransferKey,
};
use sqlx::{Row as _, SqliteConnection};

use super::{
    evidence,
    log::{node_count, node_number, read_head},
    proofs::SqliteAudit,
    rows::unsigned,
};
use crate::{
    audit::{AuditFault, AuditReport, Place},
    ledger::StoreFault,
};

/// Entries read at a time: little memory, and a runtime that is not held up.
const CHUNK: u64 = 256;

pub(super) fn damaged(place: Place, what: &'static str) -> AuditFault {
    AuditFault::Damaged { place, what }
}

impl From<sqlx::Error> for AuditFault {
    fn from(error: sqlx::Error) -> Self {
        StoreFault::from(error).into()
    }
}

pub(super) async fn verify(
    audit: &SqliteAudit,
    progress: &(dyn Fn(u64, u64) + Send + Sync),
) -> Result<AuditReport, AuditFault> {
    let connection = &mut *audit.reader().await?;
    let signed = signed_head(connection, audit).await?;
    let mut frontier = Frontier::empty();
    let mut statements = 0;
    while frontier.size() < signed.size {
        let range = frontier.size()..signed.size.min(frontier.size() + CHUNK);
        let entries = check_entries(connection, range.clone(), &mut frontier).await?;
        statements += evidence::check(connection, range, &entries).await?;
        progress(frontier.size(), signed.size);
    }
    if frontier.root() != signed.root {
        return Err(damaged(Place::Checkpoint, "its root is not that of the entries"));
    }
    check_end(connection).await?;
    evidence::check_completeness(connection).await?;
    Ok(AuditReport { entries: signed.size, statements, size: signed.size, root: signed.root })
}

/// The head, if the log's key signed it and the columns beside the note say the same.
async fn signed_head(
    connection: &mut SqliteConnection,
    audit: &SqliteAudit,
) -> Result<Checkpoint, AuditFault> {
    let head = read_head(connection, &audit.log().origin)
        .await?
        .ok_or_else(|| damaged(Place::Checkpoint, "it is missing"))?;
    let signed = Checkpoint::verify(&head.text, audit.log())
        .map_err(|_| damaged(Place::Checkpoint, "it is not signed by the log's key"))?;
    if signed != head.checkpoint {
        return Err(damaged(Place::Checkpoint, "it is not the head that is stored beside it"));
    }
    Ok(signed)
}

async fn check_entries(
    connection: &mut SqliteConnection,
    range: Range<u64>,
    frontier: &mut Frontier,
) -> Result<HashMap<u64, Entry>, AuditFault> {
    let nodes = read_nodes(connection, node_count(range.start)..node_count(range.end)).await?;
    let rows = sqlx::query(
        "SELECT position, text, hash FROM log_entry WHERE position >= ?1 AND position < ?2 ORDER BY position",
    )
    .bind(range.start.cast_signed())
    .bind(range.end.cast_signed())
    .fetch_all(connection)
    .await?;
    let mut rows = rows.into_iter();
    let mut entries = HashMap::new();
    for index in range {
        let bad = |what| damaged(Place::Entry(index), what);
        let row = rows.next().ok_or_else(|| bad("it is missing"))?;
        if unsigned(&row, "position")? != index {
            return Err(bad("it is missing"));
        }
        let text: &[u8] = row.try_get("text")?;
        let hash = merkle::leaf_hash(text);
        if row.try_get::<&[u8], _>("hash")? != hash.as_bytes() {
            return Err(bad("its text is not the one that was logged"));
        }
        let entry: Entry =
            serde_json::from_slice(text).map_err(|_| bad("its text is not an entry of this program"))?;
        if entry.seq != index {
            return Err(bad("its number is not its place"));
        }
        for (id, hash) in frontier.append(hash).into_iter().skip(1) {
            check_node(&nodes, id, &hash)?;
        }
        entries.insert(index, entry);
    }
    Ok(entries)
}

async fn read_nodes(
    connection: &mut SqliteConnection,
    range: Range<u64>,
) -> Result<HashMap<u64, Vec<u8>>, AuditFault> {
    let rows = sqlx::query("SELECT number, hash FROM log_node WHERE number >= ?1 AND number < ?2")
        .bind(range.start.cast_signed())
        .bind(range.end.cast_signed())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((unsigned(row, "number")?, row.try_get("hash")?))).collect()
}

fn check_node(nodes: &HashMap<u64, Vec<u8>>, id: NodeId, hash: &Sha256) -> Result<(), AuditFault> {
    let bad = |what| Err(damaged(Place::Node { level: id.level, index: id.index }, what));
    match nodes.get(&node_number(id)) {
        None => bad("it is missing"),
        Some(stored) if stored != hash.as_bytes() => bad("it is not the hash of what is below it"),
        Some(_) => Ok(()),
    }
}

/// Nothing stands behind the signed head. One statement, hence one state of the file.
async fn check_end(connection: &mut SqliteConnection) -> Result<(), AuditFault> {
    let row = sqlx::query(
        "SELECT size, (SELECT coalesce(max(position) + 1, 0) FROM log_entry) AS entries, \
         (SELECT coalesce(max(number) + 1, 0) FROM log_node) AS nodes FROM log_head",
    )
    .fetch_one(connection)
    .await?;
    let size = unsigned(&row, "size")?;
    if unsigned(&row, "entries")? != size || unsigned(&row, "nodes")? != node_count(size) {
        return Err(damaged(Place::Entry(size), "entries or nodes stand behind the signed head"));
    }
    Ok(())
}

/// The transfer an entry speaks of.
pub(super) fn spoken_of(entry: &Entry) -> Option<TransferKey> {
    Some(TransferKey { sender: entry.sender.clone()?, id: entry.transfer_id? })
}

/// The receiver's last word, if the entry speaks of one.
pub(super) fn last_word(entry: &Entry) -> Option<&'static str> {
    match entry.event {
        Event::Committed => Some("receipt"),
        Event::Refused => Some("refusal"),
        _ => None,
    }
}
