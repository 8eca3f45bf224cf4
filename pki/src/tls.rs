//! TLS configurations for both sides, and what a handshake's end says.
//!
//! Both sides: TLS 1.3 only, certificates on both sides, no resumption, no early data. Resumption would let a peer in
//! whose certificate was revoked or ended since: the library does not judge a stored chain again.

mod alert;
mod client;
mod server;

pub use alert::{alert_reason, own_refusal};
pub use client::client_config;
pub use server::{RefusalObserver, Refused, server_config, server_config_observed};

use crate::credential::CredentialFault;

/// The one application protocol: HTTP/1.1 (RFC 7301).
pub const ALPN: &[u8] = b"http/1.1";

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
