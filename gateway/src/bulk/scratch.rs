//! The buffers that content passes through: two for each core, and none for a connection. They are borrowed within one poll
//! and never over an await, so whoever waits holds none of them.

use std::cell::RefCell;

use super::head::HEAD_USUAL;

/// Bytes that are read from a socket at once at the most: each time either side is woken anew, which on a virtual machine
/// costs more than what falls out of the cache.
pub const READ_AT_ONCE_MAX: usize = 1024 * 1024;

/// The same while a core has many requests: together with what is decrypted of them no more than its cache holds, and a
/// backend that does not take them makes each connection keep no more.
const READ_AT_ONCE_OF_MANY: usize = 256 * 1024;

/// Requests of a core from which on they are many.
const MANY: usize = 4;

/// Bytes that a core with so many requests reads at once for one of them.
pub fn read_at_once(requests: usize) -> usize {
    if requests < MANY { READ_AT_ONCE_MAX } else { READ_AT_ONCE_OF_MANY }
}

/// Bytes that a spare buffer has room for at the most: a head as it usually is, with a small content behind it.
const SPARE_MAX: usize = 8 * 1024;

/// Spare buffers that a core keeps: as many as requests are usually being handed on at a time.
const SPARES_MAX: usize = 32;

thread_local! {
    /// For heads, and for what little comes beside them.
    static SPARE: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    /// What was read from a socket.
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AT_ONCE_MAX].into());
    /// What was decrypted of it.
    static PLAIN: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ_AT_ONCE_MAX));
}

/// Works with the buffer that sockets are read into. Not to be called within itself.
pub fn with_input<R>(work: impl FnOnce(&mut [u8]) -> R) -> R {
    INPUT.with_borrow_mut(|input| work(input))
}

/// Works with the buffer for plain bytes, which is empty then. Not to be called within itself.
pub fn with_plain<R>(work: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    PLAIN.with_borrow_mut(|plain| {
        plain.clear();
        work(plain)
    })
}

/// An empty buffer with room for a head, or for more. Whoever needs it no more had best give it back.
pub fn spare(room: usize) -> Vec<u8> {
    let mut spare = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
    spare.reserve(room.max(HEAD_USUAL));
    spare
}

/// Takes a buffer back, unless it is large or there are enough.
pub fn give_back(mut buffer: Vec<u8>) {
    if (HEAD_USUAL..=SPARE_MAX).contains(&buffer.capacity()) {
        buffer.clear();
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARES_MAX {
                spare.push(buffer);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_keeps_some_spare_buffers_none_of_them_large_and_nothing_that_was_in_one() {
        give_back(vec![b'x'; SPARE_MAX + 1]);
        assert_eq!(SPARE.with_borrow(Vec::len), 0);
        for _ in 0..=SPARES_MAX {
            give_back(vec![b'x'; HEAD_USUAL]);
        }
        assert_eq!(SPARE.with_borrow(Vec::len), SPARES_MAX);
        let spare = spare(HEAD_USUAL);
        assert!(spare.is_empty() && spare.capacity() >= HEAD_USUAL);
    }
}
