//! What was turned down, counted by reason. Before anybody is known by name this is all that is kept, so that a stranger
//! cannot fill the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::limits::COUNTED_REASONS_MAX;

/// Where a reason comes from; two of them may share a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// Counts by stage and reason.
#[derive(Default)]
pub struct Counters {
    counts: Mutex<BTreeMap<(Stage, &'static str), u64>>,
}

impl Counters {
    /// Counts one more.
    pub fn count(&self, stage: Stage, reason: &'static str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() < COUNTED_REASONS_MAX || counts.contains_key(&(stage, reason)) {
            let count = counts.entry((stage, reason)).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// All counts so far, by `stage:reason`.
    pub fn read(&self) -> BTreeMap<String, u64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|((stage, reason), count)| (format!("{}:{reason}", stage.name()), *count)).collect()
    }
}
