//! Where each small content stands, and how much is still wanted of each segment. Pure.

use std::collections::{BTreeMap, HashMap};

use protocol::transfer_id::TransferKey;

use super::{record::Salt, scan::Found};

/// What is known of all small contents.
#[derive(Default)]
pub(super) struct Index {
    contents: HashMap<TransferKey, Held>,
    segments: BTreeMap<u64, Segment>,
}

/// What is known of one.
struct Held {
    /// The newest attempt that has begun.
    attempt: u32,
    /// Its content, or that of an older one which it began with; none before it is durable.
    at: Option<At>,
}

/// Where a content stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) segment: u64,
    /// The attempt that brought it.
    pub(super) attempt: u32,
    /// Where its record begins.
    pub(super) offset: u64,
    /// Bytes of content.
    pub(super) length: u64,
    /// It was what had been written when it was last looked at.
    pub(super) is_sound: bool,
}

struct Segment {
    salt: Salt,
    /// Contents that are wanted, or being written.
    live: usize,
}

/// A newer attempt has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Newer;

/// Nothing of this segment is wanted any more, and nobody writes to it: it can go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Emptied(pub(super) u64);

impl Index {
    /// Takes in what was found on the disk in a segment. Of one transfer the newest attempt counts, of those that are sound if
    /// there is one.
    pub(super) fn found(&mut self, segment: u64, salt: Salt, found: Vec<Found>) {
        self.segments.insert(segment, Segment { salt, live: 0 });
        for Found { key, attempt, offset, length, is_sound } in found {
            let held = self.contents.entry(key).or_insert(Held { attempt, at: None });
            let counts = held.at.is_none_or(|at| (is_sound, attempt) > (at.is_sound, at.attempt));
            held.attempt = held.attempt.max(attempt);
            if counts {
                let older = held.at.replace(At { segment, attempt, offset, length, is_sound });
                self.count(segment, 1);
                // A segment that this empties is one of the leavings.
                older.and_then(|older| self.discount(older.segment));
            }
        }
    }

    /// Segments that hold nothing wanted; they are forgotten.
    pub(super) fn leavings(&mut self) -> Vec<Emptied> {
        let empty = self.segments.iter().filter(|(_, segment)| segment.live == 0);
        let empty: Vec<u64> = empty.map(|(number, _)| *number).collect();
        empty.into_iter().filter_map(|number| self.forget(number)).collect()
    }

    /// Has an attempt at this transfer begun that was not dropped?
    pub(super) fn knows(&self, key: &TransferKey) -> bool {
        self.contents.contains_key(key)
    }

    /// Where this transfer's content stands, and the salt of the segment.
    pub(super) fn get(&self, key: &TransferKey) -> Option<(At, Salt)> {
        let at = self.contents.get(key)?.at?;
        Some((at, self.segments.get(&at.segment)?.salt))
    }

    /// Every content that is there.
    pub(super) fn contents(&self) -> impl Iterator<Item = (&TransferKey, At)> {
        self.contents.iter().filter_map(|(key, held)| Some((key, held.at?)))
    }

    /// Has no attempt begun that is as new as this one?
    pub(super) fn may_begin(&self, key: &TransferKey, attempt: u32) -> Result<(), Newer> {
        if self.contents.get(key).is_some_and(|held| held.attempt >= attempt) { Err(Newer) } else { Ok(()) }
    }

    /// An attempt begins: with what is there, or anew.
    pub(super) fn begin(&mut self, key: &TransferKey, attempt: u32, anew: bool) -> Option<Emptied> {
        let held = self.contents.entry(key.clone()).or_insert(Held { attempt, at: None });
        held.attempt = attempt;
        let dropped = if anew { held.at.take() } else { None };
        dropped.and_then(|at| self.release(at.segment))
    }

    /// A segment was begun, and so many contents are being written to it.
    pub(super) fn segment_begun(&mut self, segment: u64, salt: Salt, contents: usize) {
        self.segments.insert(segment, Segment { salt, live: contents });
    }

    /// So many contents more are about to be written to this segment, if it is still there; from now on it stays. One that was
    /// forgotten is removed, and never comes back.
    pub(super) fn reserve(&mut self, segment: u64, contents: usize) -> bool {
        self.count(segment, contents)
    }

    /// Content that was being written is durable there.
    pub(super) fn put(&mut self, key: &TransferKey, at: At) -> Option<Emptied> {
        let before = self.contents.insert(key.clone(), Held { attempt: at.attempt, at: Some(at) });
        before.and_then(|held| held.at).and_then(|at| self.release(at.segment))
    }

    /// Forgets a transfer.
    pub(super) fn drop_content(&mut self, key: &TransferKey) -> Option<Emptied> {
        self.contents.remove(key).and_then(|held| held.at).and_then(|at| self.release(at.segment))
    }

    fn count(&mut self, segment: u64, contents: usize) -> bool {
        let Some(segment) = self.segments.get_mut(&segment) else { return false };
        segment.live += contents;
        true
    }

    /// A content there is not wanted any more; yields what is left of them.
    fn discount(&mut self, number: u64) -> Option<usize> {
        let segment = self.segments.get_mut(&number)?;
        segment.live = segment.live.saturating_sub(1);
        Some(segment.live)
    }

    fn release(&mut self, number: u64) -> Option<Emptied> {
        if self.discount(number) == Some(0) { self.forget(number) } else { None }
    }

    fn forget(&mut self, number: u64) -> Option<Emptied> {
        self.segments.remove(&number).map(|_| Emptied(number))
    }
}
