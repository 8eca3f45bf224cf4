//! Steps for the ledger, from their parts.

use protocol::{entry::Entry, moment::Moment, receiver::Input};
use storage::transfer::Step;

/// A step that leaves no entry in the log.
pub fn unlogged(input: Input, at: Moment) -> Step {
    Step { input, at, receipt: None, refusal: None, entry: None }
}

/// A step at its entry's time.
pub fn logged(input: Input, entry: Entry) -> Step {
    Step { input, at: entry.time, receipt: None, refusal: None, entry: Some(entry) }
}

/// A step that commits this receipt.
pub fn with_receipt(step: Step, receipt: String) -> Step {
    Step { receipt: Some(receipt), ..step }
}

/// A step that ends in this refusal.
pub fn with_refusal(step: Step, refusal: String) -> Step {
    Step { refusal: Some(refusal), ..step }
}
