//! The revocation lists of a bundle, judged at the time of what they bear on, years later.
//!
//! An archive may hold several lists of one authority, each in force at another time, and need not hold the
//! certificates of the authorities between anchor and leaf: those come with the signed statement. So lists are read at
//! once and verified when the first path needs them.

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

    /// What the lists say of a certificate: one list of its issuer must be in force at `fresh_at`; it counts as revoked
    /// if any list of its issuer, of whatever date, dates its revocation at or before `revoked_by`.
    pub fn status(&self, issuer: &Issuer, serial: &[u8], fresh_at: Moment, revoked_by: Moment) -> Status {
        let lists = self.lists_of(issuer);
        let since = lists.iter().filter_map(|list| list.revoked_since(serial)).min();
        if let Some(since) = since.filter(|since| *since <= revoked_by) {
            return Status::Revoked { since };
        }
        match lists.iter().map(Crl::next_update).max() {
            None => Status::Missing,
            Some(_) if lists.iter().any(|list| list.is_in_force(fresh_at)) => Status::Good,
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
