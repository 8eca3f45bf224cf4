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
    /// The first date of revocation in any list, be it later than the time asked about.
    pub(crate) revoked_from: Option<Moment>,
}

impl Consulted {
    pub(crate) const MISSING: Consulted =
        Consulted { status: Status::Missing, list: None, revoked_from: None };

    /// From when on the same lists may say something else; `None` if there is none.
    pub(crate) fn ends(&self) -> Option<Moment> {
        let next_update = self.list.as_ref()?.next_update();
        Some(self.revoked_from.map_or(next_update, |from| from.min(next_update)))
    }
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
        let (id, list) = read(der, issuers, signatures, now)?;
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

    /// Takes in a list that was fetched, in place of the one of its authority and scope. It is refused if it has ended or
    /// would be a step back; the very same list again is none. Says whether it is another one.
    ///
    /// Whoever sent it may be anybody: before a configured authority's signature was found under it, nothing of it is read
    /// but the frame, so that it cannot cost more memory than its own length.
    pub(crate) fn follow<'a>(
        &mut self,
        der: &CertificateRevocationListDer<'_>,
        issuers: impl Iterator<Item = &'a Issuer> + Clone,
        signatures: Signatures,
        now: Moment,
    ) -> Result<Followed, CrlRefused> {
        let signed = |issuer: &Issuer| signatures.verify(der, issuer.public_key_info()).is_ok();
        if !issuers.clone().any(signed) {
            let issuer = "an unknown issuer".to_owned();
            return Err(CrlRefused { issuer, fault: CrlFault::SignedByNobody });
        }
        let (id, list) = read(der, issuers, signatures, now)?;
        let next_update = list.next_update();
        if next_update <= now {
            return Err(list.refused(CrlFault::Ended { next_update }));
        }
        let list = Arc::new(list);
        let followed = |is_new| Followed { list: Arc::clone(&list), is_new };
        let lists = self.lists.entry(id).or_default();
        match lists.iter_mut().find(|held| held.scope() == list.scope()) {
            None => lists.push(Arc::clone(&list)),
            Some(held) if held.der() == list.der() => return Ok(followed(false)),
            Some(held) => {
                refuse_step_back(held, &list)?;
                *held = Arc::clone(&list);
            }
        }
        Ok(followed(true))
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
        let named = naming.min_by_key(|(since, _)| *since);
        let revoked_from = named.map(|(since, _)| since);
        if let Some((since, list)) = named
            && revoked_by.is_none_or(|at| since <= at)
        {
            let list = Some(Arc::clone(list));
            return Consulted { status: Status::Revoked { since }, list, revoked_from };
        }
        let covering = lists().filter(|list| subject.is_covered_by(list.scope()));
        match covering.max_by_key(|list| list.next_update()) {
            None => Consulted::MISSING,
            Some(list) => Consulted {
                status: self.by_date(issuer, list.next_update(), now),
                list: Some(Arc::clone(list)),
                revoked_from,
            },
        }
    }

    fn by_date(&self, issuer: &IssuerId, next_update: Moment, now: Moment) -> Status {
        let ended_for = now.ms_since(next_update);
        if ended_for < 0 {
            return Status::Good;
        }
        if ended_for < self.grace_ms(issuer) {
            Status::Grace { next_update }
        } else {
            Status::Expired { next_update }
        }
    }

    /// Did a list pass its end, grace included, after the first of these times and not after the second?
    pub fn any_ended(&self, after: Moment, by: Moment) -> bool {
        self.each().any(|(id, list)| {
            let ended_for = by.ms_since(list.next_update()) - self.grace_ms(id);
            ended_for >= 0 && ended_for < by.ms_since(after)
        })
    }

    /// Is there a list of this authority that can still be used, by grace perhaps?
    pub(crate) fn is_usable(&self, issuer: &IssuerId, now: Moment) -> bool {
        let mut lists = self.lists.get(issuer).into_iter().flatten();
        lists.any(|list| !matches!(self.by_date(issuer, list.next_update(), now), Status::Expired { .. }))
    }

    fn grace_ms(&self, issuer: &IssuerId) -> i64 {
        self.grace
            .as_ref()
            .filter(|(graced, _)| graced == issuer)
            .map_or(0, |(_, length)| milliseconds(*length))
    }

    /// Refuses a step back from `held`: every authority keeps its list of every scope, and its number does not fall. The
    /// very same list again is no step back.
    pub fn check_follows(&self, held: &CrlIndex) -> Result<(), CrlRefused> {
        for (id, old) in held.each() {
            let mut same_issuer = self.lists.get(id).into_iter().flatten();
            let new = same_issuer.find(|new| new.scope() == old.scope());
            let new = new.ok_or_else(|| old.refused(CrlFault::Lost))?;
            refuse_step_back(old, new)?;
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

    /// The lists with their authorities, in no order.
    pub fn each(&self) -> impl Iterator<Item = (&IssuerId, &Arc<Crl>)> {
        self.lists.iter().flat_map(|(id, lists)| lists.iter().map(move |list| (id, list)))
    }

    /// The lists, those that end first at the beginning.
    pub fn by_end(&self) -> Vec<&Crl> {
        let mut lists: Vec<&Crl> = self.lists.values().flatten().map(Arc::as_ref).collect();
        lists.sort_by_key(|list| list.next_update());
        lists
    }
}

/// A list that was fetched and counts.
pub(crate) struct Followed {
    pub(crate) list: Arc<Crl>,
    /// It took the place of another, or is the first of its authority and scope.
    pub(crate) is_new: bool,
}

/// Reads a list and verifies it against these authorities.
fn read<'a>(
    der: &CertificateRevocationListDer<'_>,
    issuers: impl Iterator<Item = &'a Issuer>,
    signatures: Signatures,
    now: Moment,
) -> Result<(IssuerId, Crl), CrlRefused> {
    let (id, list) = UnverifiedCrl::parse(der)?.verify(issuers, signatures)?;
    let this_update = list.this_update();
    if this_update > now {
        let ahead_s = this_update.ms_since(now) / 1000;
        return Err(list.refused(CrlFault::FromTheFuture { this_update, ahead_s }));
    }
    Ok((id, list))
}

fn milliseconds(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn refuse_step_back(held: &Crl, new: &Crl) -> Result<(), CrlRefused> {
    refuse_same_number(held, new)?;
    if new.number() < held.number() || new.this_update() < held.this_update() {
        let fault = CrlFault::Rollback { held: held.number().clone(), offered: new.number().clone() };
        return Err(new.refused(fault));
    }
    Ok(())
}

fn refuse_same_number(one: &Crl, other: &Crl) -> Result<(), CrlRefused> {
    if one.number() == other.number() && one.der() != other.der() {
        return Err(other.refused(CrlFault::SameNumber { number: other.number().clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
