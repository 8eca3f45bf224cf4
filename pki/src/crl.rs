//! One certificate revocation list (RFC 5280 section 5), read strictly and checked against its issuer.
//!
//! A list that this program does not fully understand is refused and never taken for "nothing revoked": delta lists,
//! indirect lists, and (for now) every list with an issuing distribution point, since such a list may cover only a part
//! of its issuer's certificates.

use std::{cmp::Ordering, collections::HashMap, fmt};

use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_parser::{
    extensions::ParsedExtension,
    oid_registry::{
        OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA,
        OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ED25519,
        OID_X509_EXT_DELTA_CRL_INDICATOR, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT,
    },
    prelude::FromDer as _,
    revocation_list::CertificateRevocationList,
};

use crate::{
    clock::{moment_of_asn1, moment_of_unix},
    inspect::CrlFacts,
    issuer::{Issuer, IssuerId},
    leaf,
    peer::{hex, name_text},
};

/// Octets of a list's number (RFC 5280 section 5.2.3).
const NUMBER_OCTETS_MAX: usize = 20;

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlFault {
    /// Not a version 2 list in DER, or an entry in it that cannot be read.
    #[error("it cannot be read; next: fetch it again from its authority")]
    Malformed,
    /// A critical extension that is not understood, in the list or in an entry.
    #[error("it holds a critical extension that is not understood")]
    CriticalExtension,
    /// A delta list (section 5.2.4).
    #[error("it is a delta list; next: fetch the complete list")]
    Delta,
    /// An indirect list, or entries of other issuers (section 5.2.5).
    #[error("it is an indirect list; next: fetch the issuer's own list")]
    Indirect,
    /// An issuing distribution point (section 5.2.5): the list may cover only a part of the issuer's certificates.
    #[error("its scope is restricted by an issuing distribution point; next: fetch the complete list")]
    ScopeRestricted,
    /// No number (section 5.2.3): whether it is older than another cannot be told.
    #[error("it has no number of 1 to 20 octets")]
    NoNumber,
    /// No nextUpdate (section 5.1.2.5): it would never grow old.
    #[error("it does not say when the next one comes")]
    NoNextUpdate,
    /// nextUpdate is not after thisUpdate.
    #[error("it ends before it begins")]
    Backwards,
    /// thisUpdate lies ahead of our clock.
    #[error("it is dated {this_update}, which is not yet; next: check this machine's clock")]
    FromTheFuture {
        /// Its date.
        this_update: Moment,
    },
    /// No configured authority has this name.
    #[error("its issuer is not configured; next: name the file of the issuer's certificate")]
    UnknownIssuer,
    /// The name is a configured authority's, the signature is not.
    #[error("it is not signed by its issuer's key; next: fetch it again, and find out who made this one")]
    BadSignature,
    /// Signed with SHA-1 or another algorithm that is not accepted.
    #[error("it is signed with an algorithm that is not accepted")]
    WeakSignature,
    /// The issuer's key usage lacks cRLSign (section 4.2.1.3).
    #[error("its issuer's certificate does not allow it to sign revocation lists")]
    IssuerMayNotSign,
    /// Two different lists of one issuer with the same number.
    #[error("two different lists bear the number {number}; next: ask the authority which one counts")]
    SameNumber {
        /// The number.
        number: CrlNumber,
    },
    /// An older list than the one in force.
    #[error("its number is {offered}, older than {held} which is in force; next: fetch the newest list")]
    Rollback {
        /// In force.
        held: CrlNumber,
        /// Offered in its place.
        offered: CrlNumber,
    },
    /// The issuer's list is in force but no longer among the files.
    #[error("it is in force but no longer among the configured files; next: put the newest list back")]
    Lost,
}

/// Which list is not used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list of {issuer} is not used")]
pub struct CrlRefused {
    /// The issuer's distinguished name, for people.
    pub issuer: String,
    /// Why.
    #[source]
    pub fault: CrlFault,
}

impl CrlRefused {
    /// The stable code of a roll-back, the one refusal of a list that metrics count apart; `crl_invalid` for the rest.
    pub fn code(&self) -> &'static str {
        match self.fault {
            CrlFault::Rollback { .. } | CrlFault::SameNumber { .. } => "crl_rollback",
            _ => "crl_invalid",
        }
    }
}

/// A list's number: only grows, up to 20 octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CrlNumber(Vec<u8>);

impl CrlNumber {
    fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        (digits.len() <= NUMBER_OCTETS_MAX).then_some(CrlNumber(digits))
    }

    /// The number if it fits, for metrics.
    pub fn as_u64(&self) -> Option<u64> {
        (self.0.len() <= 8).then(|| self.0.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl Ord for CrlNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for CrlNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_u64() {
            Some(number) => number.fmt(f),
            None => write!(f, "0x{}", hex(&self.0)),
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

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
        refuse_unsupported(list)?;
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
            self.revoked.iter().map(|(serial, since)| (hex(serial), *since)).collect();
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
    pub fn verify<'a>(
        self,
        issuers: impl IntoIterator<Item = &'a Issuer>,
    ) -> Result<(IssuerId, Crl), CrlRefused> {
        let mut fault = CrlFault::UnknownIssuer;
        for issuer in issuers.into_iter().filter(|issuer| issuer.id().name() == self.issuer_name) {
            match self.check_issuer(issuer) {
                Ok(()) => return Ok((issuer.id().clone(), Crl { read: self })),
                Err(other) => fault = other,
            }
        }
        Err(self.refused(fault))
    }

    fn check_issuer(&self, issuer: &Issuer) -> Result<(), CrlFault> {
        if !issuer.may_sign_crls() {
            return Err(CrlFault::IssuerMayNotSign);
        }
        let ([], list) =
            CertificateRevocationList::from_der(self.der.as_ref()).map_err(|_| CrlFault::Malformed)?
        else {
            return Err(CrlFault::Malformed);
        };
        let inner = &list.tbs_cert_list.signature;
        let accepted = [
            OID_SIG_ECDSA_WITH_SHA256,
            OID_SIG_ECDSA_WITH_SHA384,
            OID_SIG_ED25519,
            OID_PKCS1_SHA256WITHRSA,
            OID_PKCS1_SHA384WITHRSA,
            OID_PKCS1_SHA512WITHRSA,
            OID_PKCS1_RSASSAPSS,
        ];
        if *inner != list.signature_algorithm || !accepted.contains(&inner.algorithm) {
            return Err(CrlFault::WeakSignature);
        }
        let certificate = leaf::parse(issuer.certificate()).map_err(|_| CrlFault::Malformed)?;
        list.verify_signature(certificate.public_key()).map_err(|_| CrlFault::BadSignature)
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

fn refuse_unsupported(list: &CertificateRevocationList<'_>) -> Result<(), CrlFault> {
    list.tbs_cert_list.extensions_map().map_err(|_| CrlFault::Malformed)?;
    for extension in list.extensions() {
        if extension.oid == OID_X509_EXT_DELTA_CRL_INDICATOR {
            return Err(CrlFault::Delta);
        }
        if extension.oid == OID_X509_EXT_ISSUER_DISTRIBUTION_POINT {
            return Err(match extension.parsed_extension() {
                ParsedExtension::IssuingDistributionPoint(point) if point.indirect_crl => CrlFault::Indirect,
                _ => CrlFault::ScopeRestricted,
            });
        }
    }
    Ok(())
}

fn fault_of(error: &webpki::Error) -> CrlFault {
    match error {
        webpki::Error::UnsupportedCriticalExtension => CrlFault::CriticalExtension,
        webpki::Error::UnsupportedDeltaCrl => CrlFault::Delta,
        webpki::Error::UnsupportedIndirectCrl => CrlFault::Indirect,
        webpki::Error::UnsupportedCrlIssuingDistributionPoint
        | webpki::Error::UnsupportedRevocationReasonsPartitioning => CrlFault::ScopeRestricted,
        webpki::Error::InvalidCrlNumber => CrlFault::NoNumber,
        _ => CrlFault::Malformed,
    }
}

#[cfg(test)]
mod tests;
