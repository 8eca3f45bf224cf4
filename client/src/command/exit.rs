//! Exit codes. Documented in `--help`; scripts rely on them.

use std::process::ExitCode;

use crate::error::Blame;

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything asked for was done.
    Done,
    /// Something on this machine.
    Other,
    /// The command line, the settings, or a file that was named.
    Usage,
    /// Certificates, keys or revocation lists.
    Material,
    /// Refused for good, by the centre or by the check before sending.
    Refused,
    /// Not delivered yet; another run is needed.
    NotYet,
    /// Evidence that does not verify.
    Evidence,
}

impl Exit {
    const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Other => 1,
            Exit::Usage => 2,
            Exit::Material => 3,
            Exit::Refused => 4,
            Exit::NotYet => 5,
            Exit::Evidence => 6,
        }
    }

    /// The first thing that went wrong decides.
    pub fn or(self, next: Exit) -> Exit {
        if self == Exit::Done { next } else { self }
    }
}

impl From<Blame> for Exit {
    fn from(blame: Blame) -> Self {
        match blame {
            Blame::Machine => Exit::Other,
            Blame::Settings => Exit::Usage,
            Blame::Material => Exit::Material,
            Blame::Refused => Exit::Refused,
            Blame::Line => Exit::NotYet,
            Blame::Evidence => Exit::Evidence,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
