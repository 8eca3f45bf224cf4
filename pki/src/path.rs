//! From a peer's chain to an anchor: path building by the library, and every certificate of the chosen path asked after.
//!
//! The library verifies a list's signature on every look-up, takes the first list of an issuer's name, and does not look
//! at an anchor's dates; so revocation is asked of our own index, in the callback that may reject a path.

use std::cell::Cell;

use protocol::{moment::Moment, party::Environment};
use rustls_pki_types::CertificateDer;
use webpki::{Cert, EndEntityCert, Error as PathError, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;

use crate::{
    anchors::Anchors,
    clock::{moment_of_asn1, unix_time},
    crl_index::Status,
    fault::PeerFault,
    identity::identity_in,
    issuer::{Issuer, IssuerId},
    leaf::{self, Purpose},
    peer::PeerIdentity,
    provider::provider,
};

/// Certificates a peer may show: a leaf and four issuers. More is cut before anything is read.
pub const CHAIN_CERTIFICATES_MAX: usize = 5;

/// Bytes of one certificate: with a thousand codes about 15 KB, with ML-DSA some more.
pub const CERTIFICATE_BYTES_MAX: usize = 32 * 1024;

/// Who issued a certificate of the path.
pub(crate) enum IssuerInPath<'a> {
    /// A configured anchor.
    Anchor(&'a Issuer),
    /// A certificate that the peer brought.
    Intermediate(&'a Cert<'a>),
}

impl IssuerInPath<'_> {
    /// Name and key.
    pub(crate) fn id(&self) -> IssuerId {
        match self {
            IssuerInPath::Anchor(issuer) => issuer.id().clone(),
            IssuerInPath::Intermediate(cert) => {
                IssuerId::new(&cert.subject_public_key_info(), cert.subject())
            }
        }
    }

    /// All of it; `None` if an intermediate is no authority's certificate.
    pub(crate) fn issuer(&self) -> Option<Issuer> {
        match self {
            IssuerInPath::Anchor(issuer) => Some((*issuer).clone()),
            IssuerInPath::Intermediate(cert) => Issuer::of(&cert.der()),
        }
    }
}

/// A certificate of a path whose revocation is asked after.
pub(crate) struct Subject<'a> {
    /// The content of its serial number's INTEGER.
    pub(crate) serial: &'a [u8],
    /// The end of its life.
    pub(crate) not_after: Moment,
}

impl<'a> Subject<'a> {
    fn new(path: &'a Cert<'_>, read: &X509Certificate<'_>) -> Self {
        Subject { serial: path.serial(), not_after: moment_of_asn1(read.validity().not_after) }
    }
}

/// Asks after one certificate of a path, of this issuer.
pub(crate) type AskRevocation<'a> = dyn Fn(&IssuerInPath<'_>, &Subject<'_>) -> Status + 'a;

/// Judges a chain (leaf first) for a purpose at a time. `revocation` is asked for every certificate of the path but the
/// anchor.
pub(crate) fn verify_chain(
    chain: &[CertificateDer<'_>],
    anchors: &Anchors,
    purpose: Purpose,
    at: Moment,
    revocation: &AskRevocation<'_>,
) -> Result<PeerIdentity, PeerFault> {
    let (leaf_der, intermediates) = chain.split_first().ok_or(PeerFault::NoCert)?;
    if chain.len() > CHAIN_CERTIFICATES_MAX || chain.iter().any(|der| der.len() > CERTIFICATE_BYTES_MAX) {
        return Err(PeerFault::ChainTooLong);
    }
    let certificate = leaf::parse(leaf_der)?;
    let end_entity = EndEntityCert::try_from(leaf_der).map_err(|error| PeerFault::of_path(&error))?;
    // Reasons that the library's error type has no room for.
    let own_fault = Cell::new(None);
    let test_only = Cell::new(leaf::is_test_only(&certificate));
    let check = |path: &VerifiedPath<'_>| {
        check_path(path, &certificate, anchors, at, revocation, &test_only).map_err(|fault| {
            own_fault.set(Some(fault));
            PathError::UnknownRevocationStatus
        })
    };
    let built = end_entity.verify_for_usage(
        provider().signature_verification_algorithms.all,
        anchors.roots(),
        intermediates,
        unix_time(at),
        // On authorities a usage counts if present; the leaf's must be present, which is checked below.
        KeyUsage::required_if_present(purpose.oid()),
        None,
        Some(&check),
    );
    if let Err(error) = built {
        return Err(own_fault.get().unwrap_or_else(|| PeerFault::of_path(&error)));
    }
    leaf::check_leaf(&certificate, purpose)?;
    let identity = identity_in(&certificate).map_err(|_| PeerFault::BadIdentity)?;
    if identity.environment() == Environment::Production && test_only.get() {
        return Err(PeerFault::WrongEnvironment);
    }
    Ok(PeerIdentity::new(identity, &certificate))
}

/// What we ask of a path whose signatures, dates and constraints are good, from this leaf on.
fn check_path(
    path: &VerifiedPath<'_>,
    leaf: &X509Certificate<'_>,
    anchors: &Anchors,
    at: Moment,
    revocation: &AskRevocation<'_>,
    test_only: &Cell<bool>,
) -> Result<(), PeerFault> {
    let anchor = anchors.facts_of(path.anchor()).ok_or(PeerFault::UnknownCa)?;
    if !anchor.is_in_force(at) {
        return Err(PeerFault::Expired);
    }
    let mut marked = test_only.get() || anchor.is_test_only();
    let mut subject = Subject::new(path.end_entity(), leaf);
    for issuer in path.intermediate_certificates() {
        let der = issuer.der();
        let certificate = leaf::parse(&der)?;
        leaf::check_issuer(&certificate)?;
        marked |= leaf::is_test_only(&certificate);
        refuse_revoked(revocation(&IssuerInPath::Intermediate(issuer), &subject))?;
        subject = Subject::new(issuer, &certificate);
    }
    refuse_revoked(revocation(&IssuerInPath::Anchor(anchor.issuer()), &subject))?;
    test_only.set(marked);
    Ok(())
}

fn refuse_revoked(status: Status) -> Result<(), PeerFault> {
    match status {
        Status::Good => Ok(()),
        Status::Revoked { .. } => Err(PeerFault::Revoked),
        Status::Missing => Err(PeerFault::CrlMissing),
        Status::Expired { .. } => Err(PeerFault::CrlExpired),
    }
}
