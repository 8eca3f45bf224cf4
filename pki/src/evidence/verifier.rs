//! Judging who signed a statement, at the time of the receiver.

use std::{path::Path, sync::Arc};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use protocol::{
    jws::{Algorithm, SignedBytes, SignerFault, Verifier},
    moment::Moment,
    party::Identity,
};
use rustls_pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384},
};

use crate::{
    anchors::{AnchorFault, Anchors},
    clock,
    crl::CrlRefused,
    crl_archive::CrlArchive,
    crl_index::Consulted,
    fault::PeerFault,
    leaf::{self, Purpose},
    path::Judge,
    pem::{self, PemFault},
    policy::Policy,
    trust::Trust,
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
#[derive(Debug)]
pub struct EvidenceVerifier {
    material: Material,
}

#[derive(Debug)]
enum Material {
    /// The trust of a running gateway.
    Live(Arc<Trust>),
    /// Those of a bundle.
    Archive(Box<Archive>),
}

/// Anchors and lists of any age.
#[derive(Debug)]
struct Archive {
    anchors: Anchors,
    crls: CrlArchive,
    freshness: Freshness,
    policy: Policy,
}

impl EvidenceVerifier {
    /// Judges by the anchors and lists in force.
    pub fn live(trust: Arc<Trust>) -> Self {
        EvidenceVerifier { material: Material::Live(trust) }
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
            Material::Live(trust) => trust.crls().by_end().iter().map(|list| list.der().to_vec()).collect(),
            Material::Archive(archive) => archive.crls.der().map(|der| der.to_vec()).collect(),
        }
    }

    /// The lists that judgements rely on, as PEM text: the "lists relied on" of a bundle.
    pub fn crls_pem(&self) -> String {
        self.crls_der().iter().map(|der| pem::encode(pem::CRL, der)).collect()
    }

    fn identity_of_chain(&self, chain: &[CertificateDer<'_>], at: Moment) -> Result<Identity, PeerFault> {
        let now = clock::now();
        let purpose = Purpose::Evidence;
        let peer = match &self.material {
            Material::Live(trust) => Judge {
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
        Ok(peer.identity().clone())
    }
}

impl Verifier for EvidenceVerifier {
    fn verify(&self, signed: &SignedBytes<'_>, at: Moment) -> Result<Identity, SignerFault> {
        let chain: Vec<CertificateDer<'_>> =
            signed.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let leaf = chain.first().ok_or_else(|| untrusted(PeerFault::NoCert))?;
        let certificate = leaf::parse(leaf).map_err(untrusted)?;
        check_signature(&certificate, signed)?;
        self.identity_of_chain(&chain, at).map_err(untrusted)
    }
}

fn untrusted(fault: PeerFault) -> SignerFault {
    SignerFault::Untrusted(fault.code().to_owned())
}

/// The algorithm must be the one of the certificate's key: a header cannot choose.
fn check_signature(certificate: &X509Certificate<'_>, signed: &SignedBytes<'_>) -> Result<(), SignerFault> {
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    if key.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err(untrusted(PeerFault::WeakKey));
    }
    let algorithm = match (signed.algorithm, curve) {
        (Algorithm::Es256, Some(curve)) if curve == OID_EC_P256 => &ECDSA_P256_SHA256_FIXED,
        (Algorithm::Es384, Some(curve)) if curve == OID_NIST_EC_P384 => &ECDSA_P384_SHA384_FIXED,
        _ => return Err(SignerFault::BadSignature),
    };
    UnparsedPublicKey::new(algorithm, key.subject_public_key.as_ref())
        .verify(signed.message, signed.signature)
        .map_err(|_| SignerFault::BadSignature)
}
