//! What both ends of a transfer must agree on.
//!
//! Pure: no I/O, no clock, no randomness, no TLS and no HTTP. Whoever calls it brings the time and the random bytes,
//! and does what the returned values say.

pub mod cause;
pub mod checkpoint;
pub mod claims;
pub mod day;
pub mod digest;
pub mod entry;
pub mod identity_rule;
pub mod jws;
pub mod kind;
pub mod limits;
pub mod link;
pub mod merkle;
pub mod moment;
pub mod one_line;
pub mod party;
pub mod permission;
pub mod problem;
pub mod receiver;
pub mod sender;
pub mod statement;
pub mod transfer_id;
pub mod wire;
