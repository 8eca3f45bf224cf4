//! Content between the line and the sink: buffers of a piece each, a few for each transfer, used again by the next.

use std::sync::Arc;

use protocol::limits::PIECE_BYTES;
use storage::buffers::{Buffer, Buffers};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pieces of one transfer in memory: one being filled, one being written and hashed, one between. With the spool's room for
/// the sealed one that is 4 MiB at most; a transfer whose line is slower than the disk has the first alone.
pub const PIECES: usize = 3;

/// The pieces of one transfer.
pub struct Pieces {
    buffers: Buffers,
    places: Arc<Semaphore>,
    /// Bytes of content that are to come.
    left: u64,
}

/// A buffer and how much of it counts.
pub struct Piece {
    buffer: Buffer,
    length: usize,
    _place: OwnedSemaphorePermit,
}

impl Pieces {
    /// For so many bytes of content.
    pub fn new(buffers: Buffers, left: u64) -> Self {
        Pieces { buffers, places: Arc::new(Semaphore::new(PIECES)), left }
    }

    /// An empty piece for what comes next: a whole one, or as much as is left. Waits for one that was written. Dropping the
    /// future loses nothing.
    pub async fn next(&mut self) -> Option<Piece> {
        // Never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
        // At the end there must be room to see that nothing more comes.
        let length = self.left.clamp(1, PIECE_BYTES) as usize;
        self.left = self.left.saturating_sub(length as u64);
        Some(Piece { buffer: self.buffers.take(length), length: 0, _place: place })
    }
}

impl Piece {
    /// The bytes that count.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The room that is left.
    pub fn room(&mut self) -> &mut [u8] {
        self.buffer.get_mut(self.length..).unwrap_or_default()
    }

    /// So many bytes of the room count now.
    pub fn filled(&mut self, count: usize) {
        self.length = self.length.saturating_add(count).min(self.buffer.len());
    }
}
