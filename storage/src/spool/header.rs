//! The beginning of each content's file: how the rest is written, by which attempt, and the content's own key, sealed.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use super::{
    layout::{HEADER_BYTES, Layout},
    seal::{Wrapped, from_hex, hex},
};

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The attempt that writes, or wrote, the content.
    pub(super) attempt: u32,
    /// Where everything stands.
    pub(super) layout: Layout,
    /// The key of sealed content; none: the content lies there as it came.
    pub(super) key: Option<Wrapped>,
}

impl Header {
    const FIRST_LINE: &str = "sekisho content, format 2\n";

    /// The whole header.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let key = self.key.map_or_else(|| "none".to_owned(), |key| hex(&key.0));
        let (attempt, length) = (self.attempt, self.layout.length());
        let mut text = format!("{}attempt {attempt:010}\nlength {length:020}\nkey {key}\n", Self::FIRST_LINE)
            .into_bytes();
        text.resize(HEADER_BYTES as usize, 0);
        text
    }

    /// Reads the header from the beginning of a file; `None` if there is none that this program writes.
    pub(super) fn read(file: &File) -> io::Result<Option<Self>> {
        let mut block = [0; HEADER_BYTES as usize];
        match file.read_exact_at(&mut block, 0) {
            Ok(()) => Ok(Self::parse(&block)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(block: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(block).ok()?.trim_end_matches('\0');
        let mut lines = text.strip_prefix(Self::FIRST_LINE)?.lines();
        let attempt = lines.next()?.strip_prefix("attempt ")?.parse().ok()?;
        let layout = Layout::of(lines.next()?.strip_prefix("length ")?.parse().ok()?)?;
        let key = match lines.next()?.strip_prefix("key ")? {
            "none" => None,
            digits => Some(Wrapped(from_hex(digits)?)),
        };
        let header = Header { attempt, layout, key };
        // One spelling only, padding included.
        (header.to_bytes() == block).then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::seal::WRAPPED_BYTES;

    #[test]
    fn a_header_reads_back_and_no_other_spelling_does() {
        for key in [None, Some(Wrapped([0xa7; WRAPPED_BYTES]))] {
            let header = Header { attempt: u32::MAX, layout: Layout::of(12_345).unwrap(), key };
            let block = header.to_bytes();
            assert_eq!(block.len(), HEADER_BYTES as usize);
            assert_eq!(Header::parse(&block), Some(header));
            for at in 0..block.len() {
                let mut altered = block.clone();
                altered[at] ^= 0x80;
                assert_eq!(Header::parse(&altered), None, "byte {at} may be altered");
            }
            assert_eq!(Header::parse(&block[..block.len() - 1]), None);
        }
    }
}
