//! Bytes that came beyond what was asked for.

use super::scratch::{give_back, spare};

/// So many bytes at once are worth a buffer of the core's; fewer keep no more room than they need.
const WORTH_A_SPARE: usize = 512;

/// They. What was taken of them costs no memory for long, whatever comes behind it.
#[derive(Default)]
pub struct Ahead {
    bytes: Vec<u8>,
    taken: usize,
}

impl Ahead {
    /// Those that were not taken yet.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    /// These came after them.
    pub fn put(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 && bytes.len() >= WORTH_A_SPARE {
            self.bytes = spare(bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// So many of them are taken.
    pub fn take(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.bytes.len());
        if self.taken == self.bytes.len() {
            give_back(std::mem::take(self).bytes);
        } else if self.taken >= self.bytes.len() / 2 {
            // Each byte moves at most once for one that is taken.
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_on_which_the_next_head_has_always_begun_keeps_no_more_than_that() {
        let mut ahead = Ahead::default();
        ahead.put(b"h");
        for _ in 0..10_000 {
            ahead.put(&[b'x'; 1000]);
            ahead.take(1000);
            assert_eq!(ahead.bytes().len(), 1);
        }
        assert!(ahead.bytes.capacity() < 10_000, "{}", ahead.bytes.capacity());
    }

    #[test]
    fn what_is_left_is_what_was_not_taken() {
        let mut ahead = Ahead::default();
        ahead.put(b"0123456789");
        for (count, left) in [(3, &b"3456789"[..]), (4, b"789"), (0, b"789"), (3, b""), (1, b"")] {
            ahead.take(count);
            assert_eq!(ahead.bytes(), left);
        }
    }
}
