//! The inbox: where committed content is handed over, exactly once as seen by its reader.
//!
//! One directory per transfer is filled in `.incoming/`, made durable and renamed into `inbox/`. The reader takes it
//! by renaming it into `taken/` and deletes nothing. What stands in either was delivered; recovery delivers again what
//! stands in neither, and nobody sees a delivery twice or in part. Calls block and belong off the runtime.

use std::{
    collections::HashSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Write as _},
    path::Path,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use durable::{Access, Directory};
use protocol::{
    digest::{Hasher, Sha256},
    transfer_id::TransferKey,
};

/// The name of the content's file in its directory. The name in the manifest is never used as a path.
pub const CONTENT: &str = "content";

/// Bytes copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// An inbox in a directory.
pub struct Inbox {
    incoming: Directory,
    inbox: Directory,
    taken: Directory,
    poisoned: AtomicBool,
    /// Transfers that are being delivered: one at a time each.
    busy: Mutex<HashSet<TransferKey>>,
    freed: Condvar,
    /// Held as long as the inbox is.
    _lock: File,
}

/// The content as its receipt describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// Bytes.
    pub length: u64,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It stands in the inbox now, durably.
    Delivered,
    /// It stood in the inbox, or was taken, already. Nothing was changed.
    AlreadyThere,
}

/// Why a delivery was not made.
#[derive(Debug, thiserror::Error)]
pub enum InboxFault {
    /// The content is not what the receipt says. Nothing was delivered.
    #[error("the spooled content of {0} is damaged: it is not the content of the receipt")]
    ContentDamaged(TransferKey),
    /// The content could not be read from where it is kept.
    #[error("the content could not be read")]
    Read(#[source] io::Error),
    /// The inbox could not be written or made durable. Unless the inbox is poisoned now, the delivery may be tried
    /// again: it begins with new files.
    #[error("the delivery could not be made durable: {operation}")]
    Write {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// An earlier write failed. See [`Inbox::is_poisoned`].
    #[error("the inbox has stopped after a failed rename or fsync; stop the program and start it again")]
    Poisoned,
    /// A part's name is that of the content, is given twice, or is no plain name: a mistake of the program.
    #[error("`{0}` cannot be the name of a part")]
    BadPartName(String),
    /// Another process delivers here.
    #[error("the inbox is in use by another process: {0}")]
    InUse(String),
    /// The inbox cannot be opened.
    #[error("the inbox {path} cannot be used; check the directory and its owner")]
    Unusable {
        /// Where.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl InboxFault {
    /// The disk, or the share of it that we may use, is full.
    pub fn is_full(&self) -> bool {
        matches!(self, InboxFault::Write { source, .. } if crate::is_full(source))
    }
}

impl Inbox {
    /// Opens the inbox below this directory, or makes one, and sweeps what an earlier stop left unfinished. One process
    /// at a time delivers.
    pub fn open(root: &Path) -> Result<Self, InboxFault> {
        let unusable = |source| InboxFault::Unusable { path: root.display().to_string(), source };
        let directory = |name| Directory::open(&root.join(name), Access::Private).map_err(unusable);
        let (incoming, inbox, taken) = (directory(".incoming")?, directory("inbox")?, directory("taken")?);
        let lock = durable::new_file(Access::Private).create_new(false).create(true).open(root.join(".lock"));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(InboxFault::InUse(root.display().to_string())),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        for leaving in fs::read_dir(incoming.path()).map_err(unusable)? {
            fs::remove_dir_all(leaving.map_err(unusable)?.path()).map_err(unusable)?;
        }
        Ok(Inbox {
            incoming,
            inbox,
            taken,
            poisoned: AtomicBool::new(false),
            busy: Mutex::default(),
            freed: Condvar::new(),
            _lock: lock,
        })
    }

    /// Delivers a transfer's content with its accompanying parts (name and bytes), unless it was delivered before.
    pub fn deliver(
        &self,
        key: &TransferKey,
        content: &mut dyn Read,
        expected: Expected,
        parts: &[(&str, &[u8])],
    ) -> Result<Delivery, InboxFault> {
        check_names(parts)?;
        let _turn = self.turn(key);
        if self.is_poisoned() {
            return Err(InboxFault::Poisoned);
        }
        let stem = key.file_stem();
        let stands = |directory: &Directory| directory.path().join(&stem).try_exists();
        // The reader moves from the first to the second: looked at in this order, it is seen in one of them.
        let there = stands(&self.inbox).and_then(|there| Ok(there || stands(&self.taken)?));
        if there.map_err(|source| InboxFault::Write { operation: "look up", source })? {
            // It may have been renamed just before a stop, and not be durable yet.
            let synced = self.inbox.sync().and_then(|()| self.taken.sync());
            synced.map_err(|source| self.poison("fsync of the directories", source))?;
            return Ok(Delivery::AlreadyThere);
        }
        let filling = self.incoming.path().join(&stem);
        let filled = Self::fill(&filling, key, content, expected, parts);
        if let Err(fault) = filled {
            // The fault that counts is the first; what is left over is swept at the next start.
            let _ = fs::remove_dir_all(&filling);
            return Err(fault);
        }
        // From here on it may be visible without being durable.
        let renamed = self.incoming.hand_over(&stem, &self.inbox);
        renamed.map_err(|source| self.poison("rename", source))?;
        Ok(Delivery::Delivered)
    }

    /// A delivery may be visible without being durable: nothing more is delivered until the process has started again.
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    fn poison(&self, operation: &'static str, source: io::Error) -> InboxFault {
        tracing::error!(operation, error = %source, "the inbox stops");
        self.poisoned.store(true, Ordering::Release);
        InboxFault::Write { operation, source }
    }

    fn fill(
        directory: &Path,
        key: &TransferKey,
        content: &mut dyn Read,
        expected: Expected,
        parts: &[(&str, &[u8])],
    ) -> Result<(), InboxFault> {
        let failed = |operation| move |source| InboxFault::Write { operation, source };
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("sweep")(error)),
            _ => {}
        }
        durable::create_directory(directory, Access::Private).map_err(failed("make the directory"))?;
        let create = |name: &str| durable::new_file(Access::Private).open(directory.join(name));
        let file = create(CONTENT).map_err(failed("create"))?;
        Self::copy(file, key, content, expected)?;
        for (name, bytes) in parts {
            let mut file = create(name).map_err(failed("create"))?;
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write a part"))?;
        }
        durable::sync_directory(directory).map_err(failed("fsync of the directory"))
    }

    fn copy(
        mut file: File,
        key: &TransferKey,
        content: &mut dyn Read,
        expected: Expected,
    ) -> Result<(), InboxFault> {
        let failed = |operation| move |source| InboxFault::Write { operation, source };
        let mut piece = vec![0; COPY_BYTES];
        let (mut hasher, mut length) = (Hasher::new(), 0u64);
        loop {
            let count = match content.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(InboxFault::Read(error)),
            };
            let bytes = piece.get(..count).unwrap_or_default();
            length += bytes.len() as u64;
            if length > expected.length {
                return Err(InboxFault::ContentDamaged(key.clone()));
            }
            hasher.update(bytes);
            file.write_all(bytes).map_err(failed("write the content"))?;
        }
        if length != expected.length || hasher.finish() != expected.sha256 {
            return Err(InboxFault::ContentDamaged(key.clone()));
        }
        file.sync_all().map_err(failed("fsync of the content"))
    }

    fn turn(&self, key: &TransferKey) -> Turn<'_> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |busy: &mut HashSet<TransferKey>| busy.contains(key);
        let mut busy = self.freed.wait_while(busy, free).unwrap_or_else(PoisonError::into_inner);
        busy.insert(key.clone());
        Turn { inbox: self, key: key.clone() }
    }
}

/// Nobody else delivers this transfer meanwhile.
struct Turn<'a> {
    inbox: &'a Inbox,
    key: TransferKey,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut busy: MutexGuard<'_, _> = self.inbox.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.key);
        self.inbox.freed.notify_all();
    }
}

fn check_names(parts: &[(&str, &[u8])]) -> Result<(), InboxFault> {
    let mut seen = HashSet::from([CONTENT]);
    for (name, _) in parts {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if name.is_empty() || name.starts_with('.') || !plain || !seen.insert(name) {
            return Err(InboxFault::BadPartName((*name).to_owned()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
