//! The buffers that content passes through: two for each core, and none for a connection. They are borrowed within one poll
//! and never over an await, so whoever waits holds none of them.

use std::cell::RefCell;

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

thread_local! {
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
