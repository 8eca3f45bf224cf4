//! Room on the disk that holds the data directory: a part of it belongs to ledger and log alone, so that what is refused
//! can still be put on record.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use config::gateway::Limits;

/// The room of one directory's file system.
pub struct Room {
    directory: PathBuf,
    /// Bytes promised to attempts that are running.
    promised: Arc<AtomicU64>,
}

/// Bytes that one attempt may still write; given back when it is over.
pub struct Promise {
    promised: Arc<AtomicU64>,
    bytes: u64,
}

impl Room {
    /// That of this directory.
    pub fn of(directory: &Path) -> Self {
        Room { directory: directory.to_owned(), promised: Arc::default() }
    }

    /// Bytes that are free for an ordinary user; `None` if the system does not say.
    pub fn free(&self) -> Option<u64> {
        let facts = rustix::fs::statvfs(&self.directory).ok()?;
        Some(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    /// Is only the reserve left? Where the system does not say, a failed write will.
    pub fn is_short(&self, limits: &Limits) -> bool {
        self.free().is_some_and(|free| free <= limits.audit_reserve_bytes)
    }

    /// Could this much come in and leave the reserve untouched, with what is promised to others?
    pub fn has(&self, bytes: u64, limits: &Limits) -> bool {
        let wanted = bytes
            .saturating_add(self.promised.load(Ordering::Relaxed))
            .saturating_add(limits.audit_reserve_bytes);
        self.free().is_none_or(|free| wanted <= free)
    }

    /// Promises this much to an attempt, if it is there.
    pub fn promise(&self, bytes: u64, limits: &Limits) -> Option<Promise> {
        // Two at once may both be promised the last of it: the reserve has room for such a mistake.
        self.has(bytes, limits).then(|| {
            self.promised.fetch_add(bytes, Ordering::Relaxed);
            Promise { promised: Arc::clone(&self.promised), bytes }
        })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_touch_the_reserve_is_not_promised() {
        let directory = tempfile::tempdir().unwrap();
        let room = Room::of(directory.path());
        let free = room.free().unwrap();
        let text = include_str!("../../config/examples/centre-lab.toml");
        let limits = config::GatewayConfig::parse(text, Path::new("gateway.toml")).unwrap().limits;
        let reserve = |bytes| Limits { audit_reserve_bytes: bytes, ..limits.clone() };
        assert!(room.promise(free, &reserve(free / 2)).is_none());
        assert!(room.is_short(&reserve(free.saturating_mul(2))) && !room.is_short(&reserve(0)));
        let first = room.promise(free / 2, &reserve(free / 8)).unwrap();
        assert!(room.promise(free / 2, &reserve(free / 8)).is_none(), "the first one's promise counts");
        drop(first);
        assert!(room.promise(free / 2, &reserve(free / 8)).is_some());
    }
}
