//! Why nothing could be opened, or why a file did not arrive, each with a stable code and what to do next.

mod certificate;
mod open;
mod send;

pub use open::OpenError;
pub use send::{LastTry, SendError};

use pki::log_key::LogKeyFault;

use crate::store::{StoreFault, send_log::LogFault};

/// Whom a fault belongs to; the exit codes of the command are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// This machine: disk, clock, randomness.
    Machine,
    /// The settings, or what was asked for.
    Settings,
    /// Certificates, keys, revocation lists; ours or the centre's.
    Material,
    /// The file, or the right to send it: somebody has to change something.
    Refused,
    /// Line or centre: another run will do.
    Line,
    /// Evidence that does not verify: people must look into it.
    Evidence,
}

pub(crate) const fn blame_of_store(fault: &StoreFault) -> Blame {
    match fault {
        StoreFault::InUse { .. } => Blame::Line,
        StoreFault::NoSuchTransfer { .. } => Blame::Settings,
        StoreFault::Altered { .. } => Blame::Evidence,
        StoreFault::Log(fault) => match fault {
            LogFault::Io { .. } | LogFault::Entry | LogFault::Poisoned | LogFault::Random(_) => {
                Blame::Machine
            }
            _ => Blame::Evidence,
        },
        StoreFault::Key(fault) => match fault {
            LogKeyFault::OtherEnvironment { .. } => Blame::Settings,
            LogKeyFault::OriginFile { .. }
            | LogKeyFault::Write { .. }
            | LogKeyFault::Random(_)
            | LogKeyFault::Generate => Blame::Machine,
            _ => Blame::Material,
        },
        StoreFault::Io { .. } | StoreFault::Lost => Blame::Machine,
    }
}

pub(crate) const fn next_of_store(fault: &StoreFault) -> &'static str {
    match fault {
        StoreFault::InUse { .. } => "wait until the other one has ended, then run the command again",
        StoreFault::NoSuchTransfer { .. } => "look at the ids with `sekisho status`",
        StoreFault::Key(LogKeyFault::OtherEnvironment { .. }) => {
            "give each environment a state directory of its own: storage.data in the settings"
        }
        StoreFault::Altered { .. } | StoreFault::Log(_) | StoreFault::Key(_) => {
            "keep the state directory as it is and call the contact; what was sent before stays provable"
        }
        StoreFault::Io { .. } | StoreFault::Lost => "check the disk: free space, and who may write there",
    }
}
