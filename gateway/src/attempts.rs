//! The attempts that are running in this process, so that a newer one can end an older, and a drain all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    cause::Cause,
    party::{Identity, Role},
    transfer_id::TransferKey,
};
use tokio::sync::watch;

use crate::stop::Stop;

struct Running {
    stop: Stop,
    /// Who brings it.
    identity: Identity,
    /// By which connection.
    connection: u64,
    over: watch::Receiver<bool>,
}

/// All running attempts, at most one for each transfer.
#[derive(Clone, Default)]
pub struct Attempts {
    running: Arc<Mutex<HashMap<TransferKey, Running>>>,
}

/// The place of one attempt; dropped when it is over, whatever way it ended.
pub struct Place {
    key: TransferKey,
    attempts: Attempts,
    over: watch::Sender<bool>,
    /// Tells this attempt to end.
    pub stop: Stop,
}

impl Attempts {
    /// Takes the place of this transfer's attempt. An older attempt in it is told to end, and waited for: what it
    /// received must be durable and on record before the newer one can know where to go on.
    pub async fn take_place(&self, key: &TransferKey, identity: &Identity, connection: u64) -> Place {
        loop {
            let mut over = {
                let mut running = self.lock();
                match running.get(key) {
                    Some(older) => {
                        older.stop.stop(Cause::Superseded);
                        older.over.clone()
                    }
                    None => {
                        let (sender, receiver) = watch::channel(false);
                        let stop = Stop::default();
                        let from = Running {
                            stop: stop.clone(),
                            identity: identity.clone(),
                            connection,
                            over: receiver,
                        };
                        running.insert(key.clone(), from);
                        return Place { key: key.clone(), attempts: self.clone(), over: sender, stop };
                    }
                }
            };
            // An error means that the sender is gone, and the place with it.
            let _ = over.wait_for(|over| *over).await;
        }
    }

    /// Tells this transfer's attempt to end, if one is running.
    pub fn stop(&self, key: &TransferKey, cause: Cause) {
        if let Some(running) = self.lock().get(key) {
            running.stop.stop(cause);
        }
    }

    /// Tells every attempt on this connection to end.
    pub fn stop_on(&self, connection: u64, cause: Cause) {
        for running in self.lock().values().filter(|running| running.connection == connection) {
            running.stop.stop(cause);
        }
    }

    /// Tells every attempt of a caller of such a role to end; says how many.
    pub fn stop_roles(&self, ended: impl Fn(Role) -> bool, cause: Cause) -> usize {
        let running = self.lock();
        let withdrawn = running.values().filter(|running| ended(running.identity.role()));
        withdrawn.inspect(|running| running.stop.stop(cause)).count()
    }

    /// How many attempts of this identity are running, at other transfers than this one: a newer attempt takes the
    /// place of the older.
    pub fn of_identity(&self, identity: &Identity, except: &TransferKey) -> usize {
        let running = self.lock();
        running.iter().filter(|(key, running)| *key != except && running.identity == *identity).count()
    }

    /// Tells every attempt to end.
    pub fn stop_all(&self, cause: Cause) {
        for running in self.lock().values() {
            running.stop.stop(cause);
        }
    }

    /// Is an attempt at this transfer running?
    pub fn is_running(&self, key: &TransferKey) -> bool {
        self.lock().contains_key(key)
    }

    /// How many are running.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransferKey, Running>> {
        // Nothing that holds the lock can leave the map half changed.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.attempts.lock().remove(&self.key);
        self.over.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TransferKey {
        let id = protocol::transfer_id::TransferId::new(protocol::moment::Moment::from_unix_ms(1), [0; 10]);
        TransferKey { sender: "institution:1310000018".parse().unwrap(), id }
    }

    fn identity() -> Identity {
        Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap()
    }

    #[tokio::test]
    async fn a_newer_attempt_waits_until_the_older_is_over() {
        let attempts = Attempts::default();
        let older = attempts.take_place(&key(), &identity(), 1).await;
        let newer = tokio::spawn({
            let attempts = attempts.clone();
            async move { attempts.take_place(&key(), &identity(), 1).await }
        });
        assert_eq!(older.stop.stopped().await, Cause::Superseded);
        assert!(!newer.is_finished());
        drop(older);
        newer.await.unwrap();
        assert_eq!(attempts.count(), 0);
    }
}
