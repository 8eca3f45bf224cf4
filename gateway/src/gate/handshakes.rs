//! Handshakes under way, and which of them gives way to a newer one: of the source prefix that has most of them the oldest,
//! so that whoever begins many pushes out its own. Every step costs the logarithm of their number.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    time::Instant,
};

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

/// One of them.
pub(super) struct Handshake {
    /// Where it comes from.
    pub(super) prefix: IpNet,
    pub(super) began: Instant,
    /// Cancelled when it has to give way.
    pub(super) gives_way: CancellationToken,
}

/// How many a prefix has; of two with as many, the one with the oldest comes last.
type Rank = (usize, Reverse<u64>, IpNet);

/// All of them, by numbers that grow.
#[derive(Default)]
pub(super) struct Handshakes {
    all: HashMap<u64, Handshake>,
    of_prefix: HashMap<IpNet, BTreeSet<u64>>,
    ranks: BTreeSet<Rank>,
}

impl Handshakes {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn insert(&mut self, number: u64, handshake: Handshake) {
        self.change(handshake.prefix, |numbers| numbers.insert(number));
        self.all.insert(number, handshake);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Handshake> {
        let handshake = self.all.remove(&number)?;
        self.change(handshake.prefix, |numbers| numbers.remove(&number));
        Some(handshake)
    }

    /// The one that gives way next.
    pub(super) fn next_to_give_way(&self) -> Option<&Handshake> {
        self.all.get(&self.next()?)
    }

    /// Takes it out.
    pub(super) fn take_next(&mut self) -> Option<Handshake> {
        self.remove(self.next()?)
    }

    fn next(&self) -> Option<u64> {
        self.ranks.last().map(|(_, Reverse(oldest), _)| *oldest)
    }

    fn change(&mut self, prefix: IpNet, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let numbers = self.of_prefix.entry(prefix).or_default();
        let before = rank(prefix, numbers);
        change(numbers);
        let after = rank(prefix, numbers);
        if after.is_none() {
            self.of_prefix.remove(&prefix);
        }
        if let Some(before) = before {
            self.ranks.remove(&before);
        }
        self.ranks.extend(after);
    }
}

fn rank(prefix: IpNet, numbers: &BTreeSet<u64>) -> Option<Rank> {
    numbers.first().map(|oldest| (numbers.len(), Reverse(*oldest), prefix))
}
