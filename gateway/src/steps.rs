//! Steps for the ledger, from their parts.

use protocol::{entry::Entry, moment::Moment, receiver::Input};
use storage::transfer::{Guard, Step};

/// A step that leaves no entry in the log.
pub fn unlogged(input: Input, at: Moment) -> Step {
    Step { input, at, receipt: None, refusal: None, began: None, entry: None, guard: None }
}

/// A step at its entry's time.
pub fn logged(input: Input, entry: Entry) -> Step {
    Step { input, at: entry.time, receipt: None, refusal: None, began: None, entry: Some(entry), guard: None }
}

/// A step that commits this receipt, unless the guard forbids it by then.
pub fn with_receipt(step: Step, receipt: String, guard: Guard) -> Step {
    Step { receipt: Some(receipt), guard: Some(guard), ..step }
}

/// A step that begins with this entry, and commits at once.
pub fn with_beginning(step: Step, began: Entry) -> Step {
    Step { began: Some(began), ..step }
}

/// A step that ends in this refusal.
pub fn with_refusal(step: Step, refusal: String) -> Step {
    Step { refusal: Some(refusal), ..step }
}
