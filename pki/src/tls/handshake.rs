//! What both sides of a handshake have in common.

use rustls::{
    DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::CertificateDer;

use crate::{fault::PeerFault, peer::Description, signatures::Signatures};

/// A peer that was refused during the handshake.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Why.
    pub fault: PeerFault,
    /// What its certificate says; `None` if it cannot be read. Nothing in it is proved.
    pub certificate: Option<Description>,
    /// What is wrong with which certificate of the chain, the nearest cause first. It quotes the peer's own names.
    pub causes: Vec<String>,
}

impl Refused {
    pub(super) fn new(fault: PeerFault, certificate: &CertificateDer<'_>) -> Self {
        Refused {
            fault,
            certificate: Description::of_der(certificate),
            causes: vec![fault.in_words().to_owned()],
        }
    }

    pub(super) fn because(causes: Vec<String>, fault: PeerFault, certificate: &CertificateDer<'_>) -> Self {
        Refused { causes, ..Refused::new(fault, certificate) }
    }

    /// Who was refused and why; never the certificate itself. Not in the usual log: strangers can be refused as often as
    /// they like, and are counted by the observer.
    pub(super) fn log(&self, side: &'static str) {
        let reason = self.fault.code();
        match &self.certificate {
            Some(certificate) => tracing::debug!(
                reason,
                peer = side,
                issuer = certificate.issuer,
                serial = certificate.serial,
                subject = certificate.subject,
                fingerprint = %certificate.fingerprint,
                "certificate refused"
            ),
            None => tracing::debug!(reason, peer = side, "certificate refused"),
        }
    }
}

/// The peer's chain, leaf first.
pub(super) fn chain_of<'a>(
    leaf: &'a CertificateDer<'_>,
    intermediates: &'a [CertificateDer<'_>],
) -> Vec<CertificateDer<'a>> {
    std::iter::once(leaf).chain(intermediates).map(|der| CertificateDer::from(der.as_ref())).collect()
}

/// That the peer holds the key of its certificate.
pub(super) fn check_possession(
    signatures: Signatures,
    version: Version,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, TlsError> {
    let algorithms = signatures.algorithms();
    match version {
        Version::Tls12 => verify_tls12_signature(message, certificate, signature, algorithms),
        Version::Tls13 => verify_tls13_signature(message, certificate, signature, algorithms),
    }
}

/// What a signature in a handshake looks like differs by version.
#[derive(Clone, Copy)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

pub(super) fn schemes(signatures: Signatures) -> Vec<SignatureScheme> {
    signatures.algorithms().supported_schemes()
}
