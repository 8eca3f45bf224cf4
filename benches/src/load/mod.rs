//! Load that costs its maker little: what can be made before the clock runs (content, hashes, signatures) is made then,
//! and the rest is written by hand onto lines of mutual TLS.

pub mod content;
pub mod job;
pub mod line;
pub mod tls;
