//! The connections that are open now: who stands at the other end of each, so that it can be judged again when something
//! changes, and ended.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use pki::peer::PeerIdentity;
use protocol::{cause::Cause, party::Identity};
use rustls_pki_types::CertificateDer;

use crate::{in_force::Accepted, stop::Stop};

/// One open connection, as the table has it.
#[derive(Clone)]
pub struct Open {
    /// Its number, never used twice by one process.
    pub id: u64,
    /// Who is at the other end.
    pub peer: PeerIdentity,
    /// Where it comes from.
    pub source: SocketAddr,
    /// What it was accepted with.
    pub accepted: Accepted,
    /// The chain that was shown, leaf first.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Tells it to end.
    pub stop: Stop,
}

#[derive(Default)]
struct Table {
    open: HashMap<u64, Open>,
    of_identity: HashMap<Identity, u32>,
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
    /// The chain that was shown, leaf first.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// What it was accepted with.
    pub accepted: Accepted,
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
        peer: PeerIdentity,
        chain: Vec<CertificateDer<'static>>,
        accepted: Accepted,
        source: SocketAddr,
        of_identity_max: u32,
    ) -> Option<LiveConnection> {
        let mut table = self.lock();
        let count = table.of_identity.entry(peer.identity().clone()).or_default();
        if *count >= of_identity_max {
            return None;
        }
        *count += 1;
        let id = self.numbers.fetch_add(1, Ordering::Relaxed);
        let stop = Stop::default();
        let chain: Arc<[_]> = chain.into();
        let open = Open { id, peer, source, accepted, chain: Arc::clone(&chain), stop: stop.clone() };
        table.open.insert(id, open);
        Some(LiveConnection { live: self.clone(), id, stop, accepted, chain })
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

impl Drop for LiveConnection {
    fn drop(&mut self) {
        let mut table = self.live.lock();
        let Some(open) = table.open.remove(&self.id) else { return };
        if let Some(count) = table.of_identity.get_mut(open.peer.identity()) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.of_identity.remove(open.peer.identity());
            }
        }
    }
}
