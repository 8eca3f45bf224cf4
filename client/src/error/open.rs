//! Why a client could not be opened.

use pki::{credential::CredentialFault, evidence::EvidenceSignerFault, tls::TlsFault, trust::TrustFault};
use protocol::party::{Identity, Party};

use super::{Blame, blame_of_store, next_of_store};
use crate::{lists::ListNotFetched, store::StoreFault};

/// Why a client could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The state directory.
    #[error("the state directory cannot be used")]
    Store(#[from] StoreFault),
    /// Certificate or key under `[tls]`.
    #[error("the certificate or key under [tls] cannot be used")]
    Credential(#[from] CredentialFault),
    /// Anchors or lists.
    #[error("the anchors or revocation lists under [{section}] cannot be used")]
    Trust {
        /// Table of the settings.
        section: &'static str,
        /// Why.
        #[source]
        source: TrustFault,
    },
    /// An authority is without a revocation list, and none could be fetched.
    #[error("there is no revocation list of {issuer}, which [{section}] asks for")]
    ListMissing {
        /// Table of the settings.
        section: &'static str,
        /// Whose.
        issuer: String,
        /// What stood in the way; none if every address gave a list, but of others.
        #[source]
        why: Option<Box<ListNotFetched>>,
    },
    /// The TLS configuration.
    #[error("no secure connection can be set up")]
    Tls(#[from] TlsFault),
    /// Certificate or key under `[evidence]`.
    #[error("the certificate or key under [evidence] cannot be used")]
    Evidence(#[from] EvidenceSignerFault),
    /// A certificate does not name the sender.
    #[error("the certificate under [{section}] is of {identity} and may not send for {party}")]
    NotOurs {
        /// Table of the settings.
        section: &'static str,
        /// Whom it names.
        identity: Box<Identity>,
        /// Whom the settings name.
        party: Party,
    },
    /// The two certificates name different identities.
    #[error("the certificates under [tls] and [evidence] name different identities: {tls} and {evidence}")]
    TwoIdentities {
        /// Under `[tls]`.
        tls: Box<Identity>,
        /// Under `[evidence]`.
        evidence: Box<Identity>,
    },
    /// The centre's name is no name that a certificate could carry.
    #[error("`{0}` is no name that a certificate could carry")]
    ServerName(String),
}

impl OpenError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            OpenError::Store(StoreFault::InUse { .. }) => "in_use",
            OpenError::Store(StoreFault::Log(_)) => "send_log",
            OpenError::Store(_) => "state",
            OpenError::Credential(_) => "tls_certificate",
            OpenError::Trust { .. } => "trust",
            OpenError::ListMissing { .. } => "list_missing",
            OpenError::Tls(_) => "tls",
            OpenError::Evidence(_) => "evidence_certificate",
            OpenError::NotOurs { .. } | OpenError::TwoIdentities { .. } => "certificate_identity",
            OpenError::ServerName(_) => "server_name",
        }
    }

    /// Whom it belongs to.
    pub const fn blame(&self) -> Blame {
        match self {
            OpenError::Store(fault) => blame_of_store(fault),
            OpenError::ServerName(_) => Blame::Settings,
            OpenError::ListMissing { why: Some(_), .. } => Blame::Line,
            _ => Blame::Material,
        }
    }

    /// What to do, in one sentence.
    pub const fn next_step(&self) -> &'static str {
        match self {
            OpenError::Store(fault) => next_of_store(fault),
            OpenError::Credential(_)
            | OpenError::Evidence(_)
            | OpenError::Trust { .. }
            | OpenError::Tls(_) => "read the cause above; renew or replace the named file",
            OpenError::ListMissing { why: None, .. } => {
                "add the address of its list to crl_urls in the settings, or put its file under crls"
            }
            OpenError::ListMissing { .. } => {
                "check that this machine reaches the address in crl_urls, then run the same command again; nothing was sent"
            }
            OpenError::NotOurs { .. } | OpenError::TwoIdentities { .. } => {
                "name the right certificates, or the right party, in the settings"
            }
            OpenError::ServerName(_) => "correct centre.server_name in the settings",
        }
    }
}
