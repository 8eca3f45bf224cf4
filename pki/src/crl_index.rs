//! The revocation lists in force, one per authority, verified once and asked for every certificate of every path.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;

use crate::{
    crl::{Crl, CrlFault, CrlRefused, UnverifiedCrl},
    issuer::{Issuer, IssuerId},
};

/// What the lists say of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The issuer's list is in force and does not name it.
    Good,
    /// The issuer's list names it.
    Revoked {
        /// The date of revocation in the list.
        since: Moment,
    },
    /// There is no list of this issuer.
    Missing,
    /// The issuer's list is past its nextUpdate: whether the certificate still counts is unknown.
    Expired {
        /// When the list ended.
        next_update: Moment,
    },
}

/// One verified list for each authority.
#[derive(Clone, Debug, Default)]
pub struct CrlIndex {
    lists: HashMap<IssuerId, Arc<Crl>>,
}

impl CrlIndex {
    /// Verifies the lists against these authorities. Of several lists of one authority the one with the highest number
    /// counts, in whatever order they come. One list that cannot be used refuses them all: the caller keeps what it
    /// has. A list that is already past its nextUpdate is taken in, and answers [`Status::Expired`].
    pub fn build<'a>(
        lists: &[CertificateRevocationListDer<'_>],
        issuers: impl Iterator<Item = &'a Issuer> + Clone,
        now: Moment,
    ) -> Result<Self, CrlRefused> {
        let mut index = CrlIndex::default();
        for der in lists {
            let (id, list) = UnverifiedCrl::parse(der)?.verify(issuers.clone())?;
            if list.this_update() > now {
                return Err(list.refused(CrlFault::FromTheFuture { this_update: list.this_update() }));
            }
            match index.lists.entry(id) {
                Entry::Vacant(entry) => {
                    entry.insert(Arc::new(list));
                }
                Entry::Occupied(mut entry) => {
                    refuse_same_number(entry.get(), &list)?;
                    if list.number() > entry.get().number() {
                        entry.insert(Arc::new(list));
                    }
                }
            }
        }
        Ok(index)
    }

    /// What the lists say of the certificate with this serial number (the content of its INTEGER) at `now`. A
    /// certificate that is named counts as revoked even if the list has ended.
    pub fn status(&self, issuer: &IssuerId, serial: &[u8], now: Moment) -> Status {
        let Some(list) = self.lists.get(issuer) else { return Status::Missing };
        if let Some(since) = list.revoked_since(serial) {
            return Status::Revoked { since };
        }
        if now >= list.next_update() {
            return Status::Expired { next_update: list.next_update() };
        }
        Status::Good
    }

    /// As [`CrlIndex::status`], for what was signed at `at`: a revocation that is dated later does not count.
    pub fn status_at(&self, issuer: &IssuerId, serial: &[u8], now: Moment, at: Moment) -> Status {
        match self.status(issuer, serial, now) {
            Status::Revoked { since } if since > at => match self.lists.get(issuer) {
                Some(list) if now >= list.next_update() => {
                    Status::Expired { next_update: list.next_update() }
                }
                _ => Status::Good,
            },
            status => status,
        }
    }

    /// Refuses a step back from `held`: every authority keeps its list, and its number does not fall. The very same
    /// list again is no step back.
    pub fn check_follows(&self, held: &CrlIndex) -> Result<(), CrlRefused> {
        for (id, old) in &held.lists {
            let new = self.lists.get(id).ok_or_else(|| old.refused(CrlFault::Lost))?;
            refuse_same_number(old, new)?;
            if new.number() < old.number() || new.this_update() < old.this_update() {
                let fault = CrlFault::Rollback { held: old.number().clone(), offered: new.number().clone() };
                return Err(new.refused(fault));
            }
        }
        Ok(())
    }

    /// The lists of these authorities only.
    pub(crate) fn restricted_to<'a>(&self, issuers: impl Iterator<Item = &'a Issuer>) -> CrlIndex {
        let lists = issuers.filter_map(|issuer| {
            self.lists.get(issuer.id()).map(|list| (issuer.id().clone(), Arc::clone(list)))
        });
        CrlIndex { lists: lists.collect() }
    }

    /// Is there a list of this authority?
    pub fn has(&self, issuer: &IssuerId) -> bool {
        self.lists.contains_key(issuer)
    }

    /// The lists, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Crl> {
        self.lists.values().map(Arc::as_ref)
    }
}

fn refuse_same_number(one: &Crl, other: &Crl) -> Result<(), CrlRefused> {
    if one.number() == other.number() && one.der() != other.der() {
        return Err(other.refused(CrlFault::SameNumber { number: other.number().clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
