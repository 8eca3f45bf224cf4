//! The streamed exchanges that run now, so that they can be ended: when the right behind one is withdrawn, or a drain has
//! waited long enough.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::{kind::System, party::Role, permission::Action};
use tokio_util::sync::CancellationToken;

use crate::stop::Stop;

/// All of them.
#[derive(Clone, Default)]
pub struct Exchanges {
    running: Arc<Mutex<HashMap<u64, Running>>>,
    numbers: Arc<AtomicU64>,
}

struct Running {
    role: Role,
    right: (System, Action),
    ends: CancellationToken,
}

/// One exchange's place in the table; dropped when it is over.
pub struct Exchange {
    all: Exchanges,
    number: u64,
    ends: CancellationToken,
}

impl Exchanges {
    /// Notes an exchange under a right, on a connection that may be told to end.
    pub fn begin(&self, role: Role, right: (System, Action), connection: &Stop) -> Exchange {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let ends = connection.child_token();
        self.lock().insert(number, Running { role, right, ends: ends.clone() });
        Exchange { all: self.clone(), number, ends }
    }

    /// Ends those whose role has lost the right behind them; says how many.
    pub fn end_without(&self, has: impl Fn(Role, (System, Action)) -> bool) -> usize {
        let running = self.lock();
        let lost = running.values().filter(|running| !has(running.role, running.right));
        lost.map(|running| running.ends.cancel()).count()
    }

    /// Ends all of them.
    pub fn end_all(&self) {
        self.end_without(|_, _| false);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Running>> {
        // Nothing that holds the lock can leave the table half changed.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    /// Cancelled when it is to be broken off.
    pub fn ends(&self) -> &CancellationToken {
        &self.ends
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
    }
}
