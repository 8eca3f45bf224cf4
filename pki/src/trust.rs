//! What one side trusts: anchors, and the revocation lists in force. Built whole, then published; never changed.

use std::path::{Path, PathBuf};

use protocol::moment::Moment;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::{
    anchors::{AnchorFault, Anchors},
    crl::CrlRefused,
    crl_index::CrlIndex,
    fault::PeerFault,
    issuer::Issuer,
    leaf::Purpose,
    path::verify_chain,
    peer::PeerIdentity,
    pem::{self, PemFault},
};

/// The PEM files that make up trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Root certificates.
    pub anchors: Vec<PathBuf>,
    /// Certificates of the authorities below the roots: their revocation lists are checked against them. They are
    /// trusted for nothing else.
    pub issuers: Vec<PathBuf>,
    /// Revocation lists, one for each root and each authority.
    pub crls: Vec<PathBuf>,
}

/// Why trust cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrustFault {
    /// A file cannot be used.
    #[error("a file of the trust settings cannot be used")]
    File(#[from] PemFault),
    /// An anchor cannot be used.
    #[error("an anchor cannot be used")]
    Anchor(#[from] AnchorFault),
    /// A certificate among the issuers is no authority's.
    #[error("{file} holds a certificate that is no authority's; next: name the file of the issuing authority's certificate", file = .file.display())]
    NotAnIssuer {
        /// Which file.
        file: PathBuf,
    },
    /// A revocation list cannot be used.
    #[error("a revocation list cannot be used")]
    Crl(#[from] CrlRefused),
    /// A configured authority has no revocation list: nobody it certified could be let in.
    #[error("there is no revocation list of {issuer}; next: name its file")]
    CrlMissing {
        /// The authority's name.
        issuer: String,
    },
}

/// Anchors and the revocation lists in force.
#[derive(Clone, Debug)]
pub struct Trust {
    anchors: Anchors,
    issuers: Vec<Issuer>,
    crls: CrlIndex,
}

impl Trust {
    /// Reads and checks the files. Work for a thread that may block: a list with 100,000 entries takes about a tenth of a
    /// second.
    pub fn load(files: &TrustFiles, now: Moment) -> Result<Self, TrustFault> {
        let mut anchors = Vec::new();
        for file in &files.anchors {
            anchors.extend(pem::certificates(file)?);
        }
        let mut issuers = Vec::new();
        for file in &files.issuers {
            issuers.extend(issuers_of(&pem::certificates(file)?, file)?);
        }
        let mut crls = Vec::new();
        for file in &files.crls {
            crls.extend(pem::crls(file)?);
        }
        Trust::new(&anchors, issuers, &crls, now)
    }

    /// The same from PEM text; `issuers` may be empty.
    pub fn from_pem(anchors: &[u8], issuers: &[u8], crls: &[u8], now: Moment) -> Result<Self, TrustFault> {
        let origin = Path::new("trust");
        let below = if issuers.is_empty() {
            Vec::new()
        } else {
            issuers_of(&pem::certificates_in(issuers, origin)?, origin)?
        };
        Trust::new(&pem::certificates_in(anchors, origin)?, below, &pem::crls_in(crls, origin)?, now)
    }

    fn new(
        anchors: &[CertificateDer<'_>],
        issuers: Vec<Issuer>,
        crls: &[CertificateRevocationListDer<'_>],
        now: Moment,
    ) -> Result<Self, TrustFault> {
        let anchors = Anchors::new(anchors)?;
        anchors.check_in_force(now)?;
        let all = || anchors.iter().map(|anchor| anchor.issuer()).chain(&issuers);
        let crls = CrlIndex::build(crls, all(), now)?;
        if let Some(issuer) = all().find(|issuer| !crls.has(issuer.id())) {
            return Err(TrustFault::CrlMissing { issuer: issuer.text().to_owned() });
        }
        Ok(Trust { anchors, issuers, crls })
    }

    /// Refuses a step back in revocation from what is in force now. To be asked before a reload is published.
    pub fn check_follows(&self, held: &Trust) -> Result<(), TrustFault> {
        // A list of an authority that is no longer configured may go with it.
        let configured =
            held.crls.restricted_to(self.anchors.iter().map(|a| a.issuer()).chain(&self.issuers));
        Ok(self.crls.check_follows(&configured)?)
    }

    /// Judges a chain, leaf first, for a purpose now: path, dates, revocation of every certificate in it, key usages,
    /// key strength, identity. Environment, role and code are the caller's to compare.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        purpose: Purpose,
        now: Moment,
    ) -> Result<PeerIdentity, PeerFault> {
        verify_chain(chain, &self.anchors, purpose, now, &|issuer, subject| {
            self.crls.status(&issuer.id(), subject.serial, now)
        })
    }

    /// The roots.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The revocation lists in force.
    pub fn crls(&self) -> &CrlIndex {
        &self.crls
    }

    /// Is an anchor marked as a lab's? Production refuses to start with one.
    pub fn is_test_only(&self) -> bool {
        self.anchors.iter().any(|anchor| anchor.is_test_only())
    }
}

fn issuers_of(certificates: &[CertificateDer<'_>], file: &Path) -> Result<Vec<Issuer>, TrustFault> {
    let read = |certificate| {
        Issuer::of(certificate).ok_or_else(|| TrustFault::NotAnIssuer { file: file.to_owned() })
    };
    certificates.iter().map(read).collect()
}

#[cfg(test)]
mod tests;
