//! The reading end: piece by piece, and of sealed content nothing that is not what was sealed in its place.

use std::{
    fs::File,
    io::{self, Read},
};

use durable::PastCache;
use protocol::{limits::PIECE_BYTES, transfer_id::TransferKey};

use crate::buffers::Buffers;

use super::{
    SpoolFault,
    file::{PAST_CACHE_FROM, TOO_SHORT},
    layout::{Layout, ROW_BYTES, TagRow},
    seal::ContentKey,
};

/// Why a piece that cannot be read is not just an error of the disk.
const NOT_GENUINE: &str = "a piece of it is not what was sealed there";

/// Reads one content from the beginning.
pub(super) struct FileReader {
    key: TransferKey,
    file: PastCache,
    layout: Layout,
    /// Absent where nothing is sealed.
    seal: Option<ContentKey>,
    /// Bytes that were wanted.
    upto: u64,
    /// Where the next piece begins.
    next: u64,
    /// A piece that nobody took whole, and how much of it was taken.
    piece: Vec<u8>,
    taken: usize,
    /// Room for sealed pieces.
    buffers: Buffers,
}

impl FileReader {
    pub(super) fn new(
        key: TransferKey,
        file: File,
        layout: Layout,
        seal: Option<ContentKey>,
        upto: u64,
        buffers: Buffers,
    ) -> Self {
        // Content is read once, and what is that large was written past the cache, so that it is not in there.
        let file = PastCache::new(file, upto >= PAST_CACHE_FROM);
        FileReader { key, file, layout, seal, upto, next: 0, piece: Vec::new(), taken: 0, buffers }
    }

    /// Brings a whole piece.
    fn fetch(&mut self, number: u64, piece: &mut [u8]) -> io::Result<()> {
        let FileReader { key, file, layout, seal, buffers, .. } = self;
        let at = layout.at(number * PIECE_BYTES);
        let mut read = |bytes: &mut [u8], at| {
            file.read_at(bytes, at).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged(key, TOO_SHORT),
                _ => error,
            })
        };
        let Some(seal) = seal else { return read(piece, at) };
        let mut row = [0; ROW_BYTES as usize];
        read(&mut row, layout.row_at(number))?;
        let mut sealed = buffers.take(piece.len());
        read(&mut sealed, at)?;
        let row = TagRow::from_bytes(&row);
        let opened = seal.open_piece(row.place(*layout, number), &sealed, &row.tag, piece);
        opened.map_err(|_| damaged(key, NOT_GENUINE))
    }
}

fn damaged(key: &TransferKey, how: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, SpoolFault::Damaged(key.clone(), how))
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.taken == self.piece.len() {
            if self.next >= self.upto {
                return Ok(0);
            }
            let number = Layout::piece_of(self.next);
            let whole = self.layout.piece_bytes(number);
            let wanted = whole.min(self.upto - self.next);
            // Straight to where it is wanted, if all of it fits there.
            if let Some(room) = buffer.get_mut(..whole as usize)
                && wanted == whole
            {
                self.fetch(number, room)?;
                self.next += whole;
                return Ok(room.len());
            }
            let mut piece = std::mem::take(&mut self.piece);
            self.taken = 0;
            piece.resize(whole as usize, 0);
            self.fetch(number, &mut piece)?;
            piece.truncate(wanted as usize);
            self.piece = piece;
            self.next += wanted;
        }
        let count = self.piece.get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}
