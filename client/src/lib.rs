//! Sending claims files to a review agency's gateway.
//!
//! [`Client`] makes a transfer durable before its first byte leaves, drives it to its receipt, and keeps the evidence.
//! [`verify_bundle`] judges that evidence years later, with no network and nothing of this machine.
//!
//! What is pure stands apart from what touches disk or line: [`evidence`] and [`centre_log`] judge what a centre says,
//! [`store`] is the state directory, `line` the connection, `transfer` drives one transfer over both.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures"))]

pub mod centre_log;
pub mod evidence;
pub mod filing;
pub mod limits;
pub mod source;
pub mod store;

mod line;
mod stamp;
#[cfg(test)]
mod testing;
