//! The inbox: where committed content is handed over, exactly once as seen by its reader.
//!
//! One directory per transfer is filled in `.incoming/`, made durable and renamed into `inbox/`; many at a time share the
//! syncs that this takes. The reader takes it by renaming it into `taken/` and deletes nothing. What stands in either was delivered; recovery delivers again what
//! stands in neither, and nobody sees a delivery twice or in part. Calls block and belong off the runtime.

mod content;
mod syncs;

use std::{
    borrow::Cow,
    collections::HashSet,
    fs::{self, File, TryLockError},
    io::{self, Read, Write as _},
    path::Path,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use durable::{Access, Directory, PastCache};
use protocol::{digest::Sha256, transfer_id::TransferKey};

use crate::buffers::Buffers;
use syncs::{Syncs, Together};

/// The name of the content's file in its directory. The name in the manifest is never used as a path.
pub const CONTENT: &str = "content";

/// An inbox in a directory.
pub struct Inbox {
    incoming: Directory,
    inbox: Directory,
    taken: Directory,
    syncs: Syncs,
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

/// What is to be delivered.
pub struct HandOver<'a> {
    /// Of which transfer.
    pub key: TransferKey,
    /// Its content.
    pub content: Box<dyn Read + Send + 'a>,
    /// What the content must be.
    pub expected: Expected,
    /// What accompanies it: names and bytes.
    pub parts: Vec<(&'a str, Cow<'a, [u8]>)>,
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

/// The same fault for each whom it concerns.
fn again(fault: &InboxFault) -> InboxFault {
    match fault {
        InboxFault::Write { operation, source } => {
            InboxFault::Write { operation, source: crate::again(source) }
        }
        _ => InboxFault::Poisoned,
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
            syncs: Syncs::at(&incoming),
            incoming,
            inbox,
            taken,
            poisoned: AtomicBool::new(false),
            busy: Mutex::default(),
            freed: Condvar::new(),
            _lock: lock,
        })
    }

    /// Delivers these, each with all its parts, unless it was delivered before; says what became of each. What it takes to make
    /// them durable is shared by all. No transfer may be among them twice. Content passes through a buffer of this stock.
    pub fn deliver(
        &self,
        handovers: &mut [HandOver<'_>],
        buffers: &Buffers,
    ) -> Vec<Result<Delivery, InboxFault>> {
        let _turn = self.turn(handovers.iter().map(|handover| handover.key.clone()).collect());
        match self.syncs.begin(&self.incoming) {
            Ok(together) => self.deliver_together(handovers, buffers, &together),
            Err(source) => {
                let fault = InboxFault::Write { operation: "open the directory", source };
                handovers.iter().map(|_| Err(again(&fault))).collect()
            }
        }
    }

    fn deliver_together(
        &self,
        handovers: &mut [HandOver<'_>],
        buffers: &Buffers,
        together: &Together,
    ) -> Vec<Result<Delivery, InboxFault>> {
        let mut outcomes: Vec<_> =
            handovers.iter_mut().map(|handover| self.prepare(handover, buffers, together)).collect();
        let shared = self.publish(handovers, &outcomes, together);
        if let Err(fault) = shared {
            // What may be left over is swept at the next start, or when it is tried again.
            outcomes
                .iter_mut()
                .filter(|outcome| outcome.is_ok())
                .for_each(|outcome| *outcome = Err(again(&fault)));
        }
        outcomes
    }

    /// Looks whether it was delivered before, and fills its directory if not.
    fn prepare(
        &self,
        handover: &mut HandOver<'_>,
        buffers: &Buffers,
        together: &Together,
    ) -> Result<Delivery, InboxFault> {
        check_names(&handover.parts)?;
        if self.is_poisoned() {
            return Err(InboxFault::Poisoned);
        }
        let stem = handover.key.file_stem();
        let stands = |directory: &Directory| directory.path().join(&stem).try_exists();
        // The reader moves from the first to the second: looked at in this order, it is seen in one of them.
        let there = stands(&self.inbox).and_then(|there| Ok(there || stands(&self.taken)?));
        if there.map_err(|source| InboxFault::Write { operation: "look up", source })? {
            return Ok(Delivery::AlreadyThere);
        }
        let filling = self.incoming.path().join(&stem);
        let filled = self.fill(&filling, handover, buffers, together);
        if let Err(fault) = filled {
            // The fault that counts is the first; what is left over is swept at the next start.
            let _ = fs::remove_dir_all(&filling);
            return Err(fault);
        }
        Ok(Delivery::Delivered)
    }

    /// Makes everything that was filled durable, and then visible, and then that durable too.
    fn publish(
        &self,
        handovers: &[HandOver<'_>],
        outcomes: &[Result<Delivery, InboxFault>],
        together: &Together,
    ) -> Result<(), InboxFault> {
        let of = |wanted| {
            let pairs = handovers.iter().zip(outcomes);
            pairs.filter(move |(_, outcome)| matches!(outcome, Ok(delivery) if *delivery == wanted))
        };
        if of(Delivery::AlreadyThere).next().is_some() {
            // It may have been renamed just before a stop, and not be durable yet.
            let synced = self.inbox.sync().and_then(|()| self.taken.sync());
            synced.map_err(|source| self.poison("fsync of the directories", source))?;
        }
        let filled: Vec<_> = of(Delivery::Delivered).map(|(handover, _)| handover.key.file_stem()).collect();
        if filled.is_empty() {
            return Ok(());
        }
        together.all().map_err(|source| InboxFault::Write { operation: "sync", source })?;
        // From here on they may be visible without being durable.
        let renamed = self.incoming.hand_over_all(filled.iter().map(String::as_str), &self.inbox);
        renamed.map_err(|source| self.poison("rename", source))
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
        &self,
        directory: &Path,
        handover: &mut HandOver<'_>,
        buffers: &Buffers,
        together: &Together,
    ) -> Result<(), InboxFault> {
        let failed = |operation| move |source| InboxFault::Write { operation, source };
        match fs::remove_dir_all(directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("sweep")(error)),
            _ => {}
        }
        durable::new_directory(directory, Access::Private).map_err(failed("make the directory"))?;
        let create = |name: &str| durable::new_file(Access::Private).open(directory.join(name));
        let file = create(CONTENT).map_err(failed("create"))?;
        let mut file = PastCache::new(file, content::goes_past_cache(handover.expected.length));
        content::copy(&mut file, handover, buffers)?;
        together.file(file.file()).map_err(failed("fsync of the content"))?;
        for (name, bytes) in &handover.parts {
            let mut file = create(name).map_err(failed("create"))?;
            file.write_all(bytes).and_then(|()| together.file(&file)).map_err(failed("write a part"))?;
        }
        together.directory(directory).map_err(failed("fsync of the directory"))
    }

    /// Waits until nobody delivers any of these, and keeps others from it.
    fn turn(&self, keys: Vec<TransferKey>) -> Turn<'_> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |busy: &mut HashSet<TransferKey>| keys.iter().any(|key| busy.contains(key));
        let mut busy = self.freed.wait_while(busy, waits).unwrap_or_else(PoisonError::into_inner);
        busy.extend(keys.iter().cloned());
        drop(busy);
        Turn { inbox: self, keys }
    }
}

/// Nobody else delivers these transfers meanwhile.
struct Turn<'a> {
    inbox: &'a Inbox,
    keys: Vec<TransferKey>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut busy: MutexGuard<'_, _> = self.inbox.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.retain(|key| !self.keys.contains(key));
        self.inbox.freed.notify_all();
    }
}

fn check_names(parts: &[(&str, Cow<'_, [u8]>)]) -> Result<(), InboxFault> {
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
