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
    crl_index::{Consulted, Status},
    issuer::{Issuer, IssuerId},
    signatures::Signatures,
    subject::Subject,
};

/// Lists of any age.
#[derive(Debug)]
pub struct CrlArchive {
    read: Vec<UnverifiedCrl>,
    signatures: Signatures,
    verified: Mutex<HashMap<IssuerId, Vec<Arc<Crl>>>>,
}

impl CrlArchive {
    /// Reads the lists; none is believed yet.
    pub(crate) fn parse(
        lists: &[CertificateRevocationListDer<'_>],
        signatures: Signatures,
    ) -> Result<Self, CrlRefused> {
        let read = lists.iter().map(UnverifiedCrl::parse).collect::<Result<_, _>>()?;
        Ok(CrlArchive { read, signatures, verified: Mutex::default() })
    }

    /// What the lists say of a certificate: one list of its issuer that covers it, made before the certificate ended, must
    /// not have ended at `fresh_at`; it counts as revoked if any list of its issuer, of whatever date, dates its
    /// revocation at or before `revoked_by`.
    pub(crate) fn consult(
        &self,
        issuer: &Issuer,
        subject: &Subject<'_>,
        fresh_at: Moment,
        revoked_by: Moment,
    ) -> Consulted {
        let lists = self.lists_of(issuer);
        let naming = lists.iter().filter_map(|list| Some((list.revoked_since(subject.serial)?, list)));
        let named = naming.min_by_key(|(since, _)| *since);
        let revoked_from = named.map(|(since, _)| since);
        if let Some((since, list)) = named
            && since <= revoked_by
        {
            let list = Some(Arc::clone(list));
            return Consulted { status: Status::Revoked { since }, list, revoked_from };
        }
        let knows =
            |list: &&Arc<Crl>| list.this_update() <= subject.not_after && subject.is_covered_by(list.scope());
        let Some(list) = lists.iter().filter(knows).max_by_key(|list| list.next_update()) else {
            return Consulted::MISSING;
        };
        let next_update = list.next_update();
        let status = if fresh_at < next_update { Status::Good } else { Status::Expired { next_update } };
        Consulted { status, list: Some(Arc::clone(list)), revoked_from }
    }

    /// The lists in DER, as given.
    pub fn der(&self) -> impl Iterator<Item = &CertificateRevocationListDer<'static>> {
        self.read.iter().map(UnverifiedCrl::der)
    }

    /// The lists that this authority signed. A list that does not verify is as good as absent.
    fn lists_of(&self, issuer: &Issuer) -> Vec<Arc<Crl>> {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        let lists = verified.entry(issuer.id().clone()).or_insert_with(|| {
            let of_name = self.read.iter().filter(|list| list.issuer_name() == issuer.id().name());
            let signed = of_name.filter_map(|list| list.clone().verify([issuer], self.signatures).ok());
            signed.map(|(_, list)| Arc::new(list)).collect()
        });
        lists.clone()
    }
}
