//! TLS configurations for both sides, and what a handshake's end says.
//!
//! Both sides: certificates on both sides, no resumption, no early data, in either version. Resumption would let a peer in
//! whose certificate was revoked or ended since: the library does not judge a stored chain again.

mod alert;
mod client;
mod handshake;
mod server;

pub use alert::{alert_reason, own_refusal};
pub use client::{client_config, for_content};
pub use handshake::Refused;
pub use server::{Judged, RefusalObserver, TlsServer};

use crate::credential::CredentialFault;
pub use crate::provider::{Groups, TlsPolicy, Versions};

/// The application protocol: HTTP/1.1 (RFC 7301).
pub const ALPN: &[u8] = b"http/1.1";

/// The same messages, of which a server takes only those that move much, by an engine that is made for them.
pub const ALPN_BULK: &[u8] = b"sekisho/1";

/// Why a configuration cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// Our own certificate does not do.
    #[error("our own certificate cannot be used")]
    Credential(#[from] CredentialFault),
    /// Production with a lab's anchor.
    #[error(
        "an anchor was made by a lab authority, but this is production; next: configure the production root"
    )]
    LabAnchor,
    /// The library refused the settings.
    #[error("the TLS library refused the settings")]
    Library(#[from] rustls::Error),
}

/// Did this connection, whose handshake is done, agree on [`ALPN_BULK`]?
pub fn is_bulk(connection: &rustls::CommonState) -> bool {
    connection.alpn_protocol() == Some(ALPN_BULK)
}

/// Does this connection, whose handshake is done, speak TLS 1.2?
pub fn is_tls12(connection: &rustls::CommonState) -> bool {
    connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_2)
}

fn refuse_lab_anchor(
    trust: &crate::trust::Trust,
    environment: protocol::party::Environment,
) -> Result<(), TlsFault> {
    if environment == protocol::party::Environment::Production && trust.is_test_only() {
        return Err(TlsFault::LabAnchor);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
