//! The public key of whoever signed a statement.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ParsedPublicKey};
use protocol::jws::{Algorithm, SignedBytes, SignerFault};
use x509_parser::{
    certificate::X509Certificate,
    oid_registry::{OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384},
};

use super::untrusted;
use crate::fault::PeerFault;

/// A key, read once for all that it signed.
#[derive(Debug)]
pub(super) struct SignerKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl SignerKey {
    /// That of this certificate.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, SignerFault> {
        let key = certificate.public_key();
        let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        if key.algorithm.algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
            return Err(untrusted(PeerFault::WeakKey));
        }
        let (algorithm, verifying) = match curve {
            Some(curve) if curve == OID_EC_P256 => (Algorithm::Es256, &ECDSA_P256_SHA256_FIXED),
            Some(curve) if curve == OID_NIST_EC_P384 => (Algorithm::Es384, &ECDSA_P384_SHA384_FIXED),
            _ => return Err(SignerFault::BadSignature),
        };
        let key = ParsedPublicKey::new(verifying, key.subject_public_key.as_ref());
        Ok(SignerKey { algorithm, key: key.map_err(|_| SignerFault::BadSignature)? })
    }

    /// Did it sign this? The algorithm must be its own: a header cannot choose.
    pub(super) fn verify(&self, signed: &SignedBytes<'_>) -> Result<(), SignerFault> {
        if signed.algorithm != self.algorithm {
            return Err(SignerFault::BadSignature);
        }
        self.key.verify_sig(signed.message, signed.signature).map_err(|_| SignerFault::BadSignature)
    }
}
