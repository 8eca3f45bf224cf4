//! Who issues certificates and revocation lists: an authority is a name together with a key, never a name alone.

use protocol::digest::Sha256;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use crate::{crl::Scope, leaf, names::distinguished_name, signatures::Signatures};

/// Hexadecimal digits of [`IssuerId::list_name`]: 128 bits, so that nobody makes another authority of the same name.
const LIST_NAME_DIGITS: usize = 32;

/// An authority by name and key: two with the same name and different keys are different.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerId {
    /// Over the SubjectPublicKeyInfo in DER.
    spki: Sha256,
    /// The distinguished name in DER, without the outer tag.
    name: Vec<u8>,
}

impl IssuerId {
    pub(crate) fn new(spki_der: &[u8], name: &[u8]) -> Self {
        IssuerId { spki: Sha256::of(spki_der), name: name.to_vec() }
    }

    pub(crate) fn name(&self) -> &[u8] {
        &self.name
    }

    /// A name for its list of this scope, the same for all numbers: digits of a digest over key, name and scope.
    pub fn list_name(&self, scope: &Scope) -> String {
        // Two digests of one length and the rest: no two triples read alike.
        let whole = format!("{}{}{scope}", self.spki, Sha256::of(&self.name));
        Sha256::of(whole.as_bytes()).to_string().chars().take(LIST_NAME_DIGITS).collect()
    }

    /// SHA-256 over the SubjectPublicKeyInfo in DER: what identity rules call the anchor's key.
    pub fn key(&self) -> Sha256 {
        self.spki
    }
}

/// An authority's certificate, as far as its revocation lists are concerned.
#[derive(Clone, Debug)]
pub struct Issuer {
    id: IssuerId,
    public_key_info: Vec<u8>,
    may_sign_crls: bool,
    text: String,
}

impl Issuer {
    /// Reads an authority's certificate; `None` if it cannot be read, or is not an authority's with an accepted key.
    pub(crate) fn of(certificate: &CertificateDer<'_>, signatures: Signatures) -> Option<Self> {
        let ([], parsed) = X509Certificate::from_der(certificate).ok()? else { return None };
        leaf::check_issuer(&parsed, signatures).ok()?;
        let strict = EndEntityCert::try_from(certificate).ok()?;
        let public_key_info = strict.subject_public_key_info();
        Some(Issuer {
            id: IssuerId::new(&public_key_info, strict.subject()),
            may_sign_crls: leaf::key_usage(&parsed).ok()?.is_none_or(|usage| usage.crl_sign()),
            text: distinguished_name(parsed.subject()),
            public_key_info: public_key_info.to_vec(),
        })
    }

    /// Name and key.
    pub fn id(&self) -> &IssuerId {
        &self.id
    }

    /// Its SubjectPublicKeyInfo in DER.
    pub(crate) fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    /// Does its key usage allow it to sign revocation lists (RFC 5280 section 4.2.1.3, cRLSign)?
    pub fn may_sign_crls(&self) -> bool {
        self.may_sign_crls
    }

    /// Its distinguished name: the text by which rules and settings call it.
    pub fn text(&self) -> &str {
        &self.text
    }
}
