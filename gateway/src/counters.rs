//! What was turned down, counted by reason, and by where it came from. Before anybody is known by name this is all that
//! is kept, so that a stranger cannot fill the log.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use crate::limits::{COUNTED_REASONS_MAX, COUNTED_SOURCES_MAX};

/// Where a reason comes from; two of them may share a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Before or during the handshake.
    Connection,
    /// The certificate that was shown, or its absence.
    Certificate,
    /// The HTTP engine, before a handler.
    Http,
    /// A handler; the reason is a problem code.
    Request,
}

impl Stage {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Connection => "connection",
            Stage::Certificate => "certificate",
            Stage::Http => "http",
            Stage::Request => "request",
        }
    }
}

/// A stage and a reason within it.
pub type Reason = (Stage, &'static str);

/// Counts by stage and reason.
#[derive(Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<Reason, u64>>,
    /// Of the current minute; without a prefix those that found no more room.
    sources: Mutex<HashMap<(Option<IpNet>, Reason), u64>>,
}

impl Counters {
    /// Counts one more.
    pub fn count(&self, stage: Stage, reason: &'static str) {
        let mut counts = lock(&self.counts);
        if counts.len() < COUNTED_REASONS_MAX || counts.contains_key(&(stage, reason)) {
            let count = counts.entry((stage, reason)).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Counts one more that came from this address, before anybody was known by name.
    pub fn count_from(&self, stage: Stage, reason: &'static str, address: IpAddr) {
        self.count(stage, reason);
        let mut sources = lock(&self.sources);
        let of_source = (Some(network_of(address)), (stage, reason));
        let room = sources.len() < COUNTED_SOURCES_MAX || sources.contains_key(&of_source);
        let count = sources.entry(if room { of_source } else { (None, of_source.1) }).or_default();
        *count = count.saturating_add(1);
    }

    /// All counts so far, by `stage:reason`.
    pub fn read(&self) -> BTreeMap<String, u64> {
        self.each(|(stage, reason), count| (format!("{}:{reason}", stage.name()), count)).collect()
    }

    /// All counts so far, each as `form` makes it.
    pub fn each<T>(&self, form: impl Fn(Reason, u64) -> T) -> impl Iterator<Item = T> {
        let counts: Vec<T> = lock(&self.counts).iter().map(|(reason, count)| form(*reason, *count)).collect();
        counts.into_iter()
    }

    /// Takes the counts of the minute by source, the largest first. No source: those that found no room in the table.
    pub fn take_sources(&self) -> Vec<(Option<IpNet>, Reason, u64)> {
        let taken = std::mem::take(&mut *lock(&self.sources));
        let mut sources: Vec<_> =
            taken.into_iter().map(|((source, reason), count)| (source, reason, count)).collect();
        sources.sort_by_key(|(source, reason, count)| (std::cmp::Reverse(*count), *source, *reason));
        sources
    }
}

fn lock<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds the lock can leave the counts half changed.
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network an address is summed up under, whatever the limits say: coarse enough to be few, fine enough to be found.
pub fn network_of(address: IpAddr) -> IpNet {
    let address = address.to_canonical();
    let bits = if address.is_ipv4() { 24 } else { 56 };
    IpNet::new(address, bits).unwrap_or_else(|_| IpNet::from(address)).trunc()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_beyond_the_table_are_still_counted() {
        let counters = Counters::default();
        for n in 0..COUNTED_SOURCES_MAX as u32 + 5 {
            let address = IpAddr::from((n << 8).to_be_bytes());
            counters.count_from(Stage::Connection, "prefix_full", address);
        }
        let sources = counters.take_sources();
        assert_eq!(sources.first(), Some(&(None, (Stage::Connection, "prefix_full"), 5)));
        assert_eq!(sources.len(), COUNTED_SOURCES_MAX + 1);
        assert!(counters.take_sources().is_empty(), "the next minute is a new one");
    }
}
