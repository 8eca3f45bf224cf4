//! What can go wrong in a lab, who is to mend it, and the exit code that says so.

use std::{
    io,
    path::{Path, PathBuf},
};

use pki::{crl::CrlRefused, pem::PemFault, random::NoRandomness};
use protocol::{
    moment::Moment,
    party::{Environment, PartyError},
};

use crate::serial::Serial;

/// Why the lab could not do it.
#[derive(Debug, thiserror::Error)]
pub enum LabFault {
    /// Something stands where a new file should; nothing is ever overwritten.
    #[error("{} exists already and is not overwritten; next: name another place, or move it away", .path.display())]
    Exists {
        /// What stands there.
        path: PathBuf,
    },
    /// A file or directory could not be read or written.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The directory holds no lab.
    #[error("{} is no lab's directory; next: make one with `sekisho-certs init --dir {}`", .dir.display(), .dir.display())]
    NotALab {
        /// Which directory.
        dir: PathBuf,
    },
    /// A file of the lab is damaged, or was made by something else.
    #[error("{} is not what this lab wrote: {what}; next: restore it, or make a new lab", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A PEM file cannot be used.
    #[error(transparent)]
    Pem(#[from] PemFault),
    /// The certificate library refused.
    #[error("the certificate could not be made")]
    Make(#[source] rcgen::Error),
    /// No random numbers.
    #[error("no random serial number could be made")]
    Random(#[source] NoRandomness),
    /// The identity is not well formed.
    #[error("the identity is malformed; next: write urn:sekisho:<environment>:<role>:<code>[+<code>…]")]
    Identity(#[source] PartyError),
    /// The identity belongs to the other environment.
    #[error(
        "this lab makes certificates for {lab}, the identity is of {identity}; next: change the identity"
    )]
    WrongEnvironment {
        /// The lab's.
        lab: Environment,
        /// The identity's.
        identity: Environment,
    },
    /// A server's certificate without a name to dial.
    #[error("a centre's certificate needs at least one name; next: add --dns localhost or --dns 192.0.2.1")]
    NamesMissing,
    /// A name on a certificate that nobody dials.
    #[error("only a centre's certificate bears host names; next: leave out --dns, or use --profile centre")]
    NamesNotWanted,
    /// Neither a host name nor an address.
    #[error("`{name}` is neither a host name nor an IP address")]
    BadName {
        /// As given.
        name: String,
    },
    /// The life ends before it begins, lies beyond the calendar, or is longer than gateways accept.
    #[error(
        "a certificate cannot live from {not_before} to {not_after}; next: at most five years, and end after start"
    )]
    Life {
        /// Start.
        not_before: Moment,
        /// End.
        not_after: Moment,
    },
    /// The life would end after the authority's own.
    #[error("the issuing authority itself ends at {authority}; next: choose an earlier end")]
    OutlivesAuthority {
        /// The authority's end.
        authority: Moment,
    },
    /// The time cannot be reckoned.
    #[error("the time lies beyond the years 1970 to 9999")]
    Time,
    /// A list that would end before it begins.
    #[error("a revocation list must end after now; next: give --next-update a later time")]
    NextUpdate,
    /// No certificate of this number was made here.
    #[error(
        "this lab has made no certificate with the serial number {serial}; next: check the number or name the certificate's file"
    )]
    UnknownSerial {
        /// The number.
        serial: Serial,
    },
    /// A revocation list cannot be read as a gateway would.
    #[error("a gateway would not use the revocation list")]
    Crl(#[source] CrlRefused),
    /// The file is neither certificate nor list.
    #[error("{} holds neither a certificate nor a revocation list that can be read", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
    },
}

impl LabFault {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabFault {
        move |source| match source.kind() {
            io::ErrorKind::AlreadyExists => LabFault::Exists { path: path.to_owned() },
            _ => LabFault::Io { doing, path: path.to_owned(), source },
        }
    }

    /// 1: it went wrong while running; 2: it was asked for wrongly; 3: certificates, keys or lists are not good.
    pub fn exit_code(&self) -> u8 {
        match self {
            LabFault::Io { .. } | LabFault::Make(_) | LabFault::Random(_) => 1,
            LabFault::Exists { .. }
            | LabFault::NotALab { .. }
            | LabFault::Identity(_)
            | LabFault::WrongEnvironment { .. }
            | LabFault::NamesMissing
            | LabFault::NamesNotWanted
            | LabFault::BadName { .. }
            | LabFault::Life { .. }
            | LabFault::OutlivesAuthority { .. }
            | LabFault::Time
            | LabFault::NextUpdate
            | LabFault::UnknownSerial { .. } => 2,
            LabFault::Damaged { .. } | LabFault::Pem(_) | LabFault::Crl(_) | LabFault::Unreadable { .. } => 3,
        }
    }
}
