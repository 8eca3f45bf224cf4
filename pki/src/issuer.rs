//! Who issues certificates and revocation lists: an authority is a name together with a key, never a name alone.

use protocol::digest::Sha256;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use crate::{leaf, peer::name_text};

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
}

/// An authority's certificate, as far as its revocation lists are concerned.
#[derive(Clone, Debug)]
pub struct Issuer {
    id: IssuerId,
    certificate: CertificateDer<'static>,
    may_sign_crls: bool,
    text: String,
}

impl Issuer {
    /// Reads an authority's certificate; `None` if it cannot be read or is not an authority's.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let ([], parsed) = X509Certificate::from_der(certificate).ok()? else { return None };
        leaf::check_issuer(&parsed).ok()?;
        let strict = EndEntityCert::try_from(certificate).ok()?;
        Some(Issuer {
            id: IssuerId::new(&strict.subject_public_key_info(), strict.subject()),
            may_sign_crls: leaf::key_usage(&parsed).ok()?.is_none_or(|usage| usage.crl_sign()),
            text: name_text(parsed.subject()),
            certificate: certificate.clone().into_owned(),
        })
    }

    /// Name and key.
    pub fn id(&self) -> &IssuerId {
        &self.id
    }

    /// The certificate in DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Does its key usage allow it to sign revocation lists (RFC 5280 section 4.2.1.3, cRLSign)?
    pub fn may_sign_crls(&self) -> bool {
        self.may_sign_crls
    }

    /// Its name for people.
    pub fn text(&self) -> &str {
        &self.text
    }
}
