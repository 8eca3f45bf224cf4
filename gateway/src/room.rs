//! Room on the disks: a part of the one that holds ledger and log belongs to them alone, so that what is refused can still
//! be put on record. Asked for each file system: the inbox may lie on the same one as the data directory.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use config::gateway::Limits;

/// The room of the file systems that we write to.
pub struct Room {
    data: Arc<Volume>,
    inbox: Arc<Volume>,
}

/// One file system.
struct Volume {
    /// A directory on it.
    directory: PathBuf,
    /// Ledger and log lie on it too.
    is_logs: bool,
    /// Bytes promised to writers that run, and not written yet: what is written is no longer free.
    promised: AtomicU64,
}

/// Bytes that one writer may still write; what is left of them is given back when it is over.
pub struct Promise {
    volume: Arc<Volume>,
    left: AtomicU64,
}

impl Room {
    /// That of these two directories, which must be there.
    pub fn of(data: &Path, inbox: &Path) -> Self {
        let volume = |directory: &Path, is_logs| {
            Arc::new(Volume { directory: directory.to_owned(), is_logs, promised: AtomicU64::new(0) })
        };
        let device = |directory: &Path| rustix::fs::stat(directory).ok().map(|facts| facts.st_dev);
        let shared = match (device(data), device(inbox)) {
            (Some(one), Some(other)) => one == other,
            // Where the system does not say, the reserve is guarded rather than not.
            _ => true,
        };
        let data = volume(data, true);
        let inbox = if shared { Arc::clone(&data) } else { volume(inbox, false) };
        Room { data, inbox }
    }

    /// Bytes of the data directory's disk that are free for an ordinary user; `None` if the system does not say.
    pub fn free(&self) -> Option<u64> {
        self.data.free()
    }

    /// Is only the reserve left? Where the system does not say, a failed write will.
    pub fn is_short(&self, limits: &Limits) -> bool {
        self.free().is_some_and(|free| free <= limits.audit_reserve_bytes)
    }

    /// Could this much come in and leave the reserve untouched, with what is promised to others?
    pub fn has(&self, bytes: u64, limits: &Limits) -> bool {
        self.data.holds(bytes.saturating_add(self.data.promised.load(Ordering::SeqCst)), limits)
    }

    /// Promises this much of the data directory to an attempt, if it is there.
    pub fn promise(&self, bytes: u64, limits: &Limits) -> Option<Promise> {
        self.data.promise(bytes, limits)
    }

    /// Promises this much of the inbox to a delivery, if it is there. May wait for a file system that hangs.
    pub fn promise_delivery(&self, bytes: u64, limits: &Limits) -> Option<Promise> {
        self.inbox.promise(bytes, limits)
    }
}

impl Volume {
    fn free(&self) -> Option<u64> {
        let facts = rustix::fs::statvfs(&self.directory).ok()?;
        Some(facts.f_bavail.saturating_mul(facts.f_frsize))
    }

    fn holds(&self, bytes: u64, limits: &Limits) -> bool {
        let reserve = if self.is_logs { limits.audit_reserve_bytes } else { 0 };
        self.free().is_none_or(|free| bytes.saturating_add(reserve) <= free)
    }

    fn promise(self: &Arc<Self>, bytes: u64, limits: &Limits) -> Option<Promise> {
        // Promised first and taken back if it is too much: two at once cannot both be promised the last of it.
        let before = self.promised.fetch_add(bytes, Ordering::SeqCst);
        let promise = Promise { volume: Arc::clone(self), left: AtomicU64::new(bytes) };
        self.holds(before.saturating_add(bytes), limits).then_some(promise)
    }
}

impl Promise {
    /// So much of it was written: the file system counts it now.
    pub fn written(&self, bytes: u64) {
        let took = |left: u64| Some(left.saturating_sub(bytes));
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, took);
        let kept = left.unwrap_or_default().min(bytes);
        self.volume.promised.fetch_sub(kept, Ordering::SeqCst);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.written(u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(audit_reserve_bytes: u64) -> Limits {
        let text = include_str!("../../config/examples/centre-lab.toml");
        let limits = config::GatewayConfig::parse(text, Path::new("gateway.toml")).unwrap().limits;
        Limits { audit_reserve_bytes, ..limits }
    }

    /// A directory, and room in it.
    fn room() -> (tempfile::TempDir, Room) {
        let directory = tempfile::tempdir().unwrap();
        let inbox = directory.path().join("inbox");
        std::fs::create_dir(&inbox).unwrap();
        let room = Room::of(directory.path(), &inbox);
        (directory, room)
    }

    #[test]
    fn what_would_touch_the_reserve_is_not_promised() {
        let (_directory, room) = room();
        let free = room.free().unwrap();
        assert!(room.promise(free, &limits(free / 2)).is_none());
        assert!(room.is_short(&limits(free.saturating_mul(2))) && !room.is_short(&limits(0)));
        let first = room.promise(free / 2, &limits(free / 8)).unwrap();
        assert!(room.promise(free / 2, &limits(free / 8)).is_none(), "the first one's promise counts");
        drop(first);
        assert!(room.promise(free / 2, &limits(free / 8)).is_some());
    }

    #[test]
    fn a_delivery_to_the_disk_of_the_log_leaves_the_reserve_untouched_too() {
        let (_directory, room) = room();
        let free = room.free().unwrap();
        assert!(room.promise_delivery(free / 2, &limits(free / 4 * 3)).is_none());
        let delivery = room.promise_delivery(free / 2, &limits(free / 8));
        assert!(room.promise(free / 2, &limits(free / 8)).is_none(), "both write to one disk");
        drop(delivery);
        assert!(room.promise(free / 2, &limits(free / 8)).is_some());
    }

    #[test]
    fn an_inbox_on_another_disk_is_bound_by_that_disk_alone() {
        let data = tempfile::tempdir().unwrap();
        let device = |path: &Path| rustix::fs::stat(path).unwrap().st_dev;
        let elsewhere = tempfile::tempdir_in("/dev/shm").ok();
        let Some(inbox) = elsewhere.filter(|inbox| device(data.path()) != device(inbox.path())) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI skips nothing");
            println!("skipped: /dev/shm is no disk of its own");
            return;
        };
        let room = Room::of(data.path(), inbox.path());
        assert!(room.promise_delivery(1, &limits(u64::MAX)).is_some());
        assert!(room.promise_delivery(u64::MAX, &limits(0)).is_none());
        let _delivery = room.promise_delivery(1, &limits(0)).unwrap();
        assert_eq!(room.data.promised.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_is_written_no_longer_counts_as_promised() {
        let (_directory, room) = room();
        let promise = room.promise(1000, &limits(0)).unwrap();
        promise.written(600);
        assert_eq!(room.data.promised.load(Ordering::SeqCst), 400);
        let other = room.promise(50, &limits(0)).unwrap();
        // More than was promised takes nothing from others.
        promise.written(600);
        assert_eq!(room.data.promised.load(Ordering::SeqCst), 50);
        drop((promise, other));
        assert_eq!(room.data.promised.load(Ordering::SeqCst), 0);
    }
}
