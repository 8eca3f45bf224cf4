//! Buffers for pieces of content, aligned for the disk and used again: a transfer allocates none of its own.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use protocol::limits::PIECE_BYTES;

/// What memory must be aligned to for a disk to take it as it is: the block of every disk in use.
pub const ALIGNED_TO: usize = 4096;

/// Bytes of a buffer that is used again.
const WHOLE: usize = PIECE_BYTES as usize;

/// Whole buffers that nobody uses and that are kept, each a MiB: some more than threads write at a time. Those beyond are
/// given back to the system.
const KEPT_MAX: usize = 16;

/// A stock of buffers. Clones share it.
#[derive(Clone, Default)]
pub struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that goes back to its stock when it is dropped.
pub struct Buffer {
    /// With room to begin on an aligned address.
    memory: Vec<u8>,
    begin: usize,
    length: usize,
    stock: Buffers,
}

impl Buffers {
    /// A buffer of this many bytes, of any content. No more than a piece; a shorter one is as long as it must be, and not
    /// kept.
    pub fn take(&self, length: usize) -> Buffer {
        let length = length.min(WHOLE);
        let kept = if length == WHOLE { self.kept().pop() } else { None };
        let memory = kept.unwrap_or_else(|| vec![0; length + ALIGNED_TO]);
        // Never beyond the room for it: at the worst the memory is not aligned, and a disk refuses it.
        let begin = memory.as_ptr().align_offset(ALIGNED_TO).min(ALIGNED_TO);
        Buffer { memory, begin, length, stock: self.clone() }
    }

    /// Gives back to the system what nobody uses.
    pub fn release(&self) {
        drop(mem::take(&mut *self.kept()));
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.length == WHOLE {
            let mut kept = self.stock.kept();
            if kept.len() < KEPT_MAX {
                kept.push(mem::take(&mut self.memory));
            }
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.memory.get(self.begin..self.begin + self.length).unwrap_or_default()
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.begin..self.begin + self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned_and_as_long_as_was_asked() {
        let stock = Buffers::default();
        for length in [1, 16 * 1024, WHOLE - 1, WHOLE] {
            let buffer = stock.take(length);
            assert_eq!(buffer.len(), length);
            assert_eq!(buffer.as_ptr().align_offset(ALIGNED_TO), 0);
        }
    }

    #[test]
    fn a_whole_buffer_is_used_again_and_no_more_are_kept_than_may_be() {
        let stock = Buffers::default();
        let mut first = stock.take(WHOLE);
        first[0] = 7;
        let address = first.as_ptr();
        drop(first);
        let again = stock.take(WHOLE);
        assert_eq!(again.as_ptr(), address);
        drop((0..2 * KEPT_MAX).map(|_| stock.take(WHOLE)).collect::<Vec<_>>());
        assert_eq!(stock.kept().len(), KEPT_MAX);
        drop((again, stock.take(1)));
        assert_eq!(stock.kept().len(), KEPT_MAX);
        stock.release();
        assert_eq!(stock.kept().len(), 0);
    }
}
