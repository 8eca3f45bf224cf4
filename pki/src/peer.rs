//! What is known of a peer after its certificate was judged.

use std::fmt::Write as _;

use protocol::{digest::Sha256, moment::Moment, party::Identity};
use rustls::CommonState;
use rustls_pki_types::CertificateDer;
use x509_parser::{certificate::X509Certificate, x509::X509Name};

use crate::{clock::moment_of_asn1, fault::PeerFault, identity::identity_in, leaf};

/// Characters of a distinguished name in logs.
const NAME_TEXT_MAX: usize = 300;

/// Who stands at the other end, proved by a certificate that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    identity: Identity,
    description: Description,
}

impl PeerIdentity {
    pub(crate) fn new(identity: Identity, certificate: &X509Certificate<'_>) -> Self {
        PeerIdentity { identity, description: Description::of(certificate) }
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

    /// The end of the certificate's life: the connection must not outlive it.
    pub fn not_after(&self) -> Moment {
        self.description.not_after
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
            serial: hex(certificate.raw_serial()),
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

/// Who the peer of a finished handshake is. The configurations of [`crate::tls`] let no handshake finish whose
/// certificates were not judged, so this only reads.
pub fn peer_identity(connection: &CommonState) -> Result<PeerIdentity, PeerFault> {
    if connection.is_handshaking() {
        return Err(PeerFault::NoCert);
    }
    let leaf = connection.peer_certificates().and_then(<[_]>::first).ok_or(PeerFault::NoCert)?;
    let certificate = leaf::parse(leaf)?;
    let identity = identity_in(&certificate).map_err(|_| PeerFault::BadIdentity)?;
    Ok(PeerIdentity::new(identity, &certificate))
}

/// The peer's chain, leaf first, to judge it again when trust or revocation lists change.
pub fn peer_chain(connection: &CommonState) -> Vec<CertificateDer<'static>> {
    let chain = connection.peer_certificates().unwrap_or_default();
    chain.iter().map(|certificate| certificate.clone().into_owned()).collect()
}

/// Lower-case hexadecimal of a serial number, without the zero that keeps it positive.
pub(crate) fn hex(serial: &[u8]) -> String {
    let digits = match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    digits.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A distinguished name on one line, without control characters, bounded.
pub(crate) fn name_text(name: &X509Name<'_>) -> String {
    name.to_string()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(NAME_TEXT_MAX)
        .collect()
}
