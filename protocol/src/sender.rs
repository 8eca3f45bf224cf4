//! The life of a transfer as its sender sees it.
//!
//! Pure, as [`crate::receiver`]. The sender gives an id up only with a receipt or a refusal in hand; until then it
//! asks, offers the same id again, or goes on from where the receiver stands.

use crate::{cause::Cause, problem::Problem};

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Id and signed manifest are durable; the receiver may or may not know of it. Shown as 預かり.
    Held,
    /// An attempt is bringing content. Shown as 送信中.
    Sending,
    /// All bytes are out; the receipt is awaited.
    AwaitingReceipt,
    /// The last attempt ended early.
    Aborted(Cause),
    /// Final: the verified receipt is durable. Shown as 到達確認.
    Received,
    /// Final: the verified refusal is durable.
    Refused(Problem),
    /// Final: we called it off before the commit, and the verified refusal that says so is durable, or the receiver
    /// never heard of it.
    Cancelled,
}

impl Phase {
    /// Nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Phase::Received | Phase::Refused(_) | Phase::Cancelled)
    }

    /// The stable name, as stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Held => "held",
            Phase::Sending => "sending",
            Phase::AwaitingReceipt => "awaiting_receipt",
            Phase::Aborted(_) => "aborted",
            Phase::Received => "received",
            Phase::Refused(_) => "refused",
            Phase::Cancelled => "cancelled",
        }
    }
}

/// The durable state of one transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Where it stands.
    pub phase: Phase,
    /// Bytes of the file.
    pub length: u64,
    /// Attempts so far; the last one's number.
    pub attempts: u32,
    /// Bytes that the receiver last said it durably holds.
    pub offset: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The receiver holds this much and waits for the rest.
    Wanted {
        /// Its durable offset.
        offset: u64,
    },
    /// The last byte was handed to the line.
    AllSent,
    /// The receiver is checking.
    Checking,
    /// The attempt ended early.
    Cut(Cause),
    /// The receiver's receipt is here, verified against the manifest.
    Receipt,
    /// The receiver's signed refusal is here, verified against the manifest.
    Refusal(Problem),
    /// What we had asked for: the receiver's verified refusal says that it was called off, or the receiver never heard
    /// of it.
    CancelConfirmed,
    /// The process starts again after a stop.
    Restart,
}

/// What must be done once the new state is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Send content from this offset on.
    Send {
        /// First byte to send.
        offset: u64,
    },
    /// Ask what the receiver holds; never send blindly.
    Ask,
    /// Tell the receiver that the receipt is held.
    Acknowledge,
}

/// An input that does not fit where the transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input} does not fit a transfer that is {phase}")]
pub struct Unexpected {
    /// Where the transfer stands.
    pub phase: &'static str,
    /// What came.
    pub input: &'static str,
}

impl Sender {
    /// A transfer whose manifest was just made durable.
    pub fn held(length: u64) -> Self {
        Sender { phase: Phase::Held, length, attempts: 0, offset: 0 }
    }

    /// Takes what happened; yields the state to make durable and, after that, what to do.
    pub fn step(self, input: Input) -> Result<(Self, Vec<Act>), Unexpected> {
        let unexpected = |input| Err(Unexpected { phase: self.phase.name(), input });
        let running = matches!(self.phase, Phase::Sending | Phase::AwaitingReceipt);
        match input {
            // A receiver may hold less than it once said: it was restored, or dropped wrong content.
            Input::Wanted { offset } if !self.phase.is_final() && !running && offset <= self.length => {
                let attempts = self.attempts.saturating_add(1);
                Ok((Sender { phase: Phase::Sending, attempts, offset, ..self }, vec![Act::Send { offset }]))
            }
            Input::Wanted { .. } => unexpected("a wish for content"),
            Input::AllSent if self.phase == Phase::Sending => {
                Ok((Sender { phase: Phase::AwaitingReceipt, ..self }, Vec::new()))
            }
            Input::AllSent => unexpected("the end of the content"),
            Input::Checking if !self.phase.is_final() => {
                Ok((Sender { phase: Phase::AwaitingReceipt, ..self }, vec![Act::Ask]))
            }
            Input::Checking => unexpected("a check under way"),
            Input::Cut(cause) if running => {
                Ok((Sender { phase: Phase::Aborted(cause), ..self }, vec![Act::Ask]))
            }
            Input::Cut(_) => unexpected("a cut"),
            Input::Receipt if !self.phase.is_final() => {
                let received = Sender { phase: Phase::Received, offset: self.length, ..self };
                Ok((received, vec![Act::Acknowledge]))
            }
            Input::Receipt => unexpected("a receipt"),
            Input::Refusal(reason) if !self.phase.is_final() => {
                Ok((Sender { phase: Phase::Refused(reason), ..self }, Vec::new()))
            }
            Input::Refusal(_) => unexpected("a refusal"),
            Input::CancelConfirmed if !self.phase.is_final() => {
                Ok((Sender { phase: Phase::Cancelled, ..self }, Vec::new()))
            }
            Input::CancelConfirmed => unexpected("a confirmed cancellation"),
            Input::Restart if running => {
                Ok((Sender { phase: Phase::Aborted(Cause::Restarted), ..self }, vec![Act::Ask]))
            }
            Input::Restart => Ok((self, Vec::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inputs() -> impl Strategy<Value = Input> {
        prop_oneof![
            4 => (0u64..120).prop_map(|offset| Input::Wanted { offset }),
            2 => Just(Input::AllSent),
            1 => Just(Input::Checking),
            3 => Just(Input::Cut(Cause::LinkLost)),
            1 => Just(Input::Receipt),
            1 => Just(Input::Refusal(Problem::TooLarge)),
            1 => Just(Input::CancelConfirmed),
            1 => Just(Input::Restart),
        ]
    }

    proptest! {
        #[test]
        fn a_final_state_never_changes_and_content_is_sent_only_when_wanted(
            events in prop::collection::vec(inputs(), 1..40),
        ) {
            let mut state = Sender::held(100);
            for input in events {
                let Ok((next, acts)) = state.step(input) else { continue };
                prop_assert!(!state.phase.is_final() || next == state);
                let sends = acts.iter().any(|act| matches!(act, Act::Send { .. }));
                prop_assert_eq!(sends, matches!(input, Input::Wanted { .. }), "content leaves only when it is wanted");
                prop_assert_eq!(next.attempts - state.attempts, u32::from(sends), "each sending is a numbered attempt");
                prop_assert!(next.offset <= next.length);
                state = next;
            }
        }
    }

    #[test]
    fn after_a_cut_the_sender_asks_before_it_sends() {
        let sending = Sender::held(10).step(Input::Wanted { offset: 0 }).unwrap().0;
        let (aborted, acts) = sending.step(Input::Cut(Cause::Stalled)).unwrap();
        assert_eq!((aborted.phase, acts), (Phase::Aborted(Cause::Stalled), vec![Act::Ask]));
    }
}
