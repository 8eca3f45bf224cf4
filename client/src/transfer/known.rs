//! What the centre's words mean for a transfer. Pure.

use std::time::Duration;

use protocol::{
    cause::Cause,
    problem::Problem,
    wire::{ReceiptAnswer, State},
};

use crate::line::Break;

/// Where the centre stands with a transfer.
#[derive(Debug)]
pub(crate) enum Known {
    /// It holds this much and waits for the rest.
    Wanted {
        offset: u64,
        /// Why the last attempt ended, as the centre saw it.
        cause: Option<Cause>,
        /// The centre has not noticed yet that the last attempt is over, and will hold more when it has.
        receiving: bool,
    },
    /// It has everything and is checking.
    Checking(Option<Duration>),
    /// It gave a receipt, yet to be verified.
    Receipt(Box<ReceiptAnswer>),
    /// It gave a refusal, yet to be verified.
    Refusal(String),
}

impl Known {
    /// Reads the centre's answer. Words that contradict each other are no answer.
    pub fn of(state: State, length: u64) -> Result<Self, Break> {
        const MISSING: Break = Break::BadAnswer("the phase it names lacks its statement");
        match (state.phase.as_str(), state.receipt, state.refusal) {
            ("committed", Some(receipt), None) => Ok(Known::Receipt(Box::new(receipt))),
            ("refused", None, Some(refusal)) => Ok(Known::Refusal(refusal)),
            ("committed" | "refused", _, _) | (_, Some(_), _) | (_, _, Some(_)) => Err(MISSING),
            ("offered" | "receiving" | "aborted", None, None) if state.offset <= length => {
                let receiving = state.phase == "receiving";
                Ok(Known::Wanted { offset: state.offset, cause: state.cause, receiving })
            }
            ("offered" | "receiving" | "aborted", None, None) => {
                Err(Break::BadAnswer("it holds more bytes than the file has"))
            }
            ("checking", None, None) => Ok(Known::Checking(None)),
            _ => Err(Break::BadAnswer("it names an unknown phase")),
        }
    }
}

/// Why an attempt ended that the centre turned down while or after content came.
pub(crate) fn cause_of(problem: Problem) -> Cause {
    match problem {
        Problem::Stalled => Cause::Stalled,
        Problem::TooSlow => Cause::TooSlow,
        Problem::DigestMismatch => Cause::DigestMismatch,
        Problem::LengthMismatch => Cause::LengthMismatch,
        Problem::Superseded | Problem::WrongOffset | Problem::AlreadyFinal | Problem::NotFound => {
            Cause::Superseded
        }
        Problem::Cancelled => Cause::Cancelled,
        Problem::NotPermitted | Problem::Revoked => Cause::Revoked,
        Problem::Draining => Cause::Draining,
        Problem::StorageStalled => Cause::StorageStalled,
        Problem::StorageFailed | Problem::StorageFull => Cause::StorageFailed,
        _ => Cause::PeerClosed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(phase: &str) -> State {
        State {
            phase: phase.to_owned(),
            offset: 4,
            attempts: 1,
            cause: None,
            since: "2026-11-10T00:00:00.000Z".parse().unwrap(),
            delivered_at: None,
            acknowledged_at: None,
            receipt: None,
            refusal: None,
        }
    }

    #[test]
    fn content_is_wanted_only_where_the_centre_can_take_it() {
        for phase in ["offered", "receiving", "aborted"] {
            assert!(matches!(Known::of(state(phase), 4), Ok(Known::Wanted { offset: 4, .. })), "{phase}");
            assert!(matches!(Known::of(state(phase), 3), Err(Break::BadAnswer(_))), "{phase} beyond the end");
        }
    }

    #[test]
    fn an_end_without_its_statement_is_no_end() {
        for phase in ["committed", "refused", "cancelled", "expired", "delivered", ""] {
            assert!(matches!(Known::of(state(phase), 4), Err(Break::BadAnswer(_))), "{phase}");
        }
        let refusal = Some("x".to_owned());
        for phase in ["committed", "offered", "checking", "cancelled", "expired"] {
            let state = State { refusal: refusal.clone(), ..state(phase) };
            assert!(matches!(Known::of(state, 4), Err(Break::BadAnswer(_))), "{phase} with a refusal");
        }
    }
}
