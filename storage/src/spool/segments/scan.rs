//! Finding the records of a segment by what is on the disk alone.

use protocol::transfer_id::TransferKey;

use super::record::{BLOCK, Head, Salt, content_of};
use crate::spool::seal::SpoolKey;

/// A record whose head is what was written, with as many bytes behind it as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) key: TransferKey,
    pub(super) attempt: u32,
    /// Where it begins.
    pub(super) offset: u64,
    /// Bytes of content.
    pub(super) length: u64,
    /// The content is what was written, too. If not, it was torn before anybody was told of it, or altered since.
    pub(super) is_sound: bool,
}

/// What a segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned {
    pub(super) salt: Salt,
    pub(super) found: Vec<Found>,
}

/// Looks through a whole segment; `None` if it does not begin like one. What is torn or altered is stepped over: what was
/// durable behind it is still there.
pub(super) fn scan(segment: &[u8], spool: Option<&SpoolKey>) -> Option<Scanned> {
    let salt = Salt::parse(segment)?;
    let mut found = Vec::new();
    let mut offset = BLOCK;
    while let Some(rest) = segment.get(offset..).filter(|rest| !rest.is_empty()) {
        let whole = |head: &Head| head.length <= (rest.len() as u64).saturating_sub(BLOCK as u64);
        let Some(head) = Head::parse(rest, salt).filter(whole) else {
            offset += BLOCK;
            continue;
        };
        let is_sound = content_of(&head, rest, spool).is_some();
        let bytes = if is_sound { head.record_bytes() as usize } else { BLOCK };
        let Head { key, attempt, length, .. } = head;
        found.push(Found { key, attempt, offset: offset as u64, length, is_sound });
        offset += bytes;
    }
    Some(Scanned { salt, found })
}
