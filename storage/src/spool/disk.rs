//! The calls that make content durable, as they are; tests put others in the place of some.
//!
//! A failure here poisons the spool. Opening files is not among them: that nobody could open one says nothing about
//! what is on disk.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use durable::{Directory, PastCache};

use super::SpoolFault;

pub(super) trait Disk: Send + Sync {
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    /// Writes past the system's cache what can be.
    fn write_past(&self, file: &mut PastCache, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_at(bytes, at)
    }

    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)
    }

    /// Makes content and length durable.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        directory.sync()
    }

    fn hand_over(&self, name: &str, from: &Directory, to: &Directory) -> io::Result<()> {
        from.hand_over(name, to)
    }

    fn remove(&self, name: &str, directory: &Directory) -> io::Result<()> {
        directory.remove(name)
    }

    /// Removes a file that is there, and does not make that durable.
    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

pub(super) struct RealDisk;

impl Disk for RealDisk {}

/// The disk, until a call failed that had to be durable: what is there then is not known, and nothing more is written.
pub(super) struct Medium {
    pub(super) disk: Box<dyn Disk>,
    poisoned: AtomicBool,
}

impl Medium {
    pub(super) fn new(disk: Box<dyn Disk>) -> Self {
        Medium { disk, poisoned: AtomicBool::new(false) }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    pub(super) fn check_poison(&self) -> Result<(), SpoolFault> {
        if self.is_poisoned() { Err(SpoolFault::Poisoned) } else { Ok(()) }
    }

    /// What failed to be written may be on disk or not; nothing more is written after it.
    pub(super) fn poison(&self, operation: &'static str, source: io::Error) -> SpoolFault {
        tracing::error!(operation, error = %source, "the spool stops taking content in");
        self.poisoned.store(true, Ordering::Release);
        SpoolFault::Write { operation, source }
    }
}
