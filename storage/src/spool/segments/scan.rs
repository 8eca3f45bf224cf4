//! Finding the records of a segment by what is on the disk alone.

use protocol::transfer_id::TransferKey;

use super::record::{BLOCK, Head, Salt, content_of};
use crate::spool::seal::SpoolKey;

/// A record that is wholly there and is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: TransferKey,
    pub(super) attempt: u32,
    /// Where it begins.
    pub(super) offset: u64,
    /// Bytes of content.
    pub(super) length: u64,
}

/// What a segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) salt: Salt,
    pub(super) found: Vec<Found>,
}

/// Looks through a whole segment; `None` if it does not begin like one. What is torn or damaged is stepped over: a stop tears
/// only what nobody was told of, and what was durable behind a damaged record is still there.
pub(super) fn scan(segment: &[u8], spool: Option<&SpoolKey>) -> Option<Scanned> {
    let salt = Salt::parse(segment)?;
    let mut found = Vec::new();
    let mut offset = BLOCK;
    while let Some(rest) = segment.get(offset..).filter(|rest| !rest.is_empty()) {
        offset += match Head::parse(rest, salt) {
            Some(head) if content_of(&head, rest, spool).is_some() => {
                let bytes = head.record_bytes() as usize;
                let Head { key, attempt, length, .. } = head;
                found.push(Found { key, attempt, offset: offset as u64, length });
                bytes
            }
            _ => BLOCK,
        };
    }
    Some(Scanned { salt, found })
}
