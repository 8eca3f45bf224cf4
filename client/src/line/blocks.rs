//! The file that is sent, read block by block into buffers that are few and filled again and again. Blocks.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::mpsc as threads,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::content::{ContentFault, Piece};
use crate::{
    limits::{BLOCK_BYTES, BLOCKS_AHEAD},
    source,
};

/// A buffer with a part of the file. It goes back to the thread that filled it when the line is done with it.
struct Block {
    bytes: Vec<u8>,
    home: threads::Sender<Vec<u8>>,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Whoever filled it may have ended.
        let _ = self.home.send(std::mem::take(&mut self.bytes));
    }
}

/// The buffers of one file: as many as lie ahead of the line, the one being sent and the one being filled.
struct Buffers {
    made: usize,
    home: threads::Sender<Vec<u8>>,
    back: threads::Receiver<Vec<u8>>,
}

impl Buffers {
    fn new() -> Self {
        let (home, back) = threads::channel();
        Buffers { made: 0, home, back }
    }

    /// One with room for so many bytes, a block at most. Waits until one is back; all of them come back, with the request at
    /// the latest.
    fn take(&mut self, length: usize) -> Block {
        let home = self.home.clone();
        let mut bytes = match self.back.try_recv() {
            Ok(bytes) => bytes,
            Err(_) if self.made < BLOCKS_AHEAD + 2 => {
                self.made += 1;
                Vec::new()
            }
            Err(_) => self.back.recv().unwrap_or_default(),
        };
        bytes.resize(length, 0);
        Block { bytes, home }
    }
}

/// Reads the piece to its end. The file is looked at before the first block and with every block.
pub(super) fn read_blocks(piece: &Piece, blocks: &mpsc::Sender<Bytes>) -> Result<(), ContentFault> {
    // Whatever it is that stands there now, it is not the file that was examined.
    let mut file = source::open(&piece.path).map_err(|_| ContentFault::Changed)?;
    let unchanged = |file: &File| {
        let same = source::is_unchanged(file, &piece.path, &piece.fingerprint);
        if same { Ok(()) } else { Err(ContentFault::Changed) }
    };
    unchanged(&file)?;
    file.seek(SeekFrom::Start(piece.offset)).map_err(ContentFault::Unreadable)?;
    let mut left = piece.fingerprint.size.saturating_sub(piece.offset);
    let mut buffers = Buffers::new();
    let at_once = piece.pace.as_ref().map_or(BLOCK_BYTES, |pace| pace.sip());
    while left > 0 {
        let length = usize::try_from(left).unwrap_or(at_once).min(at_once);
        let mut block = buffers.take(length);
        match file.read_exact(&mut block.bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ContentFault::Changed),
            read => read.map_err(ContentFault::Unreadable)?,
        }
        unchanged(&file)?;
        left -= length as u64;
        if blocks.blocking_send(Bytes::from_owner(block)).is_err() {
            // The request is gone; why is known there.
            return Ok(());
        }
    }
    Ok(())
}
