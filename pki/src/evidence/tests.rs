//! Whose signature counts, when, and whose does not.

mod bundle;
mod kept;
mod signer;
mod verifier;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use protocol::{
    jws::{SignedBytes, Signer, SignerFault, Verifier as _},
    moment::Moment,
    party::{Environment, Identity},
};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::CertificateDer;

use super::{EvidenceSigner, EvidenceSignerFault, EvidenceVerifier};
use crate::{
    clock, oid,
    policy::Policy,
    testing::{self, Authority, INSTITUTION, Leaf, leaf_params},
};

const MESSAGE: &[u8] = b"header.payload";

fn evidence_params() -> CertificateParams {
    leaf_params(INSTITUTION, oid::EVIDENCE)
}

/// A signer with this leaf and the certificates above it.
fn signer(leaf: &Leaf, above: &[&CertificateDer<'_>]) -> Result<EvidenceSigner, EvidenceSignerFault> {
    let chain: Vec<&CertificateDer<'_>> = std::iter::once(&leaf.der).chain(above.iter().copied()).collect();
    let (chain, key) = (testing::certificates_pem(&chain), testing::key_pem(&leaf.key));
    EvidenceSigner::from_pem(&chain, &key, &Policy::default(), Environment::Test, clock::now())
}

/// Does what this signer signs count at `at`?
fn judge(verifier: &EvidenceVerifier, signer: &EvidenceSigner, at: Moment) -> Result<Identity, SignerFault> {
    verifier.verify(&signed_by(signer, &signer.sign(MESSAGE).unwrap()), at)
}

fn signed_by<'a>(signer: &'a EvidenceSigner, signature: &'a [u8]) -> SignedBytes<'a> {
    SignedBytes { algorithm: signer.algorithm(), chain: signer.chain(), message: MESSAGE, signature }
}

fn untrusted(code: &str) -> Result<Identity, SignerFault> {
    Err(SignerFault::Untrusted(code.to_owned()))
}

/// A P-384 key.
fn p384() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap()
}

fn root_with_leaf(params: &CertificateParams) -> (Authority, Leaf) {
    let root = Authority::root("root");
    let leaf = root.leaf(params);
    (root, leaf)
}

/// Signs with the key alone, whatever its certificate is for.
fn sign_es256(key: &KeyPair) -> Vec<u8> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.serialized_der()).unwrap();
    pair.sign(&SystemRandom::new(), MESSAGE).unwrap().as_ref().to_vec()
}
