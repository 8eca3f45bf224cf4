//! What was turned down before anybody was known by name: counted by reason, never written one by one, so that a
//! stranger cannot fill the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Reasons are words of this program, so there are few; more than this many would be a mistake.
const REASONS_MAX: usize = 64;

/// Counts by reason.
#[derive(Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    /// Counts one more.
    pub fn count(&self, reason: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < REASONS_MAX || counts.contains_key(reason) {
            let count = counts.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// All counts so far.
    pub fn read(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
