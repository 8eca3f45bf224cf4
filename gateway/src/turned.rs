//! A request that is turned down: with which problem, and what goes with it.

use std::time::Duration;

use protocol::problem::Problem;
use storage::{ledger::LedgerFault, transfer::Transfer};

/// Why a handler did not do what was asked. One place maps it to an answer: [`crate::answer::problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// The stable code.
    pub problem: Problem,
    /// Where content must go on, for [`Problem::WrongOffset`].
    pub offset: Option<u64>,
    /// The head of the sender's log that a proof must begin with, for [`Problem::LogProofNeeded`].
    pub log_size: Option<u64>,
    /// Seconds after which it makes sense to try again, if that is known.
    pub retry_after_seconds: Option<u64>,
    /// The signed refusal, if the no is final.
    pub refusal: Option<String>,
    /// A detail for the log; never sent.
    pub detail: Option<String>,
}

impl From<Problem> for Turned {
    fn from(problem: Problem) -> Self {
        Turned {
            problem,
            offset: None,
            log_size: None,
            retry_after_seconds: None,
            refusal: None,
            detail: None,
        }
    }
}

impl Turned {
    /// A problem with a detail that only the log may hold.
    pub fn because(problem: Problem, detail: impl ToString) -> Self {
        Turned { detail: Some(detail.to_string()), ..Turned::from(problem) }
    }

    /// Content must go on at `expected`.
    pub fn wrong_offset(expected: u64) -> Self {
        Turned { offset: Some(expected), ..Turned::from(Problem::WrongOffset) }
    }

    /// The sender may come back when its day is over, in so many milliseconds.
    pub fn over_quota(ms_left: i64) -> Self {
        let seconds = u64::try_from(ms_left).unwrap_or_default().div_ceil(1000);
        Turned { retry_after_seconds: Some(seconds), ..Turned::from(Problem::OverQuota) }
    }

    /// The sender may begin attempts again in so many seconds.
    pub fn too_many_attempts(seconds: u64) -> Self {
        Turned { retry_after_seconds: Some(seconds), ..Turned::from(Problem::TooManyAttempts) }
    }

    /// The identity may ask again in this time.
    pub fn too_many_requests(again_in: Duration) -> Self {
        let seconds = again_in.as_secs() + u64::from(again_in.subsec_nanos() > 0);
        Turned { retry_after_seconds: Some(seconds), ..Turned::from(Problem::TooManyRequests) }
    }

    /// The final no that stands on this transfer's record.
    pub fn refused(transfer: &Transfer, reason: Problem) -> Self {
        Turned { refusal: transfer.refusal.clone(), ..Turned::from(reason) }
    }
}

impl From<LedgerFault> for Turned {
    fn from(fault: LedgerFault) -> Self {
        Turned::because(Problem::StorageFailed, fault)
    }
}
