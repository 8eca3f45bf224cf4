//! What was written last, kept in memory: nearly all that a running transfer asks for is here, and a question to the
//! database costs two changes of thread.
//!
//! The writer alone puts in what is about to change or may, once it is durable and before anybody is told. Whatever is
//! not here, or was long enough ago to have been forgotten, is read from the file.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    fmt,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use protocol::{digest::Sha256, merkle::NodeId, party::Party, transfer_id::TransferKey};

use super::rows::Stored;
use crate::{audit::SignedHead, transfer::LogSeen};

/// Transfers: more than are under way at a time.
const TRANSFERS_MAX: usize = 512;

/// Bytes of a transfer's statements, twelve KiB as a rule; so that a few huge ones do not fill the memory.
const STATEMENTS_BYTES_MAX: usize = 16 * 1024;

/// Log entries, of less than a KiB each: those whose receipts are being answered.
const ENTRIES_MAX: usize = 1024;

/// Hashes of leaves and nodes, of 40 bytes each: the right edge, and what proofs of the newest entries have to its left.
const HASHES_MAX: usize = 8192;

/// Heads of counterparts' logs, of less than a KiB each: those who send now.
const LOGS_MAX: usize = 1024;

/// Counts of what senders have open: those who offer now.
const SENDERS_MAX: usize = 1024;

/// The newest of everything.
pub(super) struct Recent(Mutex<Kept>);

struct Kept {
    head: SignedHead,
    transfers: Newest<TransferKey, Stored>,
    entries: Newest<u64, String>,
    hashes: Newest<NodeId, Sha256>,
    logs: Newest<String, LogSeen>,
    unfinished: Newest<Party, u32>,
}

/// What a batch made durable.
pub(super) struct Written {
    /// Transfers as they are now.
    pub(super) transfers: Vec<Stored>,
    /// Transfers that changed, and of which no more is known.
    pub(super) changed: Vec<TransferKey>,
    /// Counterparts' logs as they are now.
    pub(super) logs: Vec<LogSeen>,
    /// How many transfers of these senders are not ended now.
    pub(super) unfinished: HashMap<Party, u32>,
    /// How many transfers of these senders ended, whose number of unfinished ones the batch did not read.
    pub(super) ended: HashMap<Party, u32>,
    pub(super) entries: Vec<(u64, String)>,
    pub(super) hashes: Vec<(NodeId, Sha256)>,
    /// The head, if it is a new one.
    pub(super) head: Option<SignedHead>,
}

impl Recent {
    pub(super) fn new(head: SignedHead) -> Self {
        Recent(Mutex::new(Kept {
            head,
            transfers: Newest::of(TRANSFERS_MAX),
            entries: Newest::of(ENTRIES_MAX),
            hashes: Newest::of(HASHES_MAX),
            logs: Newest::of(LOGS_MAX),
            unfinished: Newest::of(SENDERS_MAX),
        }))
    }

    /// Takes what became durable in the place of what it replaces.
    pub(super) fn put(&self, written: Written) {
        let kept = &mut *self.lock();
        written.changed.iter().for_each(|key| kept.transfers.forget(key));
        for stored in written.transfers {
            if statements_bytes(&stored) <= STATEMENTS_BYTES_MAX {
                kept.transfers.put(stored.transfer.key.clone(), stored);
            } else {
                kept.transfers.forget(&stored.transfer.key);
            }
        }
        for seen in written.logs {
            kept.logs.put(seen.log.origin.clone(), seen);
        }
        for (sender, ended) in written.ended {
            if let Some(unfinished) = kept.unfinished.get_mut(&sender) {
                *unfinished = unfinished.saturating_sub(ended);
            }
        }
        written.unfinished.into_iter().for_each(|(sender, count)| kept.unfinished.put(sender, count));
        written.entries.into_iter().for_each(|(index, text)| kept.entries.put(index, text));
        written.hashes.into_iter().for_each(|(id, hash)| kept.hashes.put(id, hash));
        if let Some(head) = written.head {
            kept.head = head;
        }
    }

    /// Keeps hashes that were read: they never change.
    pub(super) fn put_hashes(&self, hashes: &HashMap<NodeId, Sha256>) {
        let kept = &mut *self.lock();
        hashes.iter().for_each(|(id, hash)| kept.hashes.put(*id, *hash));
    }

    /// The newest signed head.
    pub(super) fn head(&self) -> SignedHead {
        self.lock().head.clone()
    }

    pub(super) fn transfer(&self, key: &TransferKey) -> Option<Stored> {
        self.lock().transfers.get(key).cloned()
    }

    pub(super) fn entry(&self, index: u64) -> Option<String> {
        self.lock().entries.get(&index).cloned()
    }

    /// Those of these hashes that are here.
    pub(super) fn hashes(&self, ids: &[NodeId]) -> HashMap<NodeId, Sha256> {
        let kept = self.lock();
        ids.iter().filter_map(|id| Some((*id, *kept.hashes.get(id)?))).collect()
    }

    /// What the counterpart's log of this origin has shown.
    pub(super) fn log(&self, origin: &str) -> Option<LogSeen> {
        self.lock().logs.get(origin).cloned()
    }

    /// How many transfers of this sender are not ended.
    pub(super) fn unfinished(&self, sender: &Party) -> Option<u32> {
        self.lock().unfinished.get(sender).copied()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn statements_bytes(stored: &Stored) -> usize {
    let transfer = &stored.transfer;
    let others = [&transfer.receipt, &transfer.refusal, &transfer.acknowledgement];
    transfer.manifest.len() + others.into_iter().flatten().map(String::len).sum::<usize>()
}

impl fmt::Debug for Recent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("head", &self.head()).finish_non_exhaustive()
    }
}

/// A map that forgets what was put in first.
struct Newest<K, V> {
    map: HashMap<K, V>,
    order: VecDeque<K>,
    max: usize,
}

impl<K: Clone + Eq + Hash, V> Newest<K, V> {
    fn of(max: usize) -> Self {
        Newest { map: HashMap::new(), order: VecDeque::new(), max }
    }

    fn put(&mut self, key: K, value: V) {
        if self.map.insert(key.clone(), value).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.map.remove(&oldest);
        }
    }

    fn forget<Q: ?Sized + Hash + Eq>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if self.map.remove(key).is_some() {
            self.order.retain(|kept| kept.borrow() != key);
        }
    }

    fn get<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    fn get_mut<Q: ?Sized + Hash + Eq>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_first_is_forgotten_first() {
        let mut newest = Newest::of(3);
        (1..=3).for_each(|key| newest.put(key, "old"));
        newest.put(1, "new");
        newest.put(4, "new");
        let kept: Vec<_> = (1..=4).map(|key| newest.get(&key).copied()).collect();
        assert_eq!(kept, [None, Some("old"), Some("old"), Some("new")]);
    }

    #[test]
    fn what_was_forgotten_on_purpose_leaves_its_room_to_others() {
        let mut newest = Newest::of(2);
        newest.put(1, ());
        newest.forget(&1);
        (2..=3).for_each(|key| newest.put(key, ()));
        assert_eq!((newest.get(&2), newest.get(&3)), (Some(&()), Some(&())));
    }
}
