//! One process at a time works with a state directory; others may see whether one does.
//!
//! Two locks: `lock` keeps a second worker out at once, `running` is what onlookers try. An onlooker holds it for a
//! moment only, and the worker waits that moment, so that looking never turns a worker away.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use super::{StoreFault, io_fault};

const LOCK: &str = "lock";
const RUNNING: &str = "running";

/// Held while a process works with the directory; the system releases it however the process ends.
pub(crate) struct Lock {
    _lock: File,
    _running: File,
}

impl Lock {
    /// Takes the directory, or says that another process has it.
    pub fn take(directory: &Path) -> Result<Self, StoreFault> {
        let path = directory.join(LOCK);
        let lock = open(&path).map_err(io_fault("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreFault::InUse { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(error)) => return Err(io_fault("lock", &path)(error)),
        }
        let path = directory.join(RUNNING);
        let running = open(&path).map_err(io_fault("open", &path))?;
        running.lock().map_err(io_fault("lock", &path))?;
        Ok(Lock { _lock: lock, _running: running })
    }
}

/// Does a process work with the directory now?
pub(crate) fn is_taken(directory: &Path) -> bool {
    let taken = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    File::open(directory.join(RUNNING)).is_ok_and(taken)
}

fn open(path: &Path) -> io::Result<File> {
    match durable::new_file(durable::Access::Private).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().write(true).open(path)
        }
        opened => opened,
    }
}
