//! What a person watching a transfer is told while it runs.

use protocol::{cause::Cause, moment::Moment, problem::Problem, transfer_id::TransferId};

use crate::times::ClockOff;

/// Takes notice of events. Called from the task that sends: it must not block.
pub trait Progress: Send + Sync {
    /// Something happened.
    fn event(&self, event: &ProgressEvent);
}

/// Nobody is watching.
pub struct Unwatched;

impl Progress for Unwatched {
    fn event(&self, _event: &ProgressEvent) {}
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProgressEvent {
    /// The file is being read, hashed and checked.
    Hashing {
        /// Bytes read.
        done: u64,
        /// Bytes there are.
        total: u64,
    },
    /// The transfer is durable here (預かり). Nothing has left yet.
    Held {
        /// Its name.
        id: TransferId,
        /// It was begun in an earlier run.
        resumed: bool,
    },
    /// Another file was begun to be sent from the same place and never finished; its content is gone.
    LeftBehind {
        /// That transfer.
        id: TransferId,
    },
    /// A connection is being made.
    Connecting,
    /// The centre knows of the transfer and holds this much of it.
    Offered {
        /// Durable bytes at the centre.
        offset: u64,
    },
    /// An attempt begins to bring content (送信中).
    Attempt {
        /// Counted from 1.
        number: u32,
        /// First byte it brings.
        offset: u64,
    },
    /// Content is on its way.
    Sent {
        /// Bytes of the file handed to the line, from its beginning.
        bytes: u64,
        /// Bytes of the file.
        total: u64,
    },
    /// The attempt ended early, and sending has stopped.
    Aborted {
        /// Why.
        cause: Cause,
        /// Bytes of the file that had been handed to the line.
        offset: u64,
        /// When it was noticed.
        at: Moment,
        /// Milliseconds since the last byte had moved.
        detected_ms: u64,
    },
    /// The centre could not be reached or did not take the request.
    Failed {
        /// Why, for people.
        reason: String,
    },
    /// The next try begins at this time.
    Waiting {
        /// When.
        until: Moment,
    },
    /// Everything is out; the centre checks and commits.
    Checking,
    /// The verified receipt is durable (到達確認).
    Received {
        /// When the centre had the last byte.
        at: Moment,
    },
    /// This machine's clock and the centre's are apart, as a verified statement of the centre shows.
    ClockOff {
        /// Milliseconds that ours is ahead, at least; negative if it is behind.
        off_ms: ClockOff,
    },
    /// The centre said no, for good; its signed refusal is durable.
    Refused {
        /// Why.
        problem: Problem,
    },
    /// The centre knows that we hold the receipt.
    Acknowledged,
    /// The centre could not be told yet; a later run tells it. The receipt counts all the same.
    AcknowledgementPending {
        /// Why, for people.
        reason: String,
    },
}
