//! The connections that are open now: who stands at the other end of each, so that it can be judged again when something
//! changes, and ended.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use pki::peer::PeerIdentity;
use protocol::{cause::Cause, party::Identity};
use rustls_pki_types::CertificateDer;

use crate::{
    in_force::Accepted,
    limits::{REQUEST_BURST, REQUEST_WAIT_MAX, RESTING_IDENTITIES_MAX},
    rate::{Rate, TooFast},
    stop::Stop,
    stream::Credentials,
};

/// One open connection, as the table has it.
#[derive(Clone)]
pub struct Open {
    /// Its number, never used twice by one process.
    pub id: u64,
    /// Who is at the other end.
    pub peer: Arc<PeerIdentity>,
    /// Where it comes from.
    pub source: SocketAddr,
    /// What it was accepted with.
    pub accepted: Accepted,
    /// What was shown.
    pub shown: Arc<Shown>,
    /// Tells it to end.
    pub stop: Stop,
}

/// What a peer showed. Connections of one identity that showed the same have it once.
#[derive(Debug)]
pub struct Shown {
    /// The chain, leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// What a system behind is told of it; made when the first request for one comes.
    credentials: OnceLock<Option<Credentials>>,
}

impl Shown {
    /// What a system behind is told of whoever showed it, who is known by this name.
    pub fn credentials(&self, identity: &Identity) -> Option<&Credentials> {
        self.credentials.get_or_init(|| Credentials::new(&self.chain, identity)).as_ref()
    }
}

/// What is known of one identity.
struct Known {
    open: u32,
    /// What its newest connection showed, for as long as one that showed it is open.
    shown: Weak<Shown>,
    /// Its requests, whatever connection they come on.
    requests: Arc<Mutex<Rate>>,
}

impl Known {
    /// One without a connection yet.
    fn new() -> Self {
        let requests = Arc::new(Mutex::new(Rate::new(Instant::now())));
        Known { open: 0, shown: Weak::new(), requests }
    }

    /// What a new connection showed: the same as the one before it, or something else.
    fn shown(&mut self, chain: Vec<CertificateDer<'static>>) -> Arc<Shown> {
        if let Some(same) = self.shown.upgrade().filter(|before| before.chain == chain) {
            return same;
        }
        let shown = Arc::new(Shown { chain, credentials: OnceLock::new() });
        self.shown = Arc::downgrade(&shown);
        shown
    }
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, Open>,
    of_identity: HashMap<Identity, Known>,
    /// How many of these have no connection, and are known for their requests of just now.
    resting: usize,
}

/// All of them.
#[derive(Clone, Default)]
pub struct Live {
    table: Arc<Mutex<Table>>,
    numbers: Arc<AtomicU64>,
}

/// A connection's place in the table; dropped when the connection is over, and whatever it began: content that is still
/// being checked after its connection closed can be withdrawn like any other.
pub struct LiveConnection {
    live: Live,
    /// Its number.
    pub id: u64,
    /// Tells it to end.
    pub stop: Stop,
    /// What was shown.
    pub shown: Arc<Shown>,
    /// What it was accepted with.
    pub accepted: Accepted,
    requests: Arc<Mutex<Rate>>,
}

impl fmt::Debug for LiveConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveConnection").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Live {
    /// Takes a connection in, unless its identity has `of_identity_max` already.
    pub fn register(
        &self,
        peer: Arc<PeerIdentity>,
        chain: Vec<CertificateDer<'static>>,
        accepted: Accepted,
        source: SocketAddr,
        of_identity_max: u32,
    ) -> Option<LiveConnection> {
        let mut table = self.lock();
        let known = table.place_for(peer.identity(), of_identity_max)?;
        let (requests, shown) = (Arc::clone(&known.requests), known.shown(chain));
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let stop = Stop::default();
        let open = Open { id, peer, source, accepted, shown: Arc::clone(&shown), stop: stop.clone() };
        table.open.insert(id, open);
        Some(LiveConnection { live: self.clone(), id, stop, accepted, shown, requests })
    }

    /// All open connections. Who registers later is judged by what is in force then.
    pub fn all(&self) -> Vec<Open> {
        self.lock().open.values().cloned().collect()
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that holds the lock can leave the table half changed.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Was it told to end? It may take a moment.
    pub fn is_ending(&self) -> bool {
        self.stop.told().is_some()
    }

    /// Ends it for good.
    pub fn end(&self) {
        self.stop.stop(Cause::Revoked);
    }
}

impl Table {
    /// One more connection of this identity, unless it has as many as it may.
    fn place_for(&mut self, identity: &Identity, of_identity_max: u32) -> Option<&mut Known> {
        if !self.of_identity.contains_key(identity) {
            self.of_identity.insert(identity.clone(), Known::new());
            self.resting += 1;
        }
        let known = self.of_identity.get_mut(identity)?;
        if known.open >= of_identity_max {
            return None;
        }
        if known.open == 0 {
            self.resting = self.resting.saturating_sub(1);
        }
        known.open += 1;
        Some(known)
    }

    /// One connection fewer. Whoever comes back at once has no more requests than before.
    fn gave_up(&mut self, identity: &Identity) {
        let Some(known) = self.of_identity.get_mut(identity) else { return };
        known.open = known.open.saturating_sub(1);
        if known.open > 0 {
            return;
        }
        let now = Instant::now();
        if locked(&known.requests).is_rested(now) {
            self.of_identity.remove(identity);
            return;
        }
        if self.resting < RESTING_IDENTITIES_MAX {
            self.resting += 1;
            return;
        }
        self.of_identity.retain(|_, known| known.open > 0 || !locked(&known.requests).is_rested(now));
        self.resting = self.of_identity.values().filter(|known| known.open == 0).count();
        if self.resting >= RESTING_IDENTITIES_MAX {
            self.of_identity.remove(identity);
        }
    }
}

/// The lock on a rate, which is whole at every moment.
fn locked(rate: &Mutex<Rate>) -> MutexGuard<'_, Rate> {
    rate.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LiveConnection {
    /// Takes the turn of one request of its identity: how long to wait for it, or that it comes too fast.
    pub fn take_turn(&self, per_second: u32, now: Instant) -> Result<Duration, TooFast> {
        locked(&self.requests).take(per_second, REQUEST_BURST, REQUEST_WAIT_MAX, now)
    }
}

impl Drop for LiveConnection {
    fn drop(&mut self) {
        let mut table = self.live.lock();
        if let Some(open) = table.open.remove(&self.id) {
            table.gave_up(open.peer.identity());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_that_comes_back_at_once_has_no_more_requests_than_before() {
        let identity = Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap();
        let other = Identity::from_uri("urn:sekisho:test:institution:1310000026").unwrap();
        let mut table = Table::default();
        let requests = Arc::clone(&table.place_for(&identity, 1).unwrap().requests);
        let now = Instant::now();
        let take =
            |requests: &Mutex<Rate>| locked(requests).take(1, REQUEST_BURST, Duration::ZERO, now).is_ok();
        assert!(table.place_for(&identity, 1).is_none());
        assert!(take(&requests) && take(&requests) && !take(&requests));
        table.gave_up(&identity);
        assert!(!take(&table.place_for(&identity, 1).unwrap().requests));
        assert!(take(&table.place_for(&other, 1).unwrap().requests));
    }

    #[test]
    fn connections_that_showed_the_same_chain_have_it_once_and_others_have_their_own() {
        let mut known = Known::new();
        let chain = |bytes: &'static [u8]| vec![CertificateDer::from(bytes)];
        let one = known.shown(chain(b"one"));
        assert!(Arc::ptr_eq(&one, &known.shown(chain(b"one"))));
        let other = known.shown(chain(b"other"));
        assert_eq!(other.chain, chain(b"other"));
        drop((one, other));
        assert!(known.shown.upgrade().is_none(), "kept no longer than a connection");
    }
}
