//! The configured roots of trust.
//!
//! Path building takes an anchor as given and looks neither at its dates nor at its extensions; both are checked here.

use protocol::moment::Moment;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::{clock::moment_of_asn1, issuer::Issuer, leaf, names::name_text, signatures::Signatures};

/// Why a certificate cannot be an anchor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnchorFault {
    /// Not a certificate that can be read.
    #[error("an anchor is no readable certificate; next: copy the root certificate again from its authority")]
    Unreadable,
    /// Not the certificate of an authority, or with a key that is too weak.
    #[error(
        "{subject} is no authority's certificate with an accepted key; next: configure the root certificate"
    )]
    NotAnAuthority {
        /// Its name.
        subject: String,
    },
    /// Past its notAfter.
    #[error("the anchor {subject} expired at {not_after}; next: get the authority's new root certificate")]
    Expired {
        /// Its name.
        subject: String,
        /// The end of its life.
        not_after: Moment,
    },
    /// Before its notBefore.
    #[error("the anchor {subject} is not valid before {not_before}; next: check this machine's clock")]
    NotYetValid {
        /// Its name.
        subject: String,
        /// The start of its life.
        not_before: Moment,
    },
}

/// Facts about an anchor that path building does not keep.
#[derive(Clone, Debug)]
pub struct Anchor {
    issuer: Issuer,
    not_before: Moment,
    not_after: Moment,
    test_only: bool,
}

impl Anchor {
    /// Name, key and rights.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The start of its life.
    pub fn not_before(&self) -> Moment {
        self.not_before
    }

    /// The end of its life.
    pub fn not_after(&self) -> Moment {
        self.not_after
    }

    /// Is it marked as a lab's?
    pub fn is_test_only(&self) -> bool {
        self.test_only
    }

    pub(crate) fn is_in_force(&self, at: Moment) -> bool {
        self.not_before <= at && at <= self.not_after
    }
}

/// The configured roots of trust.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// What path building works with; same order as `facts`.
    roots: Vec<TrustAnchor<'static>>,
    facts: Vec<Anchor>,
}

impl Anchors {
    /// Takes these certificates as anchors, whatever their dates: for judging the past.
    pub(crate) fn of_any_date(
        certificates: &[CertificateDer<'_>],
        signatures: Signatures,
    ) -> Result<Self, AnchorFault> {
        let mut anchors = Anchors::default();
        certificates.iter().try_for_each(|certificate| anchors.add(certificate, signatures, None))?;
        Ok(anchors)
    }

    /// Takes a certificate as an anchor, if it is in force at this time.
    pub(crate) fn add(
        &mut self,
        certificate: &CertificateDer<'_>,
        signatures: Signatures,
        in_force: Option<Moment>,
    ) -> Result<(), AnchorFault> {
        let parsed = leaf::parse(certificate).map_err(|_| AnchorFault::Unreadable)?;
        let root = webpki::anchor_from_trusted_cert(certificate).map_err(|_| AnchorFault::Unreadable)?;
        let subject = name_text(parsed.subject());
        let Some(issuer) = Issuer::of(certificate, signatures) else {
            return Err(AnchorFault::NotAnAuthority { subject });
        };
        let anchor = Anchor {
            issuer,
            not_before: moment_of_asn1(parsed.validity().not_before),
            not_after: moment_of_asn1(parsed.validity().not_after),
            test_only: leaf::is_test_only(&parsed),
        };
        if in_force.is_some_and(|at| at < anchor.not_before) {
            return Err(AnchorFault::NotYetValid { subject, not_before: anchor.not_before });
        }
        if in_force.is_some_and(|at| at > anchor.not_after) {
            return Err(AnchorFault::Expired { subject, not_after: anchor.not_after });
        }
        self.roots.push(root.to_owned());
        self.facts.push(anchor);
        Ok(())
    }

    /// The anchors.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> + Clone {
        self.facts.iter()
    }

    pub(crate) fn roots(&self) -> &[TrustAnchor<'static>] {
        &self.roots
    }

    /// The anchor at which a path ended; of a root that was certified anew with the same key, the certificate that is in
    /// force.
    pub(crate) fn facts_of(&self, root: &TrustAnchor<'_>, at: Moment) -> Option<&Anchor> {
        let same = |known: &TrustAnchor<'static>| {
            known.subject == root.subject && known.subject_public_key_info == root.subject_public_key_info
        };
        let pairs =
            || self.roots.iter().zip(&self.facts).filter(|(known, _)| same(known)).map(|(_, facts)| facts);
        pairs().find(|anchor| anchor.is_in_force(at)).or_else(|| pairs().next())
    }
}
