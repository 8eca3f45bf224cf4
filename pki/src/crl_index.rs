//! The revocation lists in force, verified once and asked for every certificate of every path.
//!
//! One list for each authority and scope. A certificate counts as good only if a list that covers it is in force, and as
//! revoked if any list of its authority names it, whatever that list covers: numbers are an authority's and not a part's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use protocol::moment::Moment;
use rustls_pki_types::CertificateRevocationListDer;

use crate::{
    crl::{Crl, CrlFault, CrlRefused, UnverifiedCrl},
    issuer::{Issuer, IssuerId},
    signatures::Signatures,
    subject::Subject,
};

/// What the lists say of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A list of the issuer that covers it is in force, and none names it.
    Good,
    /// A list of the issuer names it.
    Revoked {
        /// The date of revocation in the list.
        since: Moment,
    },
    /// There is no list of this issuer that covers it.
    Missing,
    /// The lists that cover it are past their nextUpdate: whether the certificate still counts is unknown.
    Expired {
        /// When the last of them ended.
        next_update: Moment,
    },
    /// As [`Status::Expired`], within the grace that the configuration gives this issuer.
    Grace {
        /// When the list ended.
        next_update: Moment,
    },
}

/// What the lists say, and the list that said it.
#[derive(Clone, Debug)]
pub(crate) struct Consulted {
    /// What they say.
    pub(crate) status: Status,
    /// The list that decided; `None` if there is none.
    pub(crate) list: Option<Arc<Crl>>,
}

impl Consulted {
    pub(crate) const MISSING: Consulted = Consulted { status: Status::Missing, list: None };
}

/// The verified lists in force.
#[derive(Clone, Debug, Default)]
pub struct CrlIndex {
    lists: HashMap<IssuerId, Vec<Arc<Crl>>>,
    grace: Option<(IssuerId, Duration)>,
}

impl CrlIndex {
    /// Verifies a list against these authorities and takes it in. Of several lists of one authority and scope the one
    /// with the highest number counts, in whatever order they come. A list that is already past its nextUpdate is taken
    /// in, and answers [`Status::Expired`].
    pub(crate) fn add<'a>(
        &mut self,
        der: &CertificateRevocationListDer<'_>,
        issuers: impl Iterator<Item = &'a Issuer>,
        signatures: Signatures,
        now: Moment,
    ) -> Result<(), CrlRefused> {
        let (id, list) = UnverifiedCrl::parse(der)?.verify(issuers, signatures)?;
        if list.this_update() > now {
            let this_update = list.this_update();
            let ahead_s = this_update.ms_since(now) / 1000;
            return Err(list.refused(CrlFault::FromTheFuture { this_update, ahead_s }));
        }
        let lists = self.lists.entry(id).or_default();
        match lists.iter_mut().find(|held| held.scope() == list.scope()) {
            None => lists.push(Arc::new(list)),
            Some(held) => {
                refuse_same_number(held, &list)?;
                if list.number() > held.number() {
                    *held = Arc::new(list);
                }
            }
        }
        Ok(())
    }

    /// Lets the lists of this authority be used for so long after their end.
    pub(crate) fn give_grace(&mut self, issuer: IssuerId, length: Duration) {
        self.grace = Some((issuer, length));
    }

    /// What the lists say of a certificate of this issuer at `now`. One that is named counts as revoked even if the list
    /// has ended. With `revoked_by`, for what was signed at that time: a revocation that is dated later does not count.
    pub(crate) fn consult(
        &self,
        issuer: &IssuerId,
        subject: &Subject<'_>,
        now: Moment,
        revoked_by: Option<Moment>,
    ) -> Consulted {
        let lists = || self.lists.get(issuer).into_iter().flatten();
        let naming = lists().filter_map(|list| Some((list.revoked_since(subject.serial)?, list)));
        if let Some((since, list)) = naming.min_by_key(|(since, _)| *since)
            && revoked_by.is_none_or(|at| since <= at)
        {
            return Consulted { status: Status::Revoked { since }, list: Some(Arc::clone(list)) };
        }
        let covering = lists().filter(|list| subject.is_covered_by(list.scope()));
        match covering.max_by_key(|list| list.next_update()) {
            None => Consulted::MISSING,
            Some(list) => Consulted {
                status: self.by_date(issuer, list.next_update(), now),
                list: Some(Arc::clone(list)),
            },
        }
    }

    fn by_date(&self, issuer: &IssuerId, next_update: Moment, now: Moment) -> Status {
        let ended_for = now.ms_since(next_update);
        if ended_for < 0 {
            return Status::Good;
        }
        match &self.grace {
            Some((graced, length)) if graced == issuer && ended_for < milliseconds(*length) => {
                Status::Grace { next_update }
            }
            _ => Status::Expired { next_update },
        }
    }

    /// Refuses a step back from `held`: every authority keeps its list of every scope, and its number does not fall. The
    /// very same list again is no step back.
    pub fn check_follows(&self, held: &CrlIndex) -> Result<(), CrlRefused> {
        for (id, old) in held.lists.iter().flat_map(|(id, lists)| lists.iter().map(move |list| (id, list))) {
            let mut same_issuer = self.lists.get(id).into_iter().flatten();
            let new = same_issuer.find(|new| new.scope() == old.scope());
            let new = new.ok_or_else(|| old.refused(CrlFault::Lost))?;
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
            self.lists.get(issuer.id()).map(|lists| (issuer.id().clone(), lists.clone()))
        });
        CrlIndex { lists: lists.collect(), grace: None }
    }

    /// Is there a list of this authority?
    pub fn has(&self, issuer: &IssuerId) -> bool {
        self.lists.contains_key(issuer)
    }

    /// The lists, those that end first at the beginning.
    pub fn by_end(&self) -> Vec<&Crl> {
        let mut lists: Vec<&Crl> = self.lists.values().flatten().map(Arc::as_ref).collect();
        lists.sort_by_key(|list| list.next_update());
        lists
    }
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn refuse_same_number(one: &Crl, other: &Crl) -> Result<(), CrlRefused> {
    if one.number() == other.number() && one.der() != other.der() {
        return Err(other.refused(CrlFault::SameNumber { number: other.number().clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
