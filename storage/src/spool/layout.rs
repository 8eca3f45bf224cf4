//! Where everything of one content stands in its file: the header, a table of tags with a row for each piece, and the
//! content in pieces.
//!
//! The table begins in the header's own block, which holds the rows of small content; content begins on a block border,
//! so that every piece is aligned. Content without a seal has the same places and leaves the table empty.

use protocol::limits::PIECE_BYTES;

use super::seal::{Place, TAG_BYTES};

/// What a disk reads and writes at least; every piece begins on a multiple of it.
pub(super) const BLOCK: u64 = 4096;

/// Bytes of the header at the beginning, no more than a disk writes as a whole.
pub(super) const HEADER_BYTES: u64 = 512;

/// Bytes of one row: the tag, the attempt that sealed the piece, and room.
pub(super) const ROW_BYTES: u64 = 32;

/// The longest content of which all places can be counted.
const LENGTH_MAX: u64 = u64::MAX / 4;

/// The places of a content of this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    length: u64,
}

impl Layout {
    /// Nothing, if it is longer than any disk.
    pub(super) fn of(length: u64) -> Option<Self> {
        (length <= LENGTH_MAX).then_some(Layout { length })
    }

    /// Bytes of the whole content.
    pub(super) fn length(self) -> u64 {
        self.length
    }

    fn pieces(self) -> u64 {
        self.length.div_ceil(PIECE_BYTES)
    }

    /// Where the content begins.
    pub(super) fn head(self) -> u64 {
        (HEADER_BYTES + self.pieces() * ROW_BYTES).next_multiple_of(BLOCK)
    }

    /// Where the byte of content with this number stands.
    pub(super) fn at(self, offset: u64) -> u64 {
        self.head() + offset
    }

    /// Where the row of a piece stands.
    pub(super) fn row_at(self, piece: u64) -> u64 {
        HEADER_BYTES + piece * ROW_BYTES
    }

    /// Bytes of a piece.
    pub(super) fn piece_bytes(self, piece: u64) -> u64 {
        self.length.saturating_sub(piece * PIECE_BYTES).min(PIECE_BYTES)
    }

    /// Is there no piece after it?
    pub(super) fn is_last(self, piece: u64) -> bool {
        piece + 1 == self.pieces()
    }

    /// Does content begin or end here, or one of its pieces?
    pub(super) fn is_border(self, offset: u64) -> bool {
        offset == self.length || offset.is_multiple_of(PIECE_BYTES) && offset < self.length
    }

    /// The number of the piece that begins here.
    pub(super) fn piece_of(offset: u64) -> u64 {
        offset / PIECE_BYTES
    }
}

/// A row of the table of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagRow {
    /// The attempt that sealed the piece.
    pub(super) attempt: u32,
    /// What proves it.
    pub(super) tag: [u8; TAG_BYTES],
}

impl TagRow {
    pub(super) fn to_bytes(self) -> [u8; ROW_BYTES as usize] {
        let mut row = [0; ROW_BYTES as usize];
        let (tag, rest) = row.split_at_mut(TAG_BYTES);
        tag.copy_from_slice(&self.tag);
        for (byte, of_attempt) in rest.iter_mut().zip(self.attempt.to_be_bytes()) {
            *byte = of_attempt;
        }
        row
    }

    pub(super) fn from_bytes(row: &[u8; ROW_BYTES as usize]) -> Self {
        let [tag @ .., a, b, c, d, _, _, _, _, _, _, _, _, _, _, _, _] = *row;
        TagRow { attempt: u32::from_be_bytes([a, b, c, d]), tag }
    }

    /// The place that it proves.
    pub(super) fn place(self, layout: Layout, piece: u64) -> Place {
        Place { piece, attempt: self.attempt, is_last: layout.is_last(piece) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_own_bytes_and_pieces_begin_on_blocks() {
        for length in [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 113 * PIECE_BYTES, LENGTH_MAX] {
            let layout = Layout::of(length).unwrap();
            assert!(layout.head().is_multiple_of(BLOCK));
            assert!(layout.row_at(layout.pieces()) <= layout.head(), "rows end before the content: {length}");
            assert!(layout.at(length) >= length);
            if let Some(last) = layout.pieces().checked_sub(1) {
                assert!(layout.is_last(last) && !layout.is_last(last + 1));
                assert_eq!(last * PIECE_BYTES + layout.piece_bytes(last), length);
            }
        }
        assert_eq!(Layout::of(112 * PIECE_BYTES).unwrap().head(), BLOCK, "small content needs one block");
        assert_eq!(Layout::of(LENGTH_MAX + 1), None);
    }

    #[test]
    fn borders_are_where_pieces_begin_and_where_the_content_ends() {
        let layout = Layout::of(2 * PIECE_BYTES + 5).unwrap();
        for border in [0, PIECE_BYTES, 2 * PIECE_BYTES, 2 * PIECE_BYTES + 5] {
            assert!(layout.is_border(border), "{border}");
        }
        for other in [1, PIECE_BYTES + 1, 2 * PIECE_BYTES + 4, 3 * PIECE_BYTES] {
            assert!(!layout.is_border(other), "{other}");
        }
    }

    #[test]
    fn a_row_reads_back() {
        let row = TagRow { attempt: 0x0102_0304, tag: std::array::from_fn(|at| at as u8 + 1) };
        assert_eq!(TagRow::from_bytes(&row.to_bytes()), row);
    }
}
