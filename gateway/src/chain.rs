//! An error with everything below it, for the log.

pub use protocol::one_line::in_one_line as chain;
