//! The attempts that are running in this process, so that a newer one can end an older, and a drain all of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use protocol::{
    cause::Cause,
    party::{Identity, Party, Role},
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
    /// Takes the place of this transfer's attempt, unless its identity has `of_identity_max` others. An older attempt in
    /// it is told to end, and waited for: what it received must be durable and on record before the newer one can know
    /// where to go on.
    pub async fn take_place(
        &self,
        key: &TransferKey,
        identity: &Identity,
        connection: u64,
        of_identity_max: u32,
    ) -> Option<Place> {
        loop {
            let mut over = {
                let mut running = self.lock();
                // Looked at and taken under one lock: two at once cannot both have the last place.
                let others =
                    running.iter().filter(|(other, running)| *other != key && running.identity == *identity);
                if others.count() >= of_identity_max as usize {
                    return None;
                }
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
                        return Some(Place { key: key.clone(), attempts: self.clone(), over: sender, stop });
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

    /// Tells every attempt at a transfer of this sender to end, whoever brings it; says how many.
    pub fn stop_for(&self, sender: &Party, cause: Cause) -> usize {
        let running = self.lock();
        let of_sender = running.iter().filter(|(key, _)| key.sender == *sender);
        of_sender.inspect(|(_, running)| running.stop.stop(cause)).count()
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
        nth(0)
    }

    fn nth(n: u8) -> TransferKey {
        let id = protocol::transfer_id::TransferId::new(protocol::moment::Moment::from_unix_ms(1), [n; 10]);
        TransferKey { sender: "institution:1310000018".parse().unwrap(), id }
    }

    fn identity() -> Identity {
        Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap()
    }

    #[tokio::test]
    async fn a_newer_attempt_waits_until_the_older_is_over() {
        let attempts = Attempts::default();
        let older = attempts.take_place(&key(), &identity(), 1, 1).await.unwrap();
        let newer = tokio::spawn({
            let attempts = attempts.clone();
            async move { attempts.take_place(&key(), &identity(), 1, 1).await.unwrap() }
        });
        assert_eq!(older.stop.stopped().await, Cause::Superseded);
        assert!(!newer.is_finished());
        drop(older);
        newer.await.unwrap();
        assert_eq!(attempts.count(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn attempts_that_begin_at_the_same_time_never_have_more_places_than_they_may() {
        let attempts = Attempts::default();
        let racers: Vec<_> = (0..64)
            .map(|n| {
                let attempts = attempts.clone();
                tokio::spawn(async move { attempts.take_place(&nth(n), &identity(), 1, 3).await })
            })
            .collect();
        let mut places = Vec::new();
        for racer in racers {
            places.extend(racer.await.unwrap());
        }
        assert_eq!(places.len(), 3);
        places.pop();
        assert!(attempts.take_place(&nth(70), &identity(), 1, 3).await.is_some());
    }

    #[tokio::test]
    async fn only_the_attempts_of_the_sender_that_is_named_are_ended() {
        let attempts = Attempts::default();
        let place = attempts.take_place(&key(), &identity(), 1, 1).await.unwrap();
        assert_eq!(attempts.stop_for(&"institution:1310000026".parse().unwrap(), Cause::Revoked), 0);
        assert_eq!(place.stop.told(), None);
        assert_eq!(attempts.stop_for(&key().sender, Cause::Revoked), 1);
        assert_eq!(place.stop.told(), Some(Cause::Revoked));
    }
}
