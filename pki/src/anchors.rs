//! The configured roots of trust.
//!
//! Path building takes an anchor as given and looks neither at its dates nor at its extensions; both are checked here.

use protocol::moment::Moment;
use rustls_pki_types::{CertificateDer, TrustAnchor};

use crate::{clock::moment_of_asn1, issuer::Issuer, leaf, peer::name_text};

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
    /// None at all.
    #[error("no anchor is configured; next: name the file of the authority's root certificate")]
    None,
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

/// The configured roots of trust; at least one.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// What path building works with; same order as `facts`.
    roots: Vec<TrustAnchor<'static>>,
    facts: Vec<Anchor>,
}

impl Anchors {
    /// Takes these certificates as anchors. Their dates are not judged: see [`Anchors::check_in_force`].
    pub fn new(certificates: &[CertificateDer<'_>]) -> Result<Self, AnchorFault> {
        if certificates.is_empty() {
            return Err(AnchorFault::None);
        }
        let mut anchors = Anchors { roots: Vec::new(), facts: Vec::new() };
        for certificate in certificates {
            let parsed = leaf::parse(certificate).map_err(|_| AnchorFault::Unreadable)?;
            let root = webpki::anchor_from_trusted_cert(certificate).map_err(|_| AnchorFault::Unreadable)?;
            let issuer = Issuer::of(certificate)
                .ok_or_else(|| AnchorFault::NotAnAuthority { subject: name_text(parsed.subject()) })?;
            anchors.roots.push(root.to_owned());
            anchors.facts.push(Anchor {
                issuer,
                not_before: moment_of_asn1(parsed.validity().not_before),
                not_after: moment_of_asn1(parsed.validity().not_after),
                test_only: leaf::is_test_only(&parsed),
            });
        }
        Ok(anchors)
    }

    /// Refuses if an anchor is outside its dates.
    pub fn check_in_force(&self, at: Moment) -> Result<(), AnchorFault> {
        for anchor in &self.facts {
            let subject = || anchor.issuer.text().to_owned();
            if at < anchor.not_before {
                return Err(AnchorFault::NotYetValid { subject: subject(), not_before: anchor.not_before });
            }
            if at > anchor.not_after {
                return Err(AnchorFault::Expired { subject: subject(), not_after: anchor.not_after });
            }
        }
        Ok(())
    }

    /// The anchors.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> + Clone {
        self.facts.iter()
    }

    pub(crate) fn roots(&self) -> &[TrustAnchor<'static>] {
        &self.roots
    }

    /// The anchor at which a path ended.
    pub(crate) fn facts_of(&self, root: &TrustAnchor<'_>) -> Option<&Anchor> {
        let same = |known: &&TrustAnchor<'static>| {
            known.subject == root.subject && known.subject_public_key_info == root.subject_public_key_info
        };
        let at = self.roots.iter().position(|known| same(&known))?;
        self.facts.get(at)
    }
}
