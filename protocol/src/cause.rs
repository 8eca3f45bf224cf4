//! Why an attempt ended before its transfer did.

use std::{error::Error, fmt, io};

use serde::{Deserialize, Serialize};

/// The causes of an abort. Distinct and stable: logs, answers and people's run books use these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The line is dead: nothing answers at the other end of it (guideline II.5(8)).
    LinkLost,
    /// The peer, or something on the way, ended the connection before the message was whole.
    PeerClosed,
    /// The line lives but nothing has moved for `stall_max`.
    Stalled,
    /// Bytes arrive, but content comes below the minimum rate, or an answer is not whole in its time.
    TooSlow,
    /// All bytes came, and they are not those of the manifest.
    DigestMismatch,
    /// More or fewer bytes than declared.
    LengthMismatch,
    /// The file changed between hashing and sending.
    SourceChanged,
    /// A person or program called it off.
    Cancelled,
    /// The sending window ended.
    WindowClosed,
    /// The certificate or the right behind the connection was withdrawn.
    Revoked,
    /// The gateway is being shut down.
    Draining,
    /// The receiver could not write as fast as it must, and gave up before the line would look dead.
    StorageStalled,
    /// The receiver could not make the bytes durable.
    StorageFailed,
    /// The gateway ended without a chance to say so; found when it started again.
    Restarted,
    /// A newer attempt at the same transfer took over.
    Superseded,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 15] = [
        Cause::LinkLost,
        Cause::PeerClosed,
        Cause::Stalled,
        Cause::TooSlow,
        Cause::DigestMismatch,
        Cause::LengthMismatch,
        Cause::SourceChanged,
        Cause::Cancelled,
        Cause::WindowClosed,
        Cause::Revoked,
        Cause::Draining,
        Cause::StorageStalled,
        Cause::StorageFailed,
        Cause::Restarted,
        Cause::Superseded,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::LinkLost => "link_lost",
            Cause::PeerClosed => "peer_closed",
            Cause::Stalled => "stalled",
            Cause::TooSlow => "too_slow",
            Cause::DigestMismatch => "digest_mismatch",
            Cause::LengthMismatch => "length_mismatch",
            Cause::SourceChanged => "source_changed",
            Cause::Cancelled => "cancelled",
            Cause::WindowClosed => "window_closed",
            Cause::Revoked => "revoked",
            Cause::Draining => "draining",
            Cause::StorageStalled => "storage_stalled",
            Cause::StorageFailed => "storage_failed",
            Cause::Restarted => "restarted",
            Cause::Superseded => "superseded",
        }
    }

    /// One sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Cause::LinkLost => "The line is dead: nothing answers at its other end.",
            Cause::PeerClosed => "The other side, or something on the way, closed the connection early.",
            Cause::Stalled => "The line lives, but nothing moved on it for too long.",
            Cause::TooSlow => "Content came below the minimum rate, or an answer was not whole in its time.",
            Cause::DigestMismatch => "All bytes came, and they are not the declared ones.",
            Cause::LengthMismatch => "More or fewer bytes came than declared.",
            Cause::SourceChanged => "The file was changed while it was being sent.",
            Cause::Cancelled => "It was called off.",
            Cause::WindowClosed => "The sending window ended.",
            Cause::Revoked => "The certificate or the right behind the connection was withdrawn.",
            Cause::Draining => "The gateway is being shut down.",
            Cause::StorageStalled => "The receiver could not write fast enough.",
            Cause::StorageFailed => "The receiver could not make the content durable.",
            Cause::Restarted => "The program ended during the attempt and was started again.",
            Cause::Superseded => "A newer attempt at the same transfer took over.",
        }
    }

    /// The cause of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Cause::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// What an error of a connection says about the line: somewhere in its chain of sources stands the operating system's
/// word. Libraries wrap it differently, so the chain is searched and no type but [`io::Error`] is looked for.
pub fn of_connection_error(error: &(dyn Error + 'static)) -> Cause {
    let mut cause = Cause::PeerClosed;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if of_io_error(io.kind()) == Cause::LinkLost {
                cause = Cause::LinkLost;
            }
            // An io::Error made from another error names that one, not its source.
            next = match io.get_ref() {
                Some(inner) => Some(inner),
                None => io.source(),
            };
        } else {
            next = error.source();
        }
    }
    cause
}

/// A line that the kernel gave up is lost; everything else is somebody's closing.
fn of_io_error(kind: io::ErrorKind) -> Cause {
    match kind {
        io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown => Cause::LinkLost,
        _ => Cause::PeerClosed,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_word_is_found_below_any_wrapping() {
        let timed_out = io::Error::from(io::ErrorKind::TimedOut);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, timed_out));
        assert_eq!(of_connection_error(&wrapped), Cause::LinkLost);
        assert_eq!(of_connection_error(&io::Error::from(io::ErrorKind::UnexpectedEof)), Cause::PeerClosed);
    }
}
