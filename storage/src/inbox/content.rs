//! The content's file: filled piece by piece, with what the receipt says and nothing else.

use std::io::{self, Read as _};

use durable::PastCache;
use protocol::digest::Hasher;

use crate::buffers::Buffers;

use super::{HandOver, InboxFault};

/// Bytes copied at a time: a piece, which a buffer of the common stock holds.
pub(super) const COPY_BYTES: usize = protocol::limits::PIECE_BYTES as usize;

/// Does content of so many bytes go past the system's cache? With one piece and more that is cheaper, and its reader may come
/// much later; of less many are written before a sync, which then writes them all at once.
pub(super) fn goes_past_cache(length: u64) -> bool {
    length >= COPY_BYTES as u64
}

/// Fills the file.
pub(super) fn copy(
    file: &mut PastCache,
    handover: &mut HandOver<'_>,
    buffers: &Buffers,
) -> Result<(), InboxFault> {
    let HandOver { key, content, expected, .. } = handover;
    let damaged = || InboxFault::ContentDamaged(key.clone());
    let (mut hasher, mut at) = (Hasher::new(), 0);
    let mut buffer = buffers.take(next_bytes(expected.length));
    while at < expected.length {
        let piece = buffer.get_mut(..next_bytes(expected.length - at)).unwrap_or_default();
        content.read_exact(piece).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged(),
            _ => InboxFault::Read(error),
        })?;
        hasher.update(piece);
        let written = file.write_at(piece, at);
        written.map_err(|source| InboxFault::Write { operation: "write the content", source })?;
        at += piece.len() as u64;
    }
    let more = io::copy(&mut content.take(1), &mut io::sink()).map_err(InboxFault::Read)?;
    if more > 0 || hasher.finish() != expected.sha256 { Err(damaged()) } else { Ok(()) }
}

/// Bytes of the next piece, with so many to come.
fn next_bytes(left: u64) -> usize {
    usize::try_from(left).unwrap_or(COPY_BYTES).min(COPY_BYTES)
}
