//! The first block of each content's file: how the rest is written, and by which attempt.
//!
//! One content's format may differ from the next one's; there is one so far, the plain bytes. The block is as long as
//! a page, so that what follows stays aligned.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The attempt that writes, or wrote, the content.
    pub(super) attempt: u32,
}

impl Header {
    /// Bytes before the content.
    pub(super) const BYTES: u64 = 4096;

    const FIRST_LINE: &str = "sekisho content, format 1 (plain)\n";

    /// The whole block.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut block = format!("{}attempt {:010}\n", Self::FIRST_LINE, self.attempt).into_bytes();
        block.resize(Self::BYTES as usize, 0);
        block
    }

    /// Reads the header from the beginning of a file; `None` if there is none that this program writes.
    pub(super) fn read(file: &mut File) -> io::Result<Option<Self>> {
        let mut block = Vec::with_capacity(Self::BYTES as usize);
        file.seek(SeekFrom::Start(0))?;
        file.take(Self::BYTES).read_to_end(&mut block)?;
        Ok(Self::parse(&block))
    }

    fn parse(block: &[u8]) -> Option<Self> {
        let line = block.strip_prefix(Self::FIRST_LINE.as_bytes())?.strip_prefix(b"attempt ")?;
        let number = std::str::from_utf8(line.get(..10)?).ok()?;
        let header = Header { attempt: number.parse().ok()? };
        // One spelling only, padding included.
        (header.to_bytes() == block).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_no_other_block_does() {
        let block = Header { attempt: u32::MAX }.to_bytes();
        assert_eq!(Header::parse(&block), Some(Header { attempt: u32::MAX }));
        for at in 0..block.len() {
            let mut altered = block.clone();
            altered[at] ^= 0x10;
            assert_eq!(Header::parse(&altered), None, "byte {at} may be altered");
        }
        assert_eq!(Header::parse(&block[..block.len() - 1]), None);
    }
}
