//! The reading end: piece by piece, and of sealed content nothing that is not what was sealed in its place.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
};

use protocol::{limits::PIECE_BYTES, transfer_id::TransferKey};

use super::{
    SpoolFault,
    file::TOO_SHORT,
    layout::{Layout, ROW_BYTES, TagRow},
    seal::ContentKey,
};

/// Why a piece that cannot be read is not just an error of the disk.
const NOT_GENUINE: &str = "a piece of it is not what was sealed there";

/// Reads one content from the beginning.
pub(super) struct FileReader {
    key: TransferKey,
    file: File,
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
    /// Room for a sealed piece.
    sealed: Vec<u8>,
}

impl FileReader {
    pub(super) fn new(
        key: TransferKey,
        file: File,
        layout: Layout,
        seal: Option<ContentKey>,
        upto: u64,
    ) -> Self {
        let (piece, sealed) = (Vec::new(), Vec::new());
        FileReader { key, file, layout, seal, upto, next: 0, piece, taken: 0, sealed }
    }

    /// Brings a whole piece.
    fn fetch(&mut self, number: u64, piece: &mut [u8]) -> io::Result<()> {
        let at = self.layout.at(number * PIECE_BYTES);
        let Some(seal) = &self.seal else { return self.read_at(piece, at) };
        let mut row = [0; ROW_BYTES as usize];
        self.read_at(&mut row, self.layout.row_at(number))?;
        let mut sealed = std::mem::take(&mut self.sealed);
        sealed.resize(piece.len(), 0);
        self.read_at(&mut sealed, at)?;
        let row = TagRow::from_bytes(&row);
        let opened = seal.open_piece(row.place(self.layout, number), &sealed, &row.tag, piece);
        self.sealed = sealed;
        opened.map_err(|_| self.damaged(NOT_GENUINE))
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(TOO_SHORT),
            _ => error,
        })
    }

    fn damaged(&self, how: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, SpoolFault::Damaged(self.key.clone(), how))
    }
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
