//! Our own checks of single certificates, beyond those of path building: what the library leaves to its user.
//!
//! It accepts a leaf without extended key usage, ignores key usage altogether, and knows no longest life.

use rustls_pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{KeyUsage, ParsedExtension},
    oid_registry::{
        OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION,
        OID_SIG_ED25519,
    },
    prelude::FromDer as _,
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use crate::{fault::PeerFault, oid};

/// Days between notBefore and notAfter of a leaf. The longest life in use in the claims systems is 39 months; five
/// years leave room, and decades are a mistake of whoever issued it.
pub const LIFETIME_MAX_DAYS: i64 = 5 * 366;

/// Bits of an RSA modulus (TLS暗号設定ガイドライン, 高セキュリティ型).
const RSA_BITS_MIN: usize = 2048;

/// Octets of a serial number (RFC 5280 section 4.1.2.2).
const SERIAL_OCTETS_MAX: usize = 20;

/// What a leaf certificate is shown for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The client side of TLS.
    TlsClient,
    /// The server side of TLS.
    TlsServer,
    /// Signing manifests, receipts, refusals and acknowledgements.
    Evidence,
}

impl Purpose {
    /// The extended key usage it needs, as the content bytes of the OID.
    pub fn oid(self) -> &'static [u8] {
        match self {
            Purpose::TlsClient => oid::CLIENT_AUTH,
            Purpose::TlsServer => oid::SERVER_AUTH,
            Purpose::Evidence => oid::EVIDENCE,
        }
    }
}

/// Reads one certificate to its last byte.
pub(crate) fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, PeerFault> {
    match X509Certificate::from_der(der.as_ref()) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(PeerFault::Malformed),
    }
}

/// What we ask of a leaf beyond path building.
pub(crate) fn check_leaf(certificate: &X509Certificate<'_>, purpose: Purpose) -> Result<(), PeerFault> {
    check_serial(certificate.raw_serial())?;
    check_key(certificate.public_key())?;
    if certificate.is_ca() {
        return Err(PeerFault::WrongBasicConstraints);
    }
    if let Some(usage) = key_usage(certificate)?
        && (!usage.digital_signature() || usage.key_cert_sign() || usage.crl_sign())
    {
        return Err(PeerFault::WrongKu);
    }
    check_extended_key_usage(certificate, purpose)?;
    let validity = certificate.validity();
    let seconds = validity.not_after.timestamp().saturating_sub(validity.not_before.timestamp());
    if seconds > LIFETIME_MAX_DAYS * 24 * 60 * 60 {
        return Err(PeerFault::LifetimeTooLong);
    }
    Ok(())
}

/// What we ask of an authority's certificate beyond path building.
pub(crate) fn check_issuer(certificate: &X509Certificate<'_>) -> Result<(), PeerFault> {
    check_serial(certificate.raw_serial())?;
    check_key(certificate.public_key())?;
    if !certificate.is_ca() {
        return Err(PeerFault::WrongBasicConstraints);
    }
    match key_usage(certificate)? {
        Some(usage) if !usage.key_cert_sign() => Err(PeerFault::WrongKu),
        _ => Ok(()),
    }
}

/// The key usage, if there is one; two of them, or an unreadable one, is a malformed certificate.
pub(crate) fn key_usage(certificate: &X509Certificate<'_>) -> Result<Option<KeyUsage>, PeerFault> {
    let usage = certificate.key_usage().map_err(|_| PeerFault::Malformed)?;
    Ok(usage.map(|extension| *extension.value))
}

/// Does a certificate policy mark it as made by a lab authority?
pub(crate) fn is_test_only(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::CertificatePolicies(policies) => {
            policies.iter().any(|policy| policy.policy_id.as_bytes() == oid::TEST_ONLY)
        }
        _ => false,
    })
}

fn check_extended_key_usage(certificate: &X509Certificate<'_>, purpose: Purpose) -> Result<(), PeerFault> {
    let usage = certificate.extended_key_usage().map_err(|_| PeerFault::Malformed)?;
    let usage = usage.ok_or(PeerFault::WrongEku)?.value;
    let evidence = usage.other.iter().any(|purpose| purpose.as_bytes() == oid::EVIDENCE);
    let fits = match purpose {
        Purpose::TlsClient => usage.client_auth,
        Purpose::TlsServer => usage.server_auth,
        // A TLS key is used by machines all day long; what it signs is no evidence.
        Purpose::Evidence => evidence && !usage.client_auth && !usage.server_auth && !usage.any,
    };
    if fits { Ok(()) } else { Err(PeerFault::WrongEku) }
}

/// Positive, at most 20 octets (RFC 5280 section 4.1.2.2). `serial` is the content of the INTEGER.
fn check_serial(serial: &[u8]) -> Result<(), PeerFault> {
    let positive =
        serial.first().is_some_and(|first| first & 0x80 == 0) && serial.iter().any(|byte| *byte != 0);
    if positive && serial.len() <= SERIAL_OCTETS_MAX { Ok(()) } else { Err(PeerFault::Malformed) }
}

pub(crate) fn check_key(key: &SubjectPublicKeyInfo<'_>) -> Result<(), PeerFault> {
    let algorithm = &key.algorithm.algorithm;
    let accepted = if *algorithm == OID_PKCS1_RSAENCRYPTION {
        matches!(key.parsed(), Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= RSA_BITS_MIN)
    } else if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
        curve.is_some_and(|oid| [OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521].contains(&oid))
    } else {
        *algorithm == OID_SIG_ED25519 || ML_DSA.contains(&algorithm.as_bytes())
    };
    if accepted { Ok(()) } else { Err(PeerFault::WeakKey) }
}

/// ML-DSA-44, -65 and -87, 2.16.840.1.101.3.4.3.17 to 19 (RFC 9881).
const ML_DSA: [&[u8]; 3] = [
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12],
    &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13],
];
