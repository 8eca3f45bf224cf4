//! Headers of statements, each kept once.
//!
//! The part of a compact JWS before its first dot names the signer by its certificates. It is more than half of the text
//! and the same in all that one signer says of one kind.

use std::collections::HashMap;

use protocol::digest::Sha256;
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection};

use super::{queries, rows, writer::Command};
use crate::ledger::StoreFault;

/// Bytes from which a header is worth a row of its own; below, there are no certificates in it.
const BYTES_MIN: usize = 256;

/// Headers whose numbers are remembered: those of a few thousand senders, 40 bytes each.
const KNOWN_MAX: usize = 16 * 1024;

/// The headers that have been stored, by hash, and those that a batch adds.
pub(super) struct Headers {
    known: HashMap<Sha256, i64>,
    /// The number that the next one gets.
    next: i64,
    added: Vec<Value>,
}

impl Headers {
    pub(super) fn from_number(next: i64) -> Self {
        Headers { known: HashMap::new(), next, added: Vec::new() }
    }

    /// Finds out which headers of these commands' statements are stored.
    pub(super) async fn read(
        &mut self,
        connection: &mut SqliteConnection,
        commands: &[Command],
    ) -> Result<(), StoreFault> {
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        let headers = commands.iter().flat_map(Command::statements).filter_map(split);
        let hashes = headers.map(|(header, _)| Sha256::of(header.as_bytes()));
        let unknown: Vec<Sha256> = hashes.filter(|hash| !self.known.contains_key(hash)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(queries::HEADERS).bind(json!(unknown).to_string());
        for row in query.fetch_all(connection).await? {
            self.known.insert(rows::sha256(&row, "sha256")?, row.try_get("number")?);
        }
        Ok(())
    }

    /// The number of a statement's header, and what stands behind it; the whole text if it has none to share.
    pub(super) fn place<'a>(&mut self, statement: &'a str) -> (Option<i64>, &'a str) {
        let Some((header, rest)) = split(statement) else { return (None, statement) };
        let hash = Sha256::of(header.as_bytes());
        let (next, added) = (&mut self.next, &mut self.added);
        let number = *self.known.entry(hash).or_insert_with(|| {
            let number = *next;
            *next += 1;
            added.push(json!([number, header, hash]));
            number
        });
        (Some(number), rest)
    }

    /// `[number, text, sha256]` of each header that was placed and is not stored yet.
    pub(super) fn take_added(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.added)
    }
}

/// A statement's header and what stands behind the dot.
fn split(statement: &str) -> Option<(&str, &str)> {
    statement.split_once('.').filter(|(header, _)| header.len() >= BYTES_MIN)
}
