//! Our own checks of single certificates, beyond those of path building: what the library leaves to its user.
//!
//! It accepts a leaf without extended key usage, ignores key usage altogether, and knows no longest life.

use protocol::party::Role;
use rustls_pki_types::CertificateDer;
use x509_parser::{
    certificate::X509Certificate,
    extensions::{KeyUsage, ParsedExtension},
    prelude::FromDer as _,
};

use crate::{fault::PeerFault, oid, signatures::Signatures};

/// Days between notBefore and notAfter of a leaf. The longest life in use in the claims systems is 39 months; five
/// years leave room, and decades are a mistake of whoever issued it.
pub const LIFETIME_MAX_DAYS: i64 = 5 * 366;

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
pub(crate) fn check_leaf(
    certificate: &X509Certificate<'_>,
    purpose: Purpose,
    signatures: Signatures,
) -> Result<(), PeerFault> {
    check_serial(certificate.raw_serial())?;
    check_key(certificate, signatures)?;
    if certificate.is_ca() {
        return Err(PeerFault::WrongBasicConstraints);
    }
    // Constrains what an authority certifies, and says nothing in a leaf (section 4.2.1.10).
    if certificate.name_constraints().is_ok_and(|constraints| constraints.is_some()) {
        return Err(PeerFault::Malformed);
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

/// What we ask of the certificate of an authority below an anchor: as [`check_issuer`], its number must be one, and its key
/// usage must be there (RFC 5280 sections 4.1.2.2 and 4.2.1.3). Old roots lack both, and whoever configures one has decided.
pub(crate) fn check_intermediate(
    certificate: &X509Certificate<'_>,
    signatures: Signatures,
) -> Result<(), PeerFault> {
    check_serial(certificate.raw_serial())?;
    check_issuer(certificate, signatures)?;
    if key_usage(certificate)?.is_some() { Ok(()) } else { Err(PeerFault::WrongKu) }
}

/// What we ask of an authority's certificate beyond path building.
pub(crate) fn check_issuer(
    certificate: &X509Certificate<'_>,
    signatures: Signatures,
) -> Result<(), PeerFault> {
    check_key(certificate, signatures)?;
    if !certificate.is_ca() {
        return Err(PeerFault::WrongBasicConstraints);
    }
    // An authority is told by its name (section 4.1.2.6).
    if certificate.subject().iter().next().is_none() {
        return Err(PeerFault::Malformed);
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

/// The usage of this purpose must be there. Usages of other worlds (mail, smart cards) may stand beside it; "any", and
/// evidence beside TLS, may not: a TLS key is used by machines all day long, so what it signs is no evidence.
fn check_extended_key_usage(certificate: &X509Certificate<'_>, purpose: Purpose) -> Result<(), PeerFault> {
    let usage = certificate.extended_key_usage().map_err(|_| PeerFault::Malformed)?;
    let usage = usage.ok_or(PeerFault::WrongEku)?.value;
    let evidence = usage.other.iter().any(|purpose| purpose.as_bytes() == oid::EVIDENCE);
    let fits = match purpose {
        Purpose::TlsClient => usage.client_auth && !evidence,
        Purpose::TlsServer => usage.server_auth && !evidence,
        Purpose::Evidence => evidence && !usage.client_auth && !usage.server_auth,
    };
    if fits && !usage.any { Ok(()) } else { Err(PeerFault::WrongEku) }
}

/// Who may have one certificate for both sides of TLS: those at the centre, which are dialled and dial others. Whoever only
/// dials has no use for a server's certificate, and a thief of its key would.
pub(crate) fn check_sides(certificate: &X509Certificate<'_>, role: Role) -> Result<(), PeerFault> {
    let usage = certificate.extended_key_usage().map_err(|_| PeerFault::Malformed)?;
    let both = usage.is_some_and(|usage| usage.value.client_auth && usage.value.server_auth);
    match role {
        Role::ReviewAgency | Role::ImplementingBody => Ok(()),
        Role::Institution
        | Role::Insurer
        | Role::HealthInsuranceSociety
        | Role::SocietyVendor
        | Role::BillingAgent => {
            if both {
                Err(PeerFault::WrongEku)
            } else {
                Ok(())
            }
        }
    }
}

/// Positive, at most 20 octets (RFC 5280 section 4.1.2.2). `serial` is the content of the INTEGER.
fn check_serial(serial: &[u8]) -> Result<(), PeerFault> {
    let positive =
        serial.first().is_some_and(|first| first & 0x80 == 0) && serial.iter().any(|byte| *byte != 0);
    if positive && serial.len() <= SERIAL_OCTETS_MAX { Ok(()) } else { Err(PeerFault::Malformed) }
}

fn check_key(certificate: &X509Certificate<'_>, signatures: Signatures) -> Result<(), PeerFault> {
    if signatures.accept_key(certificate.public_key()) { Ok(()) } else { Err(PeerFault::WeakKey) }
}

#[cfg(test)]
mod tests {
    use rcgen::{PublicKeyData, SignatureAlgorithm};
    use x509_parser::{prelude::FromDer as _, x509::SubjectPublicKeyInfo};

    use super::*;
    use crate::{
        clock::now,
        oid::tagged,
        testing::{self, Authority, client_params},
    };

    /// A public key that nobody holds, to put into a certificate.
    struct Claimed(Vec<u8>, &'static SignatureAlgorithm);

    impl PublicKeyData for Claimed {
        fn der_bytes(&self) -> &[u8] {
            &self.0
        }
        fn algorithm(&self) -> &'static SignatureAlgorithm {
            self.1
        }
    }

    fn rsa(bits: usize) -> Claimed {
        let mut modulus = vec![0xc3; bits / 8];
        modulus.insert(0, 0);
        let key = [tagged(0x02, &modulus), tagged(0x02, &[1, 0, 1])].concat();
        Claimed(tagged(0x30, &key), &rcgen::PKCS_RSA_SHA256)
    }

    fn judge_with(key: &Claimed) -> Result<(), PeerFault> {
        let root = Authority::root("root");
        let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
        let leaf = root.certify(&client_params(), key);
        trust.verify(&[leaf], Purpose::TlsClient, now()).map(drop)
    }

    #[test]
    fn an_rsa_key_below_2048_bits_is_refused() {
        assert_eq!(judge_with(&rsa(1024)), Err(PeerFault::WeakKey));
        assert_eq!(judge_with(&rsa(2040)), Err(PeerFault::WeakKey));
        assert_eq!(judge_with(&rsa(2048)), Ok(()));
    }

    #[test]
    fn a_curve_that_the_guideline_does_not_name_is_refused() {
        // secp256k1, 1.3.132.0.10, which is no weaker by size; secp224r1, 1.3.132.0.33.
        for curve in [&[0x2b, 0x81, 0x04, 0x00, 0x0a][..], &[0x2b, 0x81, 0x04, 0x00, 0x21]] {
            let algorithm =
                [tagged(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]), tagged(0x06, curve)].concat();
            let spki = [tagged(0x30, &algorithm), tagged(0x03, &[0, 4, 1, 1])].concat();
            let der = tagged(0x30, &spki);
            let (_, key) = SubjectPublicKeyInfo::from_der(&der).unwrap();
            assert!(!Signatures::Usual.accept_key(&key));
        }
    }

    #[test]
    fn a_certificate_signed_with_sha_1_is_refused() {
        let root = Authority::root_with(testing::authority_params("root"), testing::rsa_key());
        let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
        // sha256WithRSAEncryption, 1.2.840.113549.1.1.11, becomes sha1WithRSAEncryption, 1.2.840.113549.1.1.5.
        let (sha256, sha1) = (RSA_SHA256, RSA_SHA1);
        let leaf = testing::patched(&root.leaf(&client_params()).der, &sha256, &sha1);
        assert_eq!(trust.verify(&[leaf.into()], Purpose::TlsClient, now()), Err(PeerFault::WeakSignature));
    }

    #[test]
    fn an_authority_below_the_root_signed_with_sha_1_is_refused() {
        let root = Authority::root_with(testing::authority_params("root"), testing::rsa_key());
        let below = root.below("below");
        let lists = [root.crl(1, &[]), below.crl(1, &[])];
        let trust = testing::trust(&[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
        let leaf = below.leaf(&client_params());
        let judge = |below: CertificateDer<'static>| {
            trust.verify(&[leaf.der.clone(), below], Purpose::TlsClient, now()).err()
        };
        assert_eq!(judge(below.der.clone()), None);
        let weak = testing::patched(&below.der, &RSA_SHA256, &RSA_SHA1);
        assert_eq!(judge(weak.into()), Some(PeerFault::WeakSignature));
    }

    const RSA_SHA256: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
    const RSA_SHA1: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05];

    #[test]
    fn a_list_of_an_rsa_authority_is_verified() {
        let root = Authority::root_with(testing::authority_params("root"), testing::rsa_key());
        let leaf = root.leaf(&client_params());
        let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[&leaf.serial])]);
        assert_eq!(trust.verify(&[leaf.der], Purpose::TlsClient, now()), Err(PeerFault::Revoked));
    }

    #[test]
    fn a_serial_number_of_zero_below_zero_or_over_twenty_octets_is_refused() {
        for serial in [&[][..], &[0], &[0, 0], &[0x80], &[0x01; 21]] {
            assert_eq!(check_serial(serial), Err(PeerFault::Malformed), "{serial:?}");
        }
        assert_eq!(check_serial(&[0x01; 20]), Ok(()));
    }
}
