//! Judging who signed a statement, at the time of the receiver.

use std::{path::Path, sync::Arc};

use protocol::{
    jws::{SignedBytes, SignerFault, Verifier},
    moment::Moment,
    party::Identity,
};
use rustls_pki_types::CertificateDer;

use super::{signer_key::SignerKey, untrusted};
use crate::{
    anchors::{AnchorFault, Anchors},
    clock,
    crl::CrlRefused,
    crl_archive::CrlArchive,
    crl_index::Consulted,
    fault::PeerFault,
    leaf::{self, Purpose},
    path::Judge,
    peer::PeerIdentity,
    pem::{self, PemFault},
    policy::Policy,
    trust::Trust,
    verdicts::{ChainDigest, Verdicts},
};

/// At which time a revocation list must not have ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Now: for statements that come in.
    Live,
    /// When the statement was received: for an auditor, years later.
    AtTime,
}

/// Why material for verifying cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceVerifierFault {
    /// Not PEM, or nothing in it.
    #[error("the anchors or revocation lists cannot be read")]
    Pem(#[from] PemFault),
    /// An anchor cannot be used.
    #[error("an anchor cannot be used")]
    Anchor(#[from] AnchorFault),
    /// A revocation list cannot be read.
    #[error("a revocation list cannot be used")]
    Crl(#[from] CrlRefused),
}

/// Judges the signers of statements.
///
/// A signer counts if its chain leads to an anchor, every certificate was within its dates at the time in question,
/// none was revoked at or before that time, the leaf is for evidence and nothing else, and the algorithm is its key's.
/// The date of revocation counts, not the date since which its holder says the key was lost: else a signer could take
/// a statement back.
pub struct EvidenceVerifier {
    material: Material,
}

enum Material {
    /// The trust of a running gateway, and whoever was judged by it.
    Live { trust: Arc<Trust>, signers: Verdicts<Signer> },
    /// Those of a bundle.
    Archive(Box<Archive>),
}

/// Anchors and lists of any age.
struct Archive {
    anchors: Anchors,
    crls: CrlArchive,
    freshness: Freshness,
    policy: Policy,
}

impl EvidenceVerifier {
    /// Judges by the anchors and lists in force, for its life: after a reload make a new one.
    pub fn live(trust: Arc<Trust>) -> Self {
        EvidenceVerifier { material: Material::Live { trust, signers: Verdicts::default() } }
    }

    /// Judges by these anchors (PEM) and lists (each PEM, with one or several lists, or DER). The certificates of
    /// authorities between leaf and anchor come with each statement. A list that no authority in a path has signed
    /// plays no part.
    pub fn from_pem(
        anchors: &[u8],
        crls: &[Vec<u8>],
        freshness: Freshness,
        policy: Policy,
    ) -> Result<Self, EvidenceVerifierFault> {
        let origin = Path::new("evidence");
        let anchors = Anchors::of_any_date(&pem::certificates_in(anchors, origin)?, policy.signatures)?;
        let mut lists = Vec::new();
        for bytes in crls {
            lists.extend(pem::crls_in(bytes, origin)?);
        }
        let crls = CrlArchive::parse(&lists, policy.signatures)?;
        let archive = Archive { anchors, crls, freshness, policy };
        Ok(EvidenceVerifier { material: Material::Archive(Box::new(archive)) })
    }

    /// The lists that judgements rely on, in DER.
    pub fn crls_der(&self) -> Vec<Vec<u8>> {
        match &self.material {
            Material::Live { trust, .. } => {
                trust.crls().by_end().iter().map(|list| list.der().to_vec()).collect()
            }
            Material::Archive(archive) => archive.crls.der().map(|der| der.to_vec()).collect(),
        }
    }

    /// The lists that judgements rely on, as PEM text: the "lists relied on" of a bundle.
    pub fn crls_pem(&self) -> String {
        self.crls_der().iter().map(|der| pem::encode(pem::CRL, der)).collect()
    }

    /// Judges who signed at `at`, as of `now`. What was signed is verified each time; the chain of whoever signed before
    /// only if what was found then no longer holds.
    pub(super) fn signer(
        &self,
        signed: &SignedBytes<'_>,
        at: Moment,
        now: Moment,
    ) -> Result<Arc<Signer>, SignerFault> {
        let chain: Vec<CertificateDer<'_>> =
            signed.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let kept = match &self.material {
            Material::Live { signers, .. } => Some((signers, ChainDigest::of(&chain))),
            Material::Archive(_) => None,
        };
        if let Some(signer) = kept.and_then(|(signers, digest)| signers.find(digest, at, now)) {
            signer.key.verify(signed)?;
            return Ok(signer);
        }
        let leaf = chain.first().ok_or_else(|| untrusted(PeerFault::NoCert))?;
        let key = SignerKey::of(&leaf::parse(leaf).map_err(untrusted)?)?;
        key.verify(signed)?;
        let peer = self.judge(&chain, at, now).map_err(untrusted)?;
        let signer = Arc::new(Signer { key, identity: peer.identity().clone() });
        if let Some((signers, digest)) = kept {
            signers.keep(digest, &signer, at, peer.verdict_ends());
        }
        Ok(signer)
    }

    fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        at: Moment,
        now: Moment,
    ) -> Result<PeerIdentity, PeerFault> {
        let purpose = Purpose::Evidence;
        let peer = match &self.material {
            Material::Live { trust, .. } => Judge {
                anchors: trust.anchors(),
                policy: trust.policy(),
                purpose,
                at,
                revocation: &|issuer, subject| trust.crls().consult(&issuer.id(), subject, now, Some(at)),
            }
            .judge(chain),
            Material::Archive(archive) => {
                let Archive { anchors, crls, freshness, policy } = archive.as_ref();
                let fresh_at = match freshness {
                    Freshness::Live => now,
                    Freshness::AtTime => at,
                };
                Judge {
                    anchors,
                    policy,
                    purpose,
                    at,
                    revocation: &|issuer, subject| {
                        let Some(issuer) = issuer.issuer(policy) else { return Consulted::MISSING };
                        crls.consult(&issuer, subject, fresh_at, at)
                    },
                }
                .judge(chain)
            }
        }?;
        if let Some(grace) = peer.grace() {
            grace.log("signer");
        }
        Ok(peer)
    }
}

impl Verifier for EvidenceVerifier {
    fn verify(&self, signed: &SignedBytes<'_>, at: Moment) -> Result<Identity, SignerFault> {
        Ok(self.signer(signed, at, clock::now())?.identity.clone())
    }
}

/// Whoever signed, and counts.
#[derive(Debug)]
pub(super) struct Signer {
    key: SignerKey,
    identity: Identity,
}
