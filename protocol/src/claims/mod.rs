//! The claims check: is a claims file (レセプト) whole, and whose is it?
//!
//! A gateway must never hand on half a claims file. Truncation shows without decoding a single character, because the
//! 記録条件仕様 gives every online claims file one beginning and one end, and because the second byte of a Shift_JIS
//! character is never below `40`: searching raw bytes for `,`, CR, LF and `1A` finds no false ones.
//!
//! A complete file, by the rules this module refuses on ([`Fault`]):
//! - begins with a UK, IR, YK or HM record that names payer, institution and claim month;
//! - ends with CR LF and one end mark `1A`, which stands nowhere else;
//! - has as its last record, and only there, the GO record with readable totals and the volume mark `99`;
//! - has no record longer than [`RECORD_LENGTH_MAX`].
//!
//! Everything else that looks odd is a [`Warning`]: the reviewing agency judges content, the gateway carries it.
//! Record ids are open, since each 診療報酬改定 may bring new ones.

mod check;
pub mod check_digit;
mod fault;
mod head;
mod search;
mod summary;
mod total;

pub use check::ClaimsCheck;
pub use fault::{Fault, HeadField, Warning};
pub use head::{Head, HeadRecord};
pub use search::RECORD_LENGTH_MAX;
pub use summary::{ClaimsFacts, Mismatch, Summary};

#[cfg(test)]
mod tests;
