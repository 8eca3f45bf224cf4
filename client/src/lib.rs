//! Sending claims files to a review agency's gateway.
//!
//! [`Client`] makes a transfer durable before its first byte leaves, drives it to its receipt, and keeps the evidence.
//! [`verify_bundle`] judges that evidence years later, with no network and nothing of this machine.
//!
//! What is pure stands apart from what touches disk or line: [`evidence`] and [`centre_log`] judge what a centre says,
//! [`store`] is the state directory, `line` the connection, `transfer` drives one transfer over both.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "fixtures"))]

mod again;
pub mod bundle;
pub mod centre_log;
mod client;
mod clock_check;
pub mod command;
mod desk;
pub mod error;
pub mod evidence;
pub mod filing;
pub mod limits;
mod line;
mod lists;
mod manifest;
mod pace;
pub mod progress;
mod retry;
pub mod source;
mod stamp;
pub mod store;
pub mod times;
mod together;
mod transfer;
mod view;

pub use again::Mark;
pub use bundle::{Believed, Place, Verified, VerifyFault, verify_bundle};
pub use client::Client;
pub use error::{Blame, LastTry, OpenError, SendError};
pub use filing::Filing;
pub use line::LineFault;
pub use lists::{ListFault, ListNotFetched};
pub use progress::{Progress, ProgressEvent, Unwatched};
pub use store::Attempt;
pub use together::Order;
pub use view::{Sent, TransferStatus, read_transfers};

#[cfg(test)]
mod testing;
