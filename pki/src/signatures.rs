//! Which signatures count, in certificates, revocation lists and handshakes alike, written out.
//!
//! None with SHA-1, no RSA below 2048 bits, no curve below 256 bits, whatever the libraries would take
//! (TLS暗号設定ガイドライン, 高セキュリティ型).

use rustls::{SignatureScheme, crypto::WebPkiSupportedAlgorithms};
use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as algorithms;
use x509_parser::{
    asn1_rs::{Any, FromDer as _, Tag},
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use crate::der;

/// Bits of an RSA modulus.
const RSA_BITS_MIN: usize = 2048;

/// The kinds of key and signature that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Signatures {
    /// ECDSA over P-256, P-384 and P-521, Ed25519, RSA from 2048 bits.
    #[default]
    Usual,
    /// These, and ML-DSA (FIPS 204), which most other programs cannot read yet.
    WithMlDsa,
    /// ECDSA and RSA only: what the TLS暗号設定ガイドライン names for certificates.
    Guideline,
}

impl Signatures {
    /// In the form that the TLS library takes.
    pub(crate) fn algorithms(self) -> &'static WebPkiSupportedAlgorithms {
        match self {
            Signatures::Usual => &USUAL,
            Signatures::WithMlDsa => &WITH_ML_DSA,
            Signatures::Guideline => &GUIDELINE,
        }
    }

    /// Does this public key count?
    pub(crate) fn accept_key(self, key: &SubjectPublicKeyInfo<'_>) -> bool {
        let algorithm = &key.algorithm.algorithm;
        if *algorithm == OID_PKCS1_RSAENCRYPTION {
            return matches!(key.parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= RSA_BITS_MIN);
        }
        if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
            let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
            let accepted = [OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521];
            return curve.is_some_and(|curve| accepted.contains(&curve));
        }
        match self {
            Signatures::Guideline => false,
            Signatures::Usual => *algorithm == OID_SIG_ED25519,
            Signatures::WithMlDsa => *algorithm == OID_SIG_ED25519 || ML_DSA.contains(&algorithm.as_bytes()),
        }
    }

    /// Checks the signature of a signed structure in DER (certificate or list) by a SubjectPublicKeyInfo in DER.
    pub(crate) fn verify(self, signed: &[u8], key: &[u8]) -> Result<(), SignatureFault> {
        let parts = SignedParts::of(signed).ok_or(SignatureFault::Malformed)?;
        let (key_algorithm, key) = public_key_of(key).ok_or(SignatureFault::Malformed)?;
        let fitting = |candidate: &&&dyn SignatureVerificationAlgorithm| {
            *candidate.signature_alg_id() == *parts.algorithm
                && *candidate.public_key_alg_id() == *key_algorithm
        };
        let algorithm = self.algorithms().all.iter().find(fitting).ok_or(SignatureFault::NotAccepted)?;
        let verified = algorithm.verify_signature(key, parts.message, parts.signature);
        verified.map_err(|_| SignatureFault::Bad)
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureFault {
    /// Not a signed structure.
    Malformed,
    /// An algorithm that is not accepted, or not one for such a key.
    NotAccepted,
    /// Not made by this key, or altered since.
    Bad,
}

/// `SEQUENCE { message, algorithm, signature }` (RFC 5280 section 4.1).
struct SignedParts<'a> {
    message: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> SignedParts<'a> {
    fn of(signed: &'a [u8]) -> Option<Self> {
        let content = der::content_of(signed, Tag::Sequence)?;
        let (rest, _) = Any::from_der(content).ok()?;
        let message = content.get(..content.len() - rest.len())?;
        match der::elements(rest)?.as_slice() {
            [algorithm, signature] => Some(SignedParts {
                message,
                algorithm: whole(algorithm, Tag::Sequence)?,
                signature: whole_octets(signature)?,
            }),
            _ => None,
        }
    }
}

/// Algorithm and key of a SubjectPublicKeyInfo.
fn public_key_of(key: &[u8]) -> Option<(&[u8], &[u8])> {
    match der::elements(der::content_of(key, Tag::Sequence)?)?.as_slice() {
        [algorithm, key] => Some((whole(algorithm, Tag::Sequence)?, whole_octets(key)?)),
        _ => None,
    }
}

fn whole<'a>(element: &Any<'a>, tag: Tag) -> Option<&'a [u8]> {
    (element.tag() == tag).then_some(element.data)
}

/// The content of a BIT STRING of whole octets.
fn whole_octets<'a>(element: &Any<'a>) -> Option<&'a [u8]> {
    match whole(element, Tag::BitString)? {
        [0, octets @ ..] => Some(octets),
        _ => None,
    }
}

/// ML-DSA-44, -65 and -87, 2.16.840.1.101.3.4.3.17 to 19 (RFC 9881).
const ML_DSA: [&[u8]; 3] = [
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13],
];

/// ECDSA and RSA, and what a choice adds to them. The first algorithm of a scheme is the one of TLS 1.3; in TLS 1.2 the
/// scheme does not fix the curve.
macro_rules! accepted {
    ($($name:ident),*) => {
        WebPkiSupportedAlgorithms {
            all: &[
                algorithms::ECDSA_P256_SHA256,
                algorithms::ECDSA_P256_SHA384,
                algorithms::ECDSA_P256_SHA512,
                algorithms::ECDSA_P384_SHA256,
                algorithms::ECDSA_P384_SHA384,
                algorithms::ECDSA_P384_SHA512,
                algorithms::ECDSA_P521_SHA256,
                algorithms::ECDSA_P521_SHA384,
                algorithms::ECDSA_P521_SHA512,
                algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
                algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
                algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
                algorithms::RSA_PKCS1_2048_8192_SHA256,
                algorithms::RSA_PKCS1_2048_8192_SHA384,
                algorithms::RSA_PKCS1_2048_8192_SHA512,
                $(algorithms::$name,)*
            ],
            mapping: &[
                (
                    SignatureScheme::ECDSA_NISTP384_SHA384,
                    &[
                        algorithms::ECDSA_P384_SHA384,
                        algorithms::ECDSA_P256_SHA384,
                        algorithms::ECDSA_P521_SHA384,
                    ],
                ),
                (
                    SignatureScheme::ECDSA_NISTP256_SHA256,
                    &[
                        algorithms::ECDSA_P256_SHA256,
                        algorithms::ECDSA_P384_SHA256,
                        algorithms::ECDSA_P521_SHA256,
                    ],
                ),
                (
                    SignatureScheme::ECDSA_NISTP521_SHA512,
                    &[
                        algorithms::ECDSA_P521_SHA512,
                        algorithms::ECDSA_P384_SHA512,
                        algorithms::ECDSA_P256_SHA512,
                    ],
                ),
                (SignatureScheme::RSA_PSS_SHA512, &[algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
                (SignatureScheme::RSA_PSS_SHA384, &[algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
                (SignatureScheme::RSA_PSS_SHA256, &[algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
                (SignatureScheme::RSA_PKCS1_SHA512, &[algorithms::RSA_PKCS1_2048_8192_SHA512]),
                (SignatureScheme::RSA_PKCS1_SHA384, &[algorithms::RSA_PKCS1_2048_8192_SHA384]),
                (SignatureScheme::RSA_PKCS1_SHA256, &[algorithms::RSA_PKCS1_2048_8192_SHA256]),
                $((SignatureScheme::$name, &[algorithms::$name]),)*
            ],
        }
    };
}

static GUIDELINE: WebPkiSupportedAlgorithms = accepted!();
static USUAL: WebPkiSupportedAlgorithms = accepted!(ED25519);
static WITH_ML_DSA: WebPkiSupportedAlgorithms = accepted!(ED25519, ML_DSA_44, ML_DSA_65, ML_DSA_87);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_choice_takes_sha_1_and_only_its_own_takes_ml_dsa_and_the_guideline_takes_no_ed25519() {
        for choice in [Signatures::Usual, Signatures::WithMlDsa, Signatures::Guideline] {
            let schemes = choice.algorithms().supported_schemes();
            for weak in [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy] {
                assert!(!schemes.contains(&weak));
            }
            assert_eq!(schemes.contains(&SignatureScheme::ML_DSA_65), choice == Signatures::WithMlDsa);
            assert_eq!(schemes.contains(&SignatureScheme::ED25519), choice != Signatures::Guideline);
        }
    }

    #[test]
    fn the_usual_choice_is_the_librarys_own_list_without_ml_dsa_and_absent_parameters() {
        // A library that takes up something new shows here, to be decided upon.
        let library = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
        let mut schemes = library.supported_schemes();
        let ml_dsa = [SignatureScheme::ML_DSA_44, SignatureScheme::ML_DSA_65, SignatureScheme::ML_DSA_87];
        schemes.retain(|scheme| !ml_dsa.contains(scheme));
        let mut ours = USUAL.supported_schemes();
        let order = |scheme: &SignatureScheme| u16::from(*scheme);
        schemes.sort_by_key(order);
        ours.sort_by_key(order);
        assert_eq!(ours, schemes);
        assert_eq!((library.all.len(), USUAL.all.len()), (22, 16));
    }
}
