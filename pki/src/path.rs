//! From a peer's chain to an anchor: path building by the library, and every certificate of the chosen path asked after.
//!
//! The library verifies a list's signature on every look-up, takes the first list of an issuer's name, and does not look
//! at an anchor's dates; so revocation is asked of our own index, in the callback that may reject a path.

use std::cell::{Cell, RefCell};

use protocol::{
    identity_rule::{CertificateNames, IdentityFault, IssuedBy},
    moment::Moment,
    party::{Environment, Identity},
};
use rustls_pki_types::CertificateDer;
use webpki::{Cert, EndEntityCert, Error as PathError, KeyUsage, VerifiedPath};
use x509_parser::certificate::X509Certificate;

use crate::{
    anchors::{Anchor, Anchors},
    clock::moment_of_asn1,
    clock::unix_time,
    crl_index::{Consulted, Status},
    fault::PeerFault,
    issuer::{Issuer, IssuerId},
    leaf::{self, Purpose},
    names::{distinguished_name, names_of},
    peer::{Description, Grace, PeerIdentity},
    policy::Policy,
    refusal::{Cause, ListFacts, Refusal},
    subject::Subject,
};

/// Certificates a peer may show: a leaf and four issuers. More is cut before anything is read.
pub const CHAIN_CERTIFICATES_MAX: usize = 5;

/// Bytes of one certificate: with a thousand codes about 15 KB, with ML-DSA some more.
pub const CERTIFICATE_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a whole chain, which is also what the TLS library takes in one message.
pub const CHAIN_BYTES_MAX: usize = 64 * 1024;

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
    pub(crate) fn issuer(&self, policy: &Policy) -> Option<Issuer> {
        match self {
            IssuerInPath::Anchor(issuer) => Some((*issuer).clone()),
            IssuerInPath::Intermediate(cert) => Issuer::of(&cert.der(), policy.signatures),
        }
    }
}

/// Asks after one certificate of a path, of this issuer.
pub(crate) type AskRevocation<'a> = dyn Fn(&IssuerInPath<'_>, &Subject<'_>) -> Consulted + 'a;

/// All that a chain is judged by.
pub(crate) struct Judge<'a> {
    pub(crate) anchors: &'a Anchors,
    pub(crate) policy: &'a Policy,
    pub(crate) purpose: Purpose,
    pub(crate) at: Moment,
    /// Asked for every certificate of the path but the anchor.
    pub(crate) revocation: &'a AskRevocation<'a>,
}

/// What is learnt of a good path.
struct Way {
    issued_by: IssuedBy,
    test_only: bool,
    grace: Option<Grace>,
    /// When the first of its certificates ends, the leaf and the anchor included.
    ends: Moment,
    /// When the first of the lists that were asked ends or, by its own dates, names one of the certificates; `None` if
    /// there was none for some certificate.
    lists_end: Option<Moment>,
}

impl Judge<'_> {
    /// Judges a chain, leaf first.
    pub(crate) fn judge(&self, chain: &[CertificateDer<'_>]) -> Result<PeerIdentity, Refusal> {
        let (leaf_der, intermediates) = chain.split_first().ok_or(PeerFault::NoCert)?;
        check_sizes(chain)?;
        let certificate = leaf::parse(leaf_der)?;
        let end_entity = EndEntityCert::try_from(leaf_der).map_err(Refusal::of_path)?;
        // Reasons that the library's error type has no room for, and what was learnt of the path.
        let own = Cell::new(None);
        let way = RefCell::new(None);
        let check = |path: &VerifiedPath<'_>| match self.check_path(path, &certificate) {
            Ok(learnt) => {
                *way.borrow_mut() = Some(learnt);
                Ok(())
            }
            Err(refusal) => {
                own.set(Some(refusal));
                Err(PathError::UnknownRevocationStatus)
            }
        };
        let built = end_entity.verify_for_usage(
            self.policy.signatures.algorithms().all,
            self.anchors.roots(),
            intermediates,
            unix_time(self.at),
            // On authorities a usage counts if present; the leaf's must be present, which is checked below.
            KeyUsage::required_if_present(self.purpose.oid()),
            None,
            Some(&check),
        );
        if let Err(error) = built {
            return Err(own.take().unwrap_or_else(|| Refusal::of_path(error)));
        }
        let way = way.take().ok_or(PeerFault::Other)?;
        self.check_leaf(&certificate, way)
    }

    /// What we ask of a path whose signatures, dates and constraints are good, from this leaf on.
    fn check_path(&self, path: &VerifiedPath<'_>, leaf: &X509Certificate<'_>) -> Result<Way, Refusal> {
        let anchor = self.anchors.facts_of(path.anchor(), self.at).ok_or(PeerFault::UnknownCa)?;
        self.check_dates_of(anchor)?;
        let intermediates: Vec<&Cert<'_>> = path.intermediate_certificates().collect();
        let ders: Vec<CertificateDer<'_>> = intermediates.iter().map(|cert| cert.der()).collect();
        let parsed = ders.iter().map(leaf::parse).collect::<Result<Vec<_>, _>>()?;
        for certificate in &parsed {
            leaf::check_intermediate(certificate, self.policy.signatures)
                .map_err(|fault| Refusal::of(fault, certificate))?;
        }
        // Every certificate beside the one that issued it.
        let serials = intermediates.iter().map(|cert| cert.serial());
        let serials = std::iter::once(path.end_entity().serial()).chain(serials);
        let issuers = intermediates.iter().map(|cert| IssuerInPath::Intermediate(cert));
        let issuers = issuers.chain([IssuerInPath::Anchor(anchor.issuer())]);
        let (mut grace, mut list_ends) = (None, Vec::new());
        for ((certificate, serial), issuer) in std::iter::once(leaf).chain(&parsed).zip(serials).zip(issuers)
        {
            let consulted = (self.revocation)(&issuer, &Subject::new(serial, certificate));
            grace = check_status(&consulted, certificate)?.or(grace);
            list_ends.push(consulted.ends());
        }
        let anchor_name = anchor.issuer().text().to_owned();
        let issued_by = IssuedBy {
            issuer_name: parsed
                .first()
                .map_or_else(|| anchor_name.clone(), |cert| distinguished_name(cert.subject())),
            anchor_name,
            anchor_key: Some(anchor.issuer().id().key()),
        };
        let test_only = anchor.is_test_only() || std::iter::once(leaf).chain(&parsed).any(leaf::is_test_only);
        let ends = std::iter::once(leaf).chain(&parsed).map(|cert| moment_of_asn1(cert.validity().not_after));
        let ends = ends.fold(anchor.not_after(), Moment::min);
        let list_ends: Option<Vec<Moment>> = list_ends.into_iter().collect();
        let lists_end = list_ends.and_then(|ends| ends.into_iter().min());
        Ok(Way { issued_by, test_only, grace, ends, lists_end })
    }

    fn check_dates_of(&self, anchor: &Anchor) -> Result<(), Refusal> {
        let fault = match (self.at < anchor.not_before(), self.at > anchor.not_after()) {
            (false, false) => return Ok(()),
            (true, _) => PeerFault::NotYetValid,
            (_, true) => PeerFault::Expired,
        };
        let name = anchor.issuer().text().to_owned();
        let (not_before, not_after) = (anchor.not_before(), anchor.not_after());
        Err(Refusal::new(fault, Cause::Anchor { name, not_before, not_after }))
    }

    /// What we ask of a leaf beyond its path, and whom it names.
    fn check_leaf(&self, certificate: &X509Certificate<'_>, way: Way) -> Result<PeerIdentity, Refusal> {
        let of_leaf = |fault| Refusal::of(fault, certificate);
        leaf::check_leaf(certificate, self.purpose, self.policy.signatures).map_err(of_leaf)?;
        let identity = identify(certificate, way.issued_by, self.policy).map_err(|source| {
            let cause = Cause::Identity { certificate: Description::of(certificate), source };
            Refusal::new(PeerFault::BadIdentity, cause)
        })?;
        leaf::check_sides(certificate, identity.role()).map_err(of_leaf)?;
        if identity.environment() == Environment::Production && way.test_only {
            return Err(of_leaf(PeerFault::WrongEnvironment));
        }
        Ok(PeerIdentity::new(identity, certificate, way.ends, way.lists_end, way.grace))
    }
}

/// Refuses what is revoked, and what nobody can say this of; the grace by which it counts, if it does by that only.
fn check_status(consulted: &Consulted, certificate: &X509Certificate<'_>) -> Result<Option<Grace>, Refusal> {
    let list = consulted.list.as_deref();
    let fault = match consulted.status {
        Status::Good => return Ok(None),
        Status::Grace { next_update } => {
            let issuer = list.map(|list| list.issuer().to_owned()).unwrap_or_default();
            return Ok(Some(Grace { issuer, next_update }));
        }
        Status::Revoked { .. } => PeerFault::Revoked,
        Status::Missing => PeerFault::CrlMissing,
        Status::Expired { .. } => PeerFault::CrlExpired,
    };
    let certificate = Description::of(certificate);
    let cause = Cause::Revocation { certificate, status: consulted.status, list: list.map(ListFacts::of) };
    Err(Refusal::new(fault, cause))
}

/// The identity that a certificate proves.
pub(crate) fn identify(
    certificate: &X509Certificate<'_>,
    issued_by: IssuedBy,
    policy: &Policy,
) -> Result<Identity, IdentityFault> {
    let names = names_of(certificate)?;
    policy.identities.identify(&CertificateNames { issued_by, names })
}

/// Cuts what is too much before any of it is read.
fn check_sizes(chain: &[CertificateDer<'_>]) -> Result<(), PeerFault> {
    let bytes: usize = chain.iter().map(|der| der.len()).sum();
    let fits = chain.len() <= CHAIN_CERTIFICATES_MAX
        && chain.iter().all(|der| der.len() <= CERTIFICATE_BYTES_MAX)
        && bytes <= CHAIN_BYTES_MAX;
    if fits { Ok(()) } else { Err(PeerFault::ChainTooLong) }
}
