//! One certificate revocation list (RFC 5280 section 5), read strictly and checked against its issuer.
//!
//! A list that this program does not fully understand is refused and never taken for "nothing revoked": delta lists,
//! indirect lists, lists for some reasons only. One with an issuing distribution point covers what its [`Scope`] says.

mod fault;
mod number;
mod scope;

use std::{collections::HashMap, fmt};

use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_parser::{
    extensions::ParsedExtension,
    oid_registry::{OID_X509_EXT_DELTA_CRL_INDICATOR, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT},
    prelude::FromDer as _,
    revocation_list::CertificateRevocationList,
};

pub use fault::{CrlFault, CrlRefused};
pub use number::CrlNumber;
pub use scope::Scope;
pub(crate) use scope::distribution_points;

use crate::{
    clock::{moment_of_asn1, moment_of_unix},
    inspect::CrlFacts,
    issuer::{Issuer, IssuerId},
    names::{name_text, serial_text},
    signatures::{SignatureFault, Signatures},
};

/// A list that was read and whose signature was checked against one issuer.
#[derive(Clone, Debug)]
pub struct Crl {
    read: UnverifiedCrl,
}

/// A list that was read, nothing in it believed yet.
#[derive(Clone)]
pub struct UnverifiedCrl {
    issuer_name: Vec<u8>,
    issuer_text: String,
    number: CrlNumber,
    scope: Scope,
    this_update: Moment,
    next_update: Moment,
    /// Serial numbers as the contents of their INTEGERs, with the dates of revocation.
    revoked: HashMap<Box<[u8]>, Moment>,
    der: CertificateRevocationListDer<'static>,
}

impl fmt::Debug for UnverifiedCrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedCrl")
            .field("issuer", &self.issuer_text)
            .field("number", &self.number)
            .field("scope", &self.scope)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("revoked", &self.revoked.len())
            .finish_non_exhaustive()
    }
}

impl UnverifiedCrl {
    /// Reads a list to its last byte.
    pub fn parse(der: &CertificateRevocationListDer<'_>) -> Result<Self, CrlRefused> {
        let Ok(([], list)) = CertificateRevocationList::from_der(der.as_ref()) else {
            return Err(CrlRefused { issuer: "an unreadable issuer".to_owned(), fault: CrlFault::Malformed });
        };
        let issuer_text = name_text(list.issuer());
        Self::read(der, &list, &issuer_text)
            .map_err(|fault| CrlRefused { issuer: issuer_text.clone(), fault })
    }

    fn read(
        der: &CertificateRevocationListDer<'_>,
        list: &CertificateRevocationList<'_>,
        issuer_text: &str,
    ) -> Result<Self, CrlFault> {
        let scope = scope_of(list)?;
        let number = list.crl_number().and_then(|number| CrlNumber::from_be_bytes(&number.to_bytes_be()));
        let next_update = list.next_update().ok_or(CrlFault::NoNextUpdate)?;
        // The path library's own reading is the second opinion, and the one that names serial numbers as it does.
        let strict = BorrowedCertRevocationList::from_der(der.as_ref()).map_err(|error| fault_of(&error))?;
        let mut revoked = HashMap::new();
        for entry in &strict {
            let entry = entry.map_err(|error| fault_of(&error))?;
            let since = moment_of_unix(entry.revocation_date);
            // Of two entries for one certificate the earlier date counts.
            let held = revoked.entry(Box::from(entry.serial_number)).or_insert(since);
            *held = since.min(*held);
        }
        let read = UnverifiedCrl {
            issuer_name: CertRevocationList::Borrowed(strict).issuer().to_vec(),
            issuer_text: issuer_text.to_owned(),
            number: number.ok_or(CrlFault::NoNumber)?,
            scope,
            this_update: moment_of_asn1(list.last_update()),
            next_update: moment_of_asn1(next_update),
            revoked,
            der: der.as_ref().to_vec().into(),
        };
        if read.next_update <= read.this_update {
            return Err(CrlFault::Backwards);
        }
        Ok(read)
    }

    /// The issuer's distinguished name in DER, without the outer tag.
    pub(crate) fn issuer_name(&self) -> &[u8] {
        &self.issuer_name
    }

    /// The list in DER.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.der
    }

    /// What it says, for people.
    pub(crate) fn facts(&self) -> CrlFacts {
        let mut revoked: Vec<(String, Moment)> =
            self.revoked.iter().map(|(serial, since)| (serial_text(serial), *since)).collect();
        revoked.sort();
        CrlFacts {
            issuer: self.issuer_text.clone(),
            number: self.number.clone(),
            this_update: self.this_update,
            next_update: self.next_update,
            revoked,
        }
    }

    pub(crate) fn refused(&self, fault: CrlFault) -> CrlRefused {
        CrlRefused { issuer: self.issuer_text.clone(), fault }
    }

    /// Finds the authority that made the list among these: one of its name whose key fits.
    pub(crate) fn verify<'a>(
        self,
        issuers: impl IntoIterator<Item = &'a Issuer>,
        signatures: Signatures,
    ) -> Result<(IssuerId, Crl), CrlRefused> {
        let mut fault = CrlFault::UnknownIssuer;
        for issuer in issuers.into_iter().filter(|issuer| issuer.id().name() == self.issuer_name) {
            match self.check_issuer(issuer, signatures) {
                Ok(()) => return Ok((issuer.id().clone(), Crl { read: self })),
                Err(other) => fault = other,
            }
        }
        Err(self.refused(fault))
    }

    fn check_issuer(&self, issuer: &Issuer, signatures: Signatures) -> Result<(), CrlFault> {
        if !issuer.may_sign_crls() {
            return Err(CrlFault::IssuerMayNotSign);
        }
        signatures.verify(&self.der, issuer.public_key_info()).map_err(|fault| match fault {
            SignatureFault::Malformed => CrlFault::Malformed,
            SignatureFault::NotAccepted => CrlFault::WeakSignature,
            SignatureFault::Bad => CrlFault::BadSignature,
        })
    }
}

impl Crl {
    /// The issuer's distinguished name, for people.
    pub fn issuer(&self) -> &str {
        &self.read.issuer_text
    }

    /// Its number.
    pub fn number(&self) -> &CrlNumber {
        &self.read.number
    }

    /// Which of its issuer's certificates it covers.
    pub fn scope(&self) -> &Scope {
        &self.read.scope
    }

    /// When it was made.
    pub fn this_update(&self) -> Moment {
        self.read.this_update
    }

    /// When it ends.
    pub fn next_update(&self) -> Moment {
        self.read.next_update
    }

    /// How many certificates it names.
    pub fn revoked_count(&self) -> usize {
        self.read.revoked.len()
    }

    /// Since when this serial number (the content of its INTEGER) is revoked, if it is.
    pub fn revoked_since(&self, serial: &[u8]) -> Option<Moment> {
        self.read.revoked.get(serial).copied()
    }

    /// The list in DER.
    pub fn der(&self) -> &CertificateRevocationListDer<'static> {
        &self.read.der
    }

    pub(crate) fn refused(&self, fault: CrlFault) -> CrlRefused {
        self.read.refused(fault)
    }
}

/// What the list covers, unless it is of a kind that is not used.
fn scope_of(list: &CertificateRevocationList<'_>) -> Result<Scope, CrlFault> {
    let extensions = list.tbs_cert_list.extensions_map().map_err(|_| CrlFault::Malformed)?;
    if extensions.contains_key(&OID_X509_EXT_DELTA_CRL_INDICATOR) {
        return Err(CrlFault::Delta);
    }
    match extensions.get(&OID_X509_EXT_ISSUER_DISTRIBUTION_POINT).map(|point| point.parsed_extension()) {
        None => Ok(Scope::default()),
        Some(ParsedExtension::IssuingDistributionPoint(point)) => Scope::of(point),
        Some(_) => Err(CrlFault::ScopeUnclear),
    }
}

fn fault_of(error: &webpki::Error) -> CrlFault {
    match error {
        webpki::Error::UnsupportedCriticalExtension => CrlFault::CriticalExtension,
        webpki::Error::UnsupportedDeltaCrl => CrlFault::Delta,
        webpki::Error::UnsupportedIndirectCrl => CrlFault::Indirect,
        webpki::Error::UnsupportedCrlIssuingDistributionPoint
        | webpki::Error::UnsupportedRevocationReasonsPartitioning => CrlFault::ScopeUnclear,
        webpki::Error::InvalidCrlNumber => CrlFault::NoNumber,
        _ => CrlFault::Malformed,
    }
}

#[cfg(test)]
mod tests;
