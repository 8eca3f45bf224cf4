//! What one side trusts: anchors, the revocation lists in force, and how certificates are read. Built whole, then
//! published; never changed.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use protocol::moment::Moment;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

use crate::{
    anchors::{AnchorFault, Anchors},
    crl::{Crl, CrlRefused},
    crl_index::CrlIndex,
    fault::PeerFault,
    issuer::Issuer,
    leaf::Purpose,
    path::Judge,
    peer::PeerIdentity,
    pem::{self, PemFault},
    policy::Policy,
    refusal::Refusal,
};

/// Lists in one fetched file, each of which is verified: an authority's list and its parts are fewer by far.
pub const FETCHED_LISTS_MAX: usize = 64;

/// The PEM files that make up trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustFiles {
    /// Root certificates.
    pub anchors: Vec<PathBuf>,
    /// Certificates of the authorities below the roots: their revocation lists are checked against them. They are
    /// trusted for nothing else.
    pub issuers: Vec<PathBuf>,
    /// Revocation lists: of each root and each authority the complete one, or its parts.
    pub crls: Vec<PathBuf>,
    /// Where lists that are fetched are kept: see [`crate::crl_cache`]. One that is not there, or cannot be used, is as
    /// good as none, since the next fetch brings it; so with any of these an authority may be without a list.
    pub fetched: Vec<PathBuf>,
}

/// Why trust cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrustFault {
    /// A file cannot be used.
    #[error("a file of the trust settings cannot be used")]
    File(#[from] PemFault),
    /// A certificate cannot be an anchor.
    #[error("a certificate in {} cannot be an anchor", .file.display())]
    Anchor {
        /// Which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: AnchorFault,
    },
    /// None at all.
    #[error("no anchor is configured; next: name the file of the authority's root certificate")]
    NoAnchor,
    /// A certificate among the issuers is no authority's.
    #[error(
        "{} holds a certificate that is no authority's, or has a key that is not accepted; next: name the file of the \
         issuing authority's certificate", .file.display()
    )]
    NotAnIssuer {
        /// Which file.
        file: PathBuf,
    },
    /// A revocation list cannot be used.
    #[error("a revocation list in {} cannot be used", .file.display())]
    Crl {
        /// Which file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: CrlRefused,
    },
    /// More lists in a fetched file than are verified.
    #[error("{} holds {count} revocation lists, and at most {FETCHED_LISTS_MAX} are taken from one file", .file.display())]
    TooManyLists {
        /// Its address.
        file: PathBuf,
        /// How many.
        count: usize,
    },
    /// A configured authority has no revocation list: nobody it certified could be let in.
    #[error(
        "there is no revocation list of {issuer}; next: name its file under crls, or its address under crl_urls"
    )]
    CrlMissing {
        /// The authority's name.
        issuer: String,
    },
    /// The revocation lists are older than those in force.
    #[error("the revocation lists would be a step back from those in force")]
    StepBack(#[source] CrlRefused),
    /// Grace for an authority that is not configured, or for two of one name.
    #[error(
        "grace for the revocation list of {issuer} is given, but this name is not that of exactly one configured \
         authority; next: write the distinguished name as `sekisho-certs inspect` shows it"
    )]
    GraceIssuer {
        /// The name in the settings.
        issuer: String,
    },
}

/// What was read from one file.
struct FromFile<T> {
    file: PathBuf,
    items: Vec<T>,
}

/// Anchors and the revocation lists in force.
#[derive(Clone, Debug)]
pub struct Trust {
    anchors: Anchors,
    issuers: Vec<Issuer>,
    crls: CrlIndex,
    policy: Policy,
    left_out: Arc<[TrustFault]>,
}

/// What a fetched file brings.
#[derive(Debug)]
pub struct Fetched {
    /// The same trust with the lists of the file; none if it holds them already.
    pub trust: Option<Trust>,
    /// The lists of the file.
    pub lists: Vec<Arc<Crl>>,
}

impl Trust {
    /// Reads and checks the files. Work for a thread that may block: a list with 100,000 entries takes about a tenth of a
    /// second.
    pub fn load(files: &TrustFiles, policy: Policy, now: Moment) -> Result<Self, TrustFault> {
        let trust = Trust::load_files(files, policy, now)?;
        Ok(trust.with_fetched(&files.fetched, &CrlIndex::default(), now))
    }

    /// As [`Trust::load`], after `held`. Where lists are fetched, those in force stay until newer ones are here: what a
    /// disk lost meanwhile is not lost.
    pub fn load_after(
        held: &Trust,
        files: &TrustFiles,
        policy: Policy,
        now: Moment,
    ) -> Result<Self, TrustFault> {
        let trust = Trust::load_files(files, policy, now)?;
        let stays = if files.fetched.is_empty() { CrlIndex::default() } else { held.crls.clone() };
        Ok(trust.with_fetched(&files.fetched, &trust.of_ours(&stays), now))
    }

    fn load_files(files: &TrustFiles, policy: Policy, now: Moment) -> Result<Self, TrustFault> {
        let trust = Trust::build(
            &from_files(&files.anchors, pem::certificates)?,
            &from_files(&files.issuers, pem::certificates)?,
            &from_files(&files.crls, pem::crls)?,
            policy,
            now,
        )?;
        match trust.missing().first() {
            Some(issuer) if files.fetched.is_empty() => {
                Err(TrustFault::CrlMissing { issuer: (*issuer).to_owned() })
            }
            _ => Ok(trust),
        }
    }

    /// The same from PEM text; `issuers` may be empty.
    pub fn from_pem(
        anchors: &[u8],
        issuers: &[u8],
        crls: &[u8],
        policy: Policy,
        now: Moment,
    ) -> Result<Self, TrustFault> {
        let origin = Path::new("trust");
        let certificates = |pem: &[u8]| {
            Ok::<_, TrustFault>(FromFile {
                file: origin.to_owned(),
                items: pem::certificates_in(pem, origin)?,
            })
        };
        let issuers = if issuers.is_empty() { vec![] } else { vec![certificates(issuers)?] };
        let crls = FromFile { file: origin.to_owned(), items: pem::crls_in(crls, origin)? };
        let trust = Trust::build(&[certificates(anchors)?], &issuers, &[crls], policy, now)?;
        match trust.missing().first() {
            Some(issuer) => Err(TrustFault::CrlMissing { issuer: (*issuer).to_owned() }),
            None => Ok(trust),
        }
    }

    fn build(
        anchor_files: &[FromFile<CertificateDer<'_>>],
        issuer_files: &[FromFile<CertificateDer<'_>>],
        crl_files: &[FromFile<CertificateRevocationListDer<'_>>],
        policy: Policy,
        now: Moment,
    ) -> Result<Self, TrustFault> {
        let mut anchors = Anchors::default();
        for FromFile { file, items } in anchor_files {
            for certificate in items {
                anchors
                    .add(certificate, policy.signatures, Some(now))
                    .map_err(|source| TrustFault::Anchor { file: file.clone(), source })?;
            }
        }
        if anchors.iter().next().is_none() {
            return Err(TrustFault::NoAnchor);
        }
        let mut issuers = Vec::new();
        for FromFile { file, items } in issuer_files {
            for certificate in items {
                let issuer = Issuer::of(certificate, policy.signatures);
                issuers.push(issuer.ok_or_else(|| TrustFault::NotAnIssuer { file: file.clone() })?);
            }
        }
        let authorities = || anchors.iter().map(|anchor| anchor.issuer()).chain(&issuers);
        let mut crls = CrlIndex::default();
        for FromFile { file, items } in crl_files {
            for list in items {
                crls.add(list, authorities(), policy.signatures, now)
                    .map_err(|source| TrustFault::Crl { file: file.clone(), source })?;
            }
        }
        if let Some(grace) = &policy.danger_crl_grace {
            let mut ids = authorities().filter(|issuer| issuer.text() == grace.issuer()).map(Issuer::id);
            match (ids.next(), ids.next()) {
                (Some(id), other) if other.is_none_or(|other| other == id) => {
                    crls.give_grace(id.clone(), grace.length());
                }
                _ => return Err(TrustFault::GraceIssuer { issuer: grace.issuer().to_owned() }),
            }
        }
        Ok(Trust { anchors, issuers, crls, policy, left_out: Arc::new([]) })
    }

    /// Takes in what was fetched before and what stays from before. What cannot be used is left out.
    fn with_fetched(&self, fetched: &[PathBuf], stays: &CrlIndex, now: Moment) -> Self {
        let (mut crls, mut left_out) = (self.crls.clone(), Vec::new());
        let mut add = |file: &Path, list: &CertificateRevocationListDer<'_>| {
            let added = crls.add(list, self.authorities(), self.policy.signatures, now);
            if let Err(source) = added {
                left_out.push(TrustFault::Crl { file: file.to_owned(), source });
            }
        };
        let mut unread = Vec::new();
        for file in fetched {
            match pem::crls(file) {
                Ok(lists) => lists.iter().for_each(|list| add(file, list)),
                Err(PemFault::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(fault) => unread.push(TrustFault::File(fault)),
            }
        }
        stays.each().for_each(|(_, list)| add(Path::new("those in force"), list.der()));
        left_out.extend(unread);
        Trust { crls, left_out: left_out.into(), ..self.clone() }
    }

    /// Takes in a file that was fetched from this address: every list in it is verified as at load, has not ended, and is
    /// no step back; else nothing of it counts. Work for a thread that may block.
    pub fn follow(&self, url: &str, bytes: &[u8], now: Moment) -> Result<Fetched, TrustFault> {
        let origin = Path::new(url);
        let mut crls = self.crls.clone();
        let (mut lists, mut any_new) = (Vec::new(), false);
        let ders = pem::crls_in(bytes, origin)?;
        if ders.len() > FETCHED_LISTS_MAX {
            return Err(TrustFault::TooManyLists { file: origin.to_owned(), count: ders.len() });
        }
        for der in ders {
            let followed = crls
                .follow(&der, self.authorities(), self.policy.signatures, now)
                .map_err(|source| TrustFault::Crl { file: origin.to_owned(), source })?;
            any_new |= followed.is_new;
            lists.push(followed.list);
        }
        Ok(Fetched { trust: any_new.then(|| Trust { crls, ..self.clone() }), lists })
    }

    /// The authorities whose holders count: the anchors and those below them that were named.
    fn authorities(&self) -> impl Iterator<Item = &Issuer> + Clone {
        self.anchors.iter().map(|anchor| anchor.issuer()).chain(&self.issuers)
    }

    /// The authorities of which there is no list: nobody that they certified is let in.
    pub fn missing(&self) -> Vec<&str> {
        self.authorities().filter(|issuer| !self.crls.has(issuer.id())).map(Issuer::text).collect()
    }

    /// Can anybody be let in, as far as lists go: is there one that counts of a root, and of an authority below the roots,
    /// if such are named?
    pub fn can_let_in(&self, now: Moment) -> bool {
        let counts = |issuer: &Issuer| self.crls.is_usable(issuer.id(), now);
        self.anchors.iter().any(|anchor| counts(anchor.issuer()))
            && (self.issuers.is_empty() || self.issuers.iter().any(counts))
    }

    /// What was fetched before and could not be used any more, and why.
    pub fn left_out(&self) -> &[TrustFault] {
        &self.left_out
    }

    /// Those of these lists that are our authorities'.
    fn of_ours(&self, crls: &CrlIndex) -> CrlIndex {
        crls.restricted_to(self.authorities())
    }

    /// Refuses a step back in revocation from what is in force now. To be asked before a reload is published.
    pub fn check_follows(&self, held: &Trust) -> Result<(), TrustFault> {
        // A list of an authority that is no longer configured may go with it.
        self.crls.check_follows(&self.of_ours(&held.crls)).map_err(TrustFault::StepBack)
    }

    /// Judges a chain, leaf first, for a purpose now: path, dates, revocation of every certificate in it, key usages,
    /// key strength, identity. Environment, role and code are the caller's to compare.
    pub fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        purpose: Purpose,
        now: Moment,
    ) -> Result<PeerIdentity, PeerFault> {
        Ok(self.judge(chain, purpose, now)?)
    }

    /// As [`Trust::verify`], with what is known of the place where the chain failed.
    pub(crate) fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        purpose: Purpose,
        now: Moment,
    ) -> Result<PeerIdentity, Refusal> {
        let judge = Judge {
            anchors: &self.anchors,
            policy: &self.policy,
            purpose,
            at: now,
            revocation: &|issuer, subject| self.crls.consult(&issuer.id(), subject, now, None),
        };
        judge.judge(chain)
    }

    /// The roots.
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The revocation lists in force.
    pub fn crls(&self) -> &CrlIndex {
        &self.crls
    }

    /// How certificates are read.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Is an anchor marked as a lab's? Production refuses to start with one.
    pub fn is_test_only(&self) -> bool {
        self.anchors.iter().any(|anchor| anchor.is_test_only())
    }
}

fn from_files<T>(
    files: &[PathBuf],
    read: impl Fn(&Path) -> Result<Vec<T>, PemFault>,
) -> Result<Vec<FromFile<T>>, TrustFault> {
    files.iter().map(|file| Ok(FromFile { file: file.clone(), items: read(file)? })).collect()
}

#[cfg(test)]
mod tests;
