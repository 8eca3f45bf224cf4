//! What the end-to-end tests stand on: a lab of their own each, the real programs as processes, and a sender that can
//! do everything wrong.
//!
//! Each file of `tests/tests/` has one theme and its tests state one claim each. They use port 0 and a directory of
//! their own, and wait for conditions: a line in a log, an entry, an end of a connection, never for time to pass.
//! Programs are taken from where the tests lie; `cargo test -p tests` builds only the tests, so build the workspace
//! first, as `cargo verify` does.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this is a test's own code: whatever fails here is a failed test, and says where"
)]

pub mod at_once;
pub mod backend;
pub mod centre;
pub mod expected;
pub mod files;
pub mod forger;
pub mod hello;
pub mod lab;
pub mod lenient;
pub mod older;
pub mod papers;
pub mod patience;
pub mod publisher;
pub mod sender;
pub mod setting;
pub mod shared_line;
pub mod shim;
pub mod strangers;
pub mod tools;
pub mod towns;
pub mod upkeep;
pub mod wire;
