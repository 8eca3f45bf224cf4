//! Chains that were judged good, so that whoever shows one again costs no more than proof of its key.
//!
//! A verdict holds for exactly these certificates, in this order, until the first of its path or of the revocation lists
//! that were asked ends, or a date of revocation comes, whatever happens. All of one set belong to one server, or to one
//! verifier of evidence, and to one purpose: whatever is loaded anew makes a new one, which begins with none, and a verdict
//! that an older one reaches late stays with the older one. Only good verdicts are kept: a stranger can put nothing in. Who
//! is blocked or has which right is not part of a verdict.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use protocol::{digest::Sha256, moment::Moment};
use rustls_pki_types::CertificateDer;

/// Verdicts kept at the same time, in two halves of which the older is dropped when the newer is full; some hundred bytes
/// each, 15 KB with a thousand codes. Five times as many as there are connections at the peak of a claim day.
const VERDICTS_MAX: usize = 8192;

/// The digests of a chain: of its leaf, and of each certificate with its length before it. A leaf has one verdict, whatever
/// chains it is shown with: whoever has a copy of it and not its key can push out no other's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChainDigest {
    leaf: Sha256,
    whole: Sha256,
}

impl ChainDigest {
    pub(crate) fn of(chain: &[CertificateDer<'_>]) -> Self {
        let lengths: Vec<[u8; 8]> = chain.iter().map(|der| (der.len() as u64).to_be_bytes()).collect();
        let parts = lengths.iter().zip(chain).flat_map(|(length, der)| [length.as_slice(), der.as_ref()]);
        let whole = Sha256::of_parts(&parts.collect::<Vec<_>>());
        ChainDigest { leaf: Sha256::of(chain.first().map_or(&[], |leaf| leaf.as_ref())), whole }
    }
}

struct Verdict<T> {
    whole: Sha256,
    found: Arc<T>,
    since: Moment,
    until: Moment,
}

struct Halves<T> {
    newer: HashMap<Sha256, Verdict<T>>,
    older: HashMap<Sha256, Verdict<T>>,
}

/// The good verdicts of one server or verifier: what was found of each chain.
pub(crate) struct Verdicts<T>(Mutex<Halves<T>>);

impl<T> Default for Verdicts<T> {
    fn default() -> Self {
        Verdicts(Mutex::new(Halves { newer: HashMap::new(), older: HashMap::new() }))
    }
}

impl<T> Verdicts<T> {
    /// What was found of this chain before, if that holds for what was done at `at` and is judged at `now`.
    pub(crate) fn find(&self, chain: ChainDigest, at: Moment, now: Moment) -> Option<Arc<T>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = match halves.newer.get(&chain.leaf) {
            Some(verdict) => verdict,
            None => {
                let verdict = halves.older.remove(&chain.leaf)?;
                halves.put(chain.leaf, verdict)
            }
        };
        // A clock that was set back is before everything that is known.
        let holds = |time| verdict.since <= time && time < verdict.until;
        (verdict.whole == chain.whole && holds(at) && holds(now)).then(|| Arc::clone(&verdict.found))
    }

    /// Keeps what was found of this chain for `since`; not what has to be found anew each time.
    pub(crate) fn keep(&self, chain: ChainDigest, found: &Arc<T>, since: Moment, until: Option<Moment>) {
        let Some(until) = until else { return };
        let verdict = Verdict { whole: chain.whole, found: Arc::clone(found), since, until };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(chain.leaf, verdict);
    }
}

impl<T> Halves<T> {
    fn put(&mut self, leaf: Sha256, verdict: Verdict<T>) -> &Verdict<T> {
        if self.newer.len() >= VERDICTS_MAX / 2 {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.entry(leaf).insert_entry(verdict).into_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, leaf::Purpose, testing::world::World};

    #[test]
    fn the_same_bytes_cut_into_other_certificates_are_another_chain() {
        let chain = |parts: &[&'static [u8]]| {
            let chain: Vec<CertificateDer<'_>> =
                parts.iter().map(|part| CertificateDer::from(*part)).collect();
            ChainDigest::of(&chain)
        };
        assert!(chain(&[b"ab", b"c"]) != chain(&[b"a", b"bc"]));
        assert!(chain(&[b"abc"]) != chain(&[b"abc", b""]));
        assert!(chain(&[b"a", b"b"]) != chain(&[b"b", b"a"]));
    }

    #[test]
    fn no_more_verdicts_are_kept_than_there_may_be_and_those_in_use_stay() {
        let (world, now) = (World::new(), clock::now());
        let chain = [world.client.der.clone()];
        let peer = Arc::new(world.trust().verify(&chain, Purpose::TlsClient, now).unwrap());
        let verdicts = Verdicts::default();
        let nth = |n: usize| ChainDigest { leaf: Sha256::of(&n.to_be_bytes()), whole: Sha256::of(b"") };
        for n in 0..3 * VERDICTS_MAX {
            verdicts.keep(nth(n), &peer, now, peer.verdict_ends());
            assert!(verdicts.find(nth(0), now, now).is_some(), "asked for again and again");
        }
        let halves = verdicts.0.lock().unwrap();
        assert!(halves.newer.len() + halves.older.len() <= VERDICTS_MAX);
    }

    #[test]
    fn a_leaf_that_is_shown_with_many_chains_has_one_place() {
        let (world, now) = (World::new(), clock::now());
        let chain = std::slice::from_ref(&world.client.der);
        let peer = Arc::new(world.trust().verify(chain, Purpose::TlsClient, now).unwrap());
        let (verdicts, with) = (Verdicts::default(), |more: &'static [u8]| {
            ChainDigest::of(&[world.client.der.clone(), CertificateDer::from(more)])
        });
        verdicts.keep(with(b"one"), &peer, now, peer.verdict_ends());
        verdicts.keep(with(b"other"), &peer, now, peer.verdict_ends());
        assert!(verdicts.find(with(b"one"), now, now).is_none());
        assert!(verdicts.find(with(b"other"), now, now).is_some());
        assert_eq!(verdicts.0.lock().unwrap().newer.len(), 1);
    }

    #[test]
    fn a_verdict_does_not_hold_before_it_was_reached() {
        let (world, now) = (World::new(), clock::now());
        let chain = [world.client.der.clone()];
        let peer = Arc::new(world.trust().verify(&chain, Purpose::TlsClient, now).unwrap());
        let (verdicts, digest) = (Verdicts::default(), ChainDigest::of(&chain));
        verdicts.keep(digest, &peer, now, peer.verdict_ends());
        let before = Moment::from_unix_ms(now.unix_ms() - 1);
        assert_eq!(verdicts.find(digest, now, now), Some(peer));
        assert_eq!(verdicts.find(digest, now, before), None);
        assert_eq!(verdicts.find(digest, before, now), None);
    }
}
