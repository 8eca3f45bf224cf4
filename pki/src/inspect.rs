//! What a certificate or list says, for people: nothing here is a judgement.

use protocol::{
    identity_rule::{IdentityFault, IssuedBy},
    moment::Moment,
    party::Identity,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_PKCS1_RSAENCRYPTION},
    public_key::PublicKey,
    x509::SubjectPublicKeyInfo,
};

use crate::{
    crl::{CrlNumber, CrlRefused, UnverifiedCrl},
    leaf,
    names::distinguished_name,
    oid,
    path::identify,
    peer::Description,
    policy::Policy,
};

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Names, number, dates, fingerprint.
    pub description: Description,
    /// The identity, or why there is none.
    pub identity: Result<Identity, IdentityFault>,
    /// An authority's certificate?
    pub is_authority: bool,
    /// Marked as a lab's?
    pub is_test_only: bool,
    /// Host names and addresses in the subject alternative name.
    pub hosts: Vec<String>,
    /// Extended key usages, by name where there is one, with dots otherwise.
    pub purposes: Vec<String>,
    /// Kind and size of the key.
    pub key: String,
    /// SubjectPublicKeyInfo in DER.
    pub public_key_info: Vec<u8>,
}

impl CertificateFacts {
    /// Reads a certificate by this policy; `None` if it cannot be read. Nobody is asked who stands above it: a rule for an
    /// anchor's key counts as fitting, and the issuer counts as the anchor.
    pub fn of(der: &CertificateDer<'_>, policy: &Policy) -> Option<Self> {
        let certificate = leaf::parse(der).ok()?;
        let issuer_name = distinguished_name(certificate.issuer());
        let issued_by = IssuedBy { anchor_name: issuer_name.clone(), anchor_key: None, issuer_name };
        Some(CertificateFacts {
            description: Description::of(&certificate),
            identity: identify(&certificate, issued_by, policy),
            is_authority: certificate.is_ca(),
            is_test_only: leaf::is_test_only(&certificate),
            hosts: hosts(&certificate),
            purposes: purposes(&certificate),
            key: key_text(certificate.public_key()),
            public_key_info: certificate.public_key().raw.to_vec(),
        })
    }
}

/// What a revocation list says, signature unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlFacts {
    /// The issuer's distinguished name.
    pub issuer: String,
    /// Its number.
    pub number: CrlNumber,
    /// When it was made.
    pub this_update: Moment,
    /// When it ends.
    pub next_update: Moment,
    /// Serial numbers in lower-case hexadecimal with the dates of revocation, by number.
    pub revoked: Vec<(String, Moment)>,
}

impl CrlFacts {
    /// Reads a list as strictly as a gateway would.
    pub fn of(der: &CertificateRevocationListDer<'_>) -> Result<Self, CrlRefused> {
        Ok(UnverifiedCrl::parse(der)?.facts())
    }
}

fn hosts(certificate: &X509Certificate<'_>) -> Vec<String> {
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names.flatten().filter_map(host).collect()
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.escape_default().to_string()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let sixteen = <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            four.or(sixteen).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

pub(crate) fn purposes(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(usage)) = certificate.extended_key_usage() else { return Vec::new() };
    let usage = usage.value;
    let known = [
        (usage.any, "any"),
        (usage.client_auth, "clientAuth"),
        (usage.server_auth, "serverAuth"),
        (usage.code_signing, "codeSigning"),
        (usage.email_protection, "emailProtection"),
        (usage.time_stamping, "timeStamping"),
        (usage.ocsp_signing, "OCSPSigning"),
    ];
    let known = known.iter().filter(|(present, _)| *present).map(|(_, name)| (*name).to_owned());
    let other = usage.other.iter().map(|purpose| match purpose.as_bytes() {
        oid::EVIDENCE => "sekishoEvidence".to_owned(),
        _ => purpose.to_id_string(),
    });
    known.chain(other).collect()
}

pub(crate) fn key_text(key: &SubjectPublicKeyInfo<'_>) -> String {
    let algorithm = &key.algorithm.algorithm;
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match (key.parsed(), curve) {
        (_, Some(curve)) if curve == OID_EC_P256 => "ECDSA P-256".to_owned(),
        (_, Some(curve)) if curve == OID_NIST_EC_P384 => "ECDSA P-384".to_owned(),
        (Ok(PublicKey::RSA(rsa)), _) if *algorithm == OID_PKCS1_RSAENCRYPTION => {
            format!("RSA {}", rsa.key_size())
        }
        _ => algorithm.to_id_string(),
    }
}
