//! The buffers that content passes through: two for each core, and none for a connection. They are borrowed within one poll
//! and never over an await, so whoever waits holds none of them.

use std::cell::RefCell;

/// Bytes that are read from a socket at once: sixteen records of TLS, and together with what is decrypted of them no more
/// than the cache of a core holds.
pub const READ_AT_ONCE: usize = 256 * 1024;

thread_local! {
    /// What was read from a socket.
    static INPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_AT_ONCE].into());
    /// What was decrypted of it.
    static PLAIN: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(READ_AT_ONCE));
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
