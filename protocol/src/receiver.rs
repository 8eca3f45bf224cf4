//! The life of a transfer as its receiver sees it.
//!
//! Pure: [`Receiver::step`] takes what happened and returns the new state with what must be done, in order. The store
//! runs it inside the transaction that makes the new state durable; an act is done only after that.
//!
//! Attempts carry numbers. Whatever an older attempt still says is refused as [`StepFault::Fenced`], so that two
//! writers can never both be believed.

use crate::{cause::Cause, limits::PIECE_BYTES, problem::Problem};

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The manifest is accepted; no content has come.
    Offered,
    /// An attempt is bringing content.
    Receiving,
    /// All bytes are in and durable; they are being checked and committed.
    Checking,
    /// Final: the receipt is durable. Delivery and acknowledgement are facts beside this.
    Committed,
    /// The last attempt ended early. Another may go on from the durable offset.
    Aborted(Cause),
    /// Final: a signed refusal is durable. It also ends what the sender called off ([`Problem::Cancelled`]) and what
    /// was not finished in time ([`Problem::Expired`]): whatever has an end has a signed one.
    Refused(Problem),
}

impl Phase {
    /// Nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Committed | Phase::Refused(_))
    }

    /// The stable name, as stored and answered.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Offered => "offered",
            Phase::Receiving => "receiving",
            Phase::Checking => "checking",
            Phase::Committed => "committed",
            Phase::Aborted(_) => "aborted",
            Phase::Refused(_) => "refused",
        }
    }
}

/// The durable state of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Where it stands.
    pub phase: Phase,
    /// Bytes the manifest declares.
    pub length: u64,
    /// Attempts so far; the last one's number.
    pub attempt: u32,
    /// Bytes of content that are durable, from the beginning without a gap.
    pub offset: u64,
    /// How often the whole content was not that of the manifest.
    pub mismatches: u8,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The sender wants to bring content from this offset on.
    Attempt {
        /// First byte it will send.
        offset: u64,
    },
    /// Content up to here is durable.
    Durable {
        /// The attempt that wrote it.
        attempt: u32,
        /// Bytes from the beginning.
        offset: u64,
    },
    /// Every byte is durable; the checks begin.
    Whole {
        /// The attempt that brought the last byte.
        attempt: u32,
    },
    /// The attempt ended before its work was done.
    Cut {
        /// Which one.
        attempt: u32,
        /// Why.
        cause: Cause,
        /// Bytes that are durable.
        offset: u64,
    },
    /// The content is not that of the manifest.
    Mismatch {
        /// The attempt that brought it.
        attempt: u32,
    },
    /// All checks passed; receipt and content are ready to be committed.
    Commit {
        /// The attempt that brought it.
        attempt: u32,
    },
    /// The sender brought the content from its first byte to its last, all of it is durable, all checks passed, and receipt and
    /// content are ready to be committed: [`Input::Attempt`], [`Input::Whole`] and [`Input::Commit`] in one, for content that
    /// is gathered and checked before it is stored.
    CommitAtOnce {
        /// The attempt that brought it: the one after the last.
        attempt: u32,
    },
    /// The receiver says no, for good.
    Refuse {
        /// The attempt it belongs to, or 0 for a no to the offer.
        attempt: u32,
        /// Why.
        reason: Problem,
    },
    /// The sender calls the transfer off.
    Cancel,
    /// The time to finish it is over.
    Deadline,
    /// The store was opened again after a stop; no attempt is running.
    Restart,
    /// Content that was durable is gone or damaged. No attempt is running; the next begins anew.
    ContentLost,
}

impl Input {
    /// Does it commit, if it fits?
    pub const fn commits(self) -> bool {
        matches!(self, Input::Commit { .. } | Input::CommitAtOnce { .. })
    }
}

/// What must be done once the new state is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// End this older attempt's connection; it is fenced already.
    EndAttempt {
        /// Which one.
        attempt: u32,
        /// What its connection is told.
        cause: Cause,
    },
    /// Take content in from the offset on, as this attempt.
    TakeContent {
        /// The new attempt.
        attempt: u32,
    },
    /// Delete all content from the spool.
    DropContent,
    /// The receipt may leave.
    ReleaseReceipt,
    /// The refusal may leave.
    ReleaseRefusal,
    /// Hand the content over.
    Deliver,
}

/// Why an input does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepFault {
    /// Not in this phase.
    #[error("{input} does not fit a transfer that is {phase}")]
    Unexpected {
        /// Where the transfer stands.
        phase: &'static str,
        /// What came.
        input: &'static str,
    },
    /// An older attempt speaks.
    #[error("attempt {attempt} is over; attempt {current} took its place")]
    Fenced {
        /// The one that spoke.
        attempt: u32,
        /// The one that counts.
        current: u32,
    },
    /// Content must go on elsewhere.
    #[error("content must go on at byte {expected}")]
    WrongOffset {
        /// The durable offset.
        expected: u64,
    },
}

/// How often the whole content may be wrong before that is final.
const MISMATCHES_MAX: u8 = 2;

impl Receiver {
    /// A transfer whose manifest was just accepted.
    pub fn offered(length: u64) -> Self {
        Receiver { phase: Phase::Offered, length, attempt: 0, offset: 0, mismatches: 0 }
    }

    /// Takes what happened; yields the state to make durable and, after that, what to do.
    pub fn step(self, input: Input) -> Result<(Self, Vec<Act>), StepFault> {
        match input {
            Input::Attempt { offset } => self.begin(offset),
            Input::Durable { attempt, offset } => self.record(attempt, offset),
            Input::Whole { attempt } => self.whole(attempt),
            Input::Cut { attempt, cause, offset } => self.cut(attempt, cause, offset),
            Input::Mismatch { attempt } => self.mismatch(attempt),
            Input::Commit { attempt } => self.commit(attempt),
            Input::CommitAtOnce { attempt } => self.commit_at_once(attempt),
            Input::Refuse { attempt, reason } => self.refuse(attempt, reason),
            Input::Cancel => self.cancel(),
            Input::Deadline => self.expire(),
            Input::Restart => Ok((self.restarted(), Vec::new())),
            Input::ContentLost => self.lose_content(),
        }
    }

    fn begin(self, offset: u64) -> Result<(Self, Vec<Act>), StepFault> {
        match self.phase {
            Phase::Offered | Phase::Aborted(_) | Phase::Receiving => {}
            _ => return Err(self.unexpected("an attempt")),
        }
        if offset != self.offset {
            return Err(StepFault::WrongOffset { expected: self.offset });
        }
        let attempt = self.attempt.saturating_add(1);
        let mut acts = Vec::new();
        if self.phase == Phase::Receiving {
            acts.push(Act::EndAttempt { attempt: self.attempt, cause: Cause::Superseded });
        }
        acts.push(Act::TakeContent { attempt });
        Ok((Receiver { phase: Phase::Receiving, attempt, ..self }, acts))
    }

    fn record(self, attempt: u32, offset: u64) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        match self.phase {
            Phase::Receiving if (self.offset..=self.length).contains(&offset) => {
                Ok((Receiver { offset, ..self }, Vec::new()))
            }
            _ => Err(self.unexpected("a durable offset")),
        }
    }

    fn whole(self, attempt: u32) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        match self.phase {
            Phase::Receiving => {
                Ok((Receiver { phase: Phase::Checking, offset: self.length, ..self }, Vec::new()))
            }
            _ => Err(self.unexpected("the end of the content")),
        }
    }

    fn cut(self, attempt: u32, cause: Cause, offset: u64) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        match self.phase {
            Phase::Receiving | Phase::Checking => {
                let offset = resumable(offset.clamp(self.offset.min(self.length), self.length), self.length);
                Ok((Receiver { phase: Phase::Aborted(cause), offset, ..self }, Vec::new()))
            }
            _ => Err(self.unexpected("a cut")),
        }
    }

    fn mismatch(self, attempt: u32) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        // What is gathered whole is checked before it is stored.
        if !matches!(self.phase, Phase::Receiving | Phase::Checking) {
            return Err(self.unexpected("a digest mismatch"));
        }
        let mismatches = self.mismatches.saturating_add(1);
        let next = Receiver { mismatches, offset: 0, ..self };
        if mismatches < MISMATCHES_MAX {
            let phase = Phase::Aborted(Cause::DigestMismatch);
            return Ok((Receiver { phase, ..next }, vec![Act::DropContent]));
        }
        let phase = Phase::Refused(Problem::DigestMismatch);
        Ok((Receiver { phase, ..next }, vec![Act::DropContent, Act::ReleaseRefusal]))
    }

    fn commit(self, attempt: u32) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        match self.phase {
            Phase::Checking => {
                Ok((Receiver { phase: Phase::Committed, ..self }, vec![Act::ReleaseReceipt, Act::Deliver]))
            }
            _ => Err(self.unexpected("a commit")),
        }
    }

    fn commit_at_once(self, attempt: u32) -> Result<(Self, Vec<Act>), StepFault> {
        let (begun, mut acts) = self.begin(0)?;
        let (committed, of_commit) = begun.whole(attempt)?.0.commit(attempt)?;
        // There is nothing left to be taken in.
        acts.retain(|act| matches!(act, Act::EndAttempt { .. }));
        acts.extend(of_commit);
        Ok((committed, acts))
    }

    fn refuse(self, attempt: u32, reason: Problem) -> Result<(Self, Vec<Act>), StepFault> {
        self.is_current(attempt)?;
        if self.phase.is_final() {
            return Err(self.unexpected("a refusal"));
        }
        let refused = Receiver { phase: Phase::Refused(reason), offset: 0, ..self };
        Ok((refused, vec![Act::DropContent, Act::ReleaseRefusal]))
    }

    fn cancel(self) -> Result<(Self, Vec<Act>), StepFault> {
        // While the commit may be under way its outcome must be known first.
        if self.phase.is_final() || self.phase == Phase::Checking {
            return Err(self.unexpected("cancel"));
        }
        let ended = (self.phase == Phase::Receiving)
            .then_some(Act::EndAttempt { attempt: self.attempt, cause: Cause::Cancelled });
        let (refused, acts) = self.refuse(self.attempt, Problem::Cancelled)?;
        Ok((refused, ended.into_iter().chain(acts).collect()))
    }

    fn expire(self) -> Result<(Self, Vec<Act>), StepFault> {
        match self.phase {
            Phase::Offered | Phase::Aborted(_) => self.refuse(self.attempt, Problem::Expired),
            _ => Err(self.unexpected("the deadline")),
        }
    }

    fn restarted(self) -> Self {
        match self.phase {
            Phase::Receiving | Phase::Checking => {
                let offset = resumable(self.offset, self.length);
                Receiver { phase: Phase::Aborted(Cause::Restarted), offset, ..self }
            }
            _ => self,
        }
    }

    fn lose_content(self) -> Result<(Self, Vec<Act>), StepFault> {
        match self.phase {
            Phase::Offered | Phase::Aborted(_) => {
                Ok((Receiver { offset: 0, ..self }, vec![Act::DropContent]))
            }
            _ => Err(self.unexpected("the loss of content")),
        }
    }

    fn is_current(&self, attempt: u32) -> Result<(), StepFault> {
        if attempt == self.attempt {
            Ok(())
        } else {
            Err(StepFault::Fenced { attempt, current: self.attempt })
        }
    }

    fn unexpected(&self, input: &'static str) -> StepFault {
        StepFault::Unexpected { phase: self.phase.name(), input }
    }
}

/// Where the next attempt goes on: on a piece border, and never at the very end, so that there is always an attempt
/// that brings the last byte and waits for the answer.
fn resumable(offset: u64, length: u64) -> u64 {
    let inside = if offset >= length { length.saturating_sub(1) } else { offset };
    inside - inside % PIECE_BYTES
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
