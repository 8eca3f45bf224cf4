//! One connection to the centre: TCP with link timers, a watched socket, TLS with both certificates, HTTP/1.1.
//!
//! Large content has a line of its own: it asks for the engine that is made for it (ALPN `sekisho/1`), and [`BulkLine`]
//! writes and reads its messages by hand. Everything else, and content for a centre that has no such engine, goes by
//! [`Line`], which is hyper. Deadlines, watching and blame are the same for both.
//!
//! Whatever ends it early comes out as a [`Break`] that says who or what was to blame. In TLS 1.3 our side of the
//! handshake ends before the centre has judged our certificate: its refusal arrives with the first answer, as an alert.

mod blame;
mod blocks;
mod bulk;
mod content;
mod dial;
mod exchange;
mod origin;
mod plain;
mod pulse;
mod race;
pub(crate) mod requests;
mod turnstile;
mod watch;
mod watched;

use std::{io, time::Duration};

use pki::fault::PeerFault;
use protocol::cause::Cause;

pub(crate) use bulk::BulkLine;
pub(crate) use content::{ContentFault, Piece, RequestBody};
pub(crate) use dial::{ContentLine, Dialer, Secure};
pub(crate) use exchange::{Answer, Line};
pub use origin::LineFault;
pub(crate) use plain::plain;

/// The deadlines of a connection, from the settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// A dead line is noticed within this time.
    pub detect_max: Duration,
    /// A peer that takes nothing for this time is given up.
    pub stall_max: Duration,
    /// One answer may take this long as a whole, and so may a handshake.
    pub answer_max: Duration,
}

/// Why a connection, or what went over it, ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Break {
    /// No connection came about.
    #[error("no connection to {address}")]
    Unreachable {
        /// Where to.
        address: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The line that connections must leave on cannot be used; no other was tried.
    #[error(transparent)]
    Line(LineFault),
    /// Every address of the centre answered that nobody listens there.
    #[error("nobody listens at {address}")]
    NobodyListens {
        /// Where.
        address: String,
    },
    /// The centre refused our certificate.
    #[error("the centre refused our certificate: {0}")]
    OurCertificate(&'static str),
    /// We refused the centre's certificate.
    #[error("the centre's certificate does not count: {0}")]
    TheirCertificate(PeerFault),
    /// The handshake failed otherwise.
    #[error("no secure connection came about")]
    Handshake(#[source] io::Error),
    /// The connection was cut, or given up.
    #[error("the connection was lost: {cause}")]
    Cut {
        /// Why.
        cause: Cause,
        /// From the last byte that moved to the moment it was noticed.
        detected_after: Duration,
    },
    /// The file was to blame.
    #[error("the content could not be sent")]
    Content(#[source] ContentFault),
    /// What came back is no answer of this protocol.
    #[error("the centre's answer is not understood: {0}")]
    BadAnswer(&'static str),
    /// It was called off.
    #[error("stopped")]
    Stopped,
}
