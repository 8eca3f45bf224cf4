//! What is known of a peer after its certificate was judged.

use protocol::{digest::Sha256, moment::Moment, party::Identity};
use rustls::CommonState;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;

use crate::{
    clock::moment_of_asn1,
    leaf,
    names::{name_text, serial_text},
};

/// Who stands at the other end, proved by a certificate that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    identity: Identity,
    description: Description,
    path_ends: Moment,
    lists_end: Option<Moment>,
    grace: Option<Grace>,
}

/// A revocation list that has ended and is used by grace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grace {
    /// The distinguished name of the list's issuer.
    pub issuer: String,
    /// When the list ended.
    pub next_update: Moment,
}

impl Grace {
    /// Each use leaves a line in the log.
    pub(crate) fn log(&self, who: &'static str) {
        tracing::warn!(
            who,
            issuer = self.issuer,
            ended = %self.next_update,
            "a certificate counts by grace only: the revocation list of its issuer has ended"
        );
    }
}

impl PeerIdentity {
    pub(crate) fn new(
        identity: Identity,
        certificate: &X509Certificate<'_>,
        path_ends: Moment,
        lists_end: Option<Moment>,
        grace: Option<Grace>,
    ) -> Self {
        PeerIdentity { identity, description: Description::of(certificate), path_ends, lists_end, grace }
    }

    /// Environment, role and codes: what rights belong to.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// SHA-256 over the certificate in DER.
    pub fn fingerprint(&self) -> Sha256 {
        self.description.fingerprint
    }

    /// The serial number in lower-case hexadecimal.
    pub fn serial(&self) -> &str {
        &self.description.serial
    }

    /// The issuer's distinguished name, for logs.
    pub fn issuer(&self) -> &str {
        &self.description.issuer
    }

    /// The certificate's distinguished name, for logs; it decides nothing.
    pub fn subject(&self) -> &str {
        &self.description.subject
    }

    /// The start of the certificate's life.
    pub fn not_before(&self) -> Moment {
        self.description.not_before
    }

    /// When the first certificate of the path ends, up to the root: the connection must not outlive it. Of our own
    /// certificate, whose path only the other side knows, its own end.
    pub fn path_ends(&self) -> Moment {
        self.path_ends
    }

    /// From when on its chain has to be judged anew: when the first certificate of the path, or the first of the revocation
    /// lists that were asked, ends, or when a date of revocation in one of them comes. `None` if that is each time: no list
    /// was asked for some certificate, or it counts by grace, whose every use is written down.
    pub(crate) fn verdict_ends(&self) -> Option<Moment> {
        let lists_end = self.lists_end.filter(|_| self.grace.is_none());
        lists_end.map(|lists_end| lists_end.min(self.path_ends))
    }

    /// The end of the certificate's life.
    pub fn not_after(&self) -> Moment {
        self.description.not_after
    }

    /// The ended list without whose grace the certificate would not count; to be written down by whoever lets it count.
    pub fn grace(&self) -> Option<&Grace> {
        self.grace.as_ref()
    }
}

/// What may be said of a certificate in a log, whether it counts or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The certificate's distinguished name.
    pub subject: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The serial number in lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 over the certificate in DER.
    pub fingerprint: Sha256,
    /// The start of its life.
    pub not_before: Moment,
    /// The end of its life.
    pub not_after: Moment,
}

impl Description {
    pub(crate) fn of(certificate: &X509Certificate<'_>) -> Self {
        Description {
            subject: name_text(certificate.subject()),
            issuer: name_text(certificate.issuer()),
            serial: serial_text(certificate.raw_serial()),
            fingerprint: Sha256::of(certificate.as_raw()),
            not_before: moment_of_asn1(certificate.validity().not_before),
            not_after: moment_of_asn1(certificate.validity().not_after),
        }
    }

    /// Describes a certificate; `None` if it cannot be read.
    pub fn of_der(der: &CertificateDer<'_>) -> Option<Self> {
        leaf::parse(der).ok().map(|certificate| Description::of(&certificate))
    }
}

/// The peer's chain, leaf first, to judge it again when trust or revocation lists change.
pub fn peer_chain(connection: &CommonState) -> Vec<CertificateDer<'static>> {
    let chain = connection.peer_certificates().unwrap_or_default();
    chain.iter().map(|certificate| certificate.clone().into_owned()).collect()
}
