//! The evidence key: signs statements and nothing else.

use std::{fmt, path::Path};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    },
};
use protocol::{
    jws::{Algorithm, SignFault, Signer},
    limits::JWS_CHAIN_MAX,
    moment::Moment,
    party::{Environment, Identity},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{
    credential::{CredentialFault, OwnCertificate, without_anchor},
    leaf::{self, Purpose},
    pem,
    policy::Policy,
};

/// Why an evidence certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceSignerFault {
    /// Certificate or key do not do.
    #[error("the evidence certificate cannot be used")]
    Credential(#[from] CredentialFault),
    /// Statements are signed with ES256 or ES384 only.
    #[error(
        "the evidence key is not ECDSA P-256 or P-384 in PKCS#8; next: order a certificate for such a key"
    )]
    Key,
    /// More certificates than a statement may carry.
    #[error("the evidence chain has more than {JWS_CHAIN_MAX} certificates below the root")]
    ChainTooLong,
}

/// Signs statements with one evidence key.
pub struct EvidenceSigner {
    key: EcdsaKeyPair,
    algorithm: Algorithm,
    chain: Vec<Vec<u8>>,
    own: OwnCertificate,
}

impl fmt::Debug for EvidenceSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvidenceSigner")
            .field("identity", self.identity())
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl EvidenceSigner {
    /// Reads a chain (evidence certificate first) and its key, and checks that it is fit for evidence here and now.
    pub fn load(
        chain: &Path,
        key: &Path,
        policy: &Policy,
        environment: Environment,
        now: Moment,
    ) -> Result<Self, EvidenceSignerFault> {
        let chain = pem::certificates(chain).map_err(CredentialFault::File)?;
        let key = pem::private_key(key).map_err(CredentialFault::File)?;
        EvidenceSigner::new(chain, &key, policy, environment, now)
    }

    /// The same from PEM text.
    pub fn from_pem(
        chain: &[u8],
        key: &[u8],
        policy: &Policy,
        environment: Environment,
        now: Moment,
    ) -> Result<Self, EvidenceSignerFault> {
        let origin = Path::new("evidence");
        let chain = pem::certificates_in(chain, origin).map_err(CredentialFault::File)?;
        let key = pem::private_key_in(key, origin).map_err(CredentialFault::File)?;
        EvidenceSigner::new(chain, &key, policy, environment, now)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'static>,
        policy: &Policy,
        environment: Environment,
        now: Moment,
    ) -> Result<Self, EvidenceSignerFault> {
        let own = OwnCertificate::of(&chain, policy)?;
        own.check(Purpose::Evidence, environment, now)?;
        let chain = without_anchor(chain);
        if chain.len() > JWS_CHAIN_MAX {
            return Err(EvidenceSignerFault::ChainTooLong);
        }
        let (key, algorithm) = read_key(key)?;
        let leaf = chain.first().ok_or(CredentialFault::Unreadable)?;
        let certificate = leaf::parse(leaf).map_err(|_| CredentialFault::Unreadable)?;
        if certificate.public_key().subject_public_key.as_ref() != key.public_key().as_ref() {
            return Err(CredentialFault::KeyMismatch.into());
        }
        let chain = chain.iter().map(|der| der.to_vec()).collect();
        Ok(EvidenceSigner { key, algorithm, chain, own })
    }

    /// The identity that statements are signed for.
    pub fn identity(&self) -> &Identity {
        self.own.peer.identity()
    }

    /// The end of the certificate's life.
    pub fn not_after(&self) -> Moment {
        self.own.peer.not_after()
    }
}

/// The key's curve decides the algorithm. The fixed-length signature form is that of JOSE (RFC 7518 section 3.4).
fn read_key(key: &PrivateKeyDer<'_>) -> Result<(EcdsaKeyPair, Algorithm), EvidenceSignerFault> {
    let PrivateKeyDer::Pkcs8(pkcs8) = key else { return Err(EvidenceSignerFault::Key) };
    let der = pkcs8.secret_pkcs8_der();
    if let Ok(pair) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der) {
        return Ok((pair, Algorithm::Es256));
    }
    match EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der) {
        Ok(pair) => Ok((pair, Algorithm::Es384)),
        Err(_) => Err(EvidenceSignerFault::Key),
    }
}

impl Signer for EvidenceSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        let signature = self.key.sign(&SystemRandom::new(), message).map_err(|_| SignFault)?;
        Ok(signature.as_ref().to_vec())
    }
}
