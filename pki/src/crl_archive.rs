//! The revocation lists of a bundle, judged at the time of what they bear on, years later.
//!
//! An archive may hold several lists of one authority, of different dates, and need not hold the certificates of the
//! authorities between anchor and leaf: those come with the signed statement. So lists are read at once and verified
//! when the first path needs them.
//!
//! A list that was made later than the time in question knows all earlier revocations and serves as well, but only as
//! long as its authority had to name the certificate: until it ended (RFC 5280 section 3.3).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;

use crate::{
    crl::{Crl, CrlRefused, UnverifiedCrl},
    crl_index::Status,
    issuer::{Issuer, IssuerId},
    path::Subject,
};

/// Lists of any age.
#[derive(Debug)]
pub struct CrlArchive {
    read: Vec<UnverifiedCrl>,
    verified: Mutex<HashMap<IssuerId, Arc<[Crl]>>>,
}

impl CrlArchive {
    /// Reads the lists; none is believed yet.
    pub fn parse(lists: &[CertificateRevocationListDer<'_>]) -> Result<Self, CrlRefused> {
        let read = lists.iter().map(UnverifiedCrl::parse).collect::<Result<_, _>>()?;
        Ok(CrlArchive { read, verified: Mutex::default() })
    }

    /// What the lists say of a certificate: one list of its issuer, made before the certificate ended, must not have
    /// ended at `fresh_at`; it counts as revoked if any list of its issuer, of whatever date, dates its revocation at
    /// or before `revoked_by`.
    pub(crate) fn status(
        &self,
        issuer: &Issuer,
        subject: &Subject<'_>,
        fresh_at: Moment,
        revoked_by: Moment,
    ) -> Status {
        let lists = self.lists_of(issuer);
        let since = lists.iter().filter_map(|list| list.revoked_since(subject.serial)).min();
        if let Some(since) = since.filter(|since| *since <= revoked_by) {
            return Status::Revoked { since };
        }
        let knows = |list: &&Crl| list.this_update() <= subject.not_after;
        match lists.iter().filter(knows).map(Crl::next_update).max() {
            None => Status::Missing,
            Some(next_update) if fresh_at < next_update => Status::Good,
            Some(next_update) => Status::Expired { next_update },
        }
    }

    /// The lists in DER, as given.
    pub fn der(&self) -> impl Iterator<Item = &CertificateRevocationListDer<'static>> {
        self.read.iter().map(UnverifiedCrl::der)
    }

    /// The lists that this authority signed. A list that does not verify is as good as absent.
    fn lists_of(&self, issuer: &Issuer) -> Arc<[Crl]> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = verified.entry(issuer.id().clone()).or_insert_with(|| {
            let of_name = self.read.iter().filter(|list| list.issuer_name() == issuer.id().name());
            of_name.filter_map(|list| list.clone().verify([issuer]).ok()).map(|(_, list)| list).collect()
        });
        Arc::clone(lists)
    }
}
