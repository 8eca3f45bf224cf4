//! The spool in a directory of one node: one file per content, in `partial/` while it comes and in `done/` once it is
//! whole.
//!
//! Each file begins with a header block that names the content's format and the attempt that writes it; the content
//! follows. The attempt in the header fences late comers even when nobody remembers the newer attempt. One process at
//! a time has the spool; a lock file sees to that.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use durable::Access;
use protocol::{party::Environment, transfer_id::TransferKey};

use super::{Keep, Recovered, Spool, SpoolFault, SpoolWriter, disk::Disk, format, header::Header, recovery};

/// A spool in a directory.
pub struct FileSpool {
    pub(super) inner: Arc<Inner>,
}

/// What the spool and its writers share.
pub(super) struct Inner {
    pub(super) partial: PathBuf,
    pub(super) done: PathBuf,
    pub(super) disk: Box<dyn Disk>,
    poisoned: AtomicBool,
    fences: Mutex<HashMap<TransferKey, Weak<Fence>>>,
    /// Held as long as the spool or a writer is.
    _lock: File,
}

/// The attempt that may write, for as long as somebody might still write.
struct Fence(Mutex<u32>);

/// Stands in a fence whose content was dropped; no attempt has this number.
const NOBODY: u32 = 0;

impl FileSpool {
    /// Opens the spool in this directory, or begins one. A spool of another environment, a newer format, or one that
    /// another process has, is refused.
    pub fn open(root: &Path, environment: Environment) -> Result<Self, SpoolFault> {
        FileSpool::on(root, environment, Box::new(super::disk::RealDisk))
    }

    /// The same on a disk that may be made to fail.
    pub(super) fn on(root: &Path, environment: Environment, disk: Box<dyn Disk>) -> Result<Self, SpoolFault> {
        let lock = format::open(root, environment)?;
        let inner = Inner {
            partial: root.join("partial"),
            done: root.join("done"),
            disk,
            poisoned: AtomicBool::new(false),
            fences: Mutex::default(),
            _lock: lock,
        };
        Ok(FileSpool { inner: Arc::new(inner) })
    }
}

/// A lock whose holder panicked guards numbers that are whole at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    fn check_poison(&self) -> Result<(), SpoolFault> {
        if self.poisoned.load(Ordering::Acquire) { Err(SpoolFault::Poisoned) } else { Ok(()) }
    }

    /// What failed to be written may be on disk or not; nothing more is written after it.
    pub(super) fn poison(&self, operation: &'static str, source: io::Error) -> SpoolFault {
        tracing::error!(operation, error = %source, "the spool stops taking content in");
        self.poisoned.store(true, Ordering::Release);
        SpoolFault::Write { operation, source }
    }

    fn fence(&self, key: &TransferKey) -> Arc<Fence> {
        let mut fences = locked(&self.fences);
        if let Some(fence) = fences.get(key).and_then(Weak::upgrade) {
            return fence;
        }
        fences.retain(|_, fence| fence.strong_count() > 0);
        let fence = Arc::new(Fence(Mutex::new(NOBODY)));
        fences.insert(key.clone(), Arc::downgrade(&fence));
        fence
    }

    /// The file of a content, open for reading, and whether it is finished. It may be renamed while we look.
    fn find(&self, key: &TransferKey) -> Result<Option<(File, bool)>, SpoolFault> {
        let stem = key.file_stem();
        for (directory, finished) in [(&self.done, true), (&self.partial, false), (&self.done, true)] {
            match File::open(directory.join(&stem)) {
                Ok(file) => return Ok(Some((file, finished))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SpoolFault::Read { operation: "open", source }),
            }
        }
        Ok(None)
    }

    /// The partial file, open for writing from `offset` on, with the attempt in its header.
    fn open_partial(&self, key: &TransferKey, attempt: u32, offset: u64) -> Result<(File, bool), SpoolFault> {
        let read = |source| SpoolFault::Read { operation: "open", source };
        let path = self.partial.join(key.file_stem());
        let Some((mut file, finished)) = self.find(key)? else {
            if offset > 0 {
                return Err(SpoolFault::Damaged(key.clone(), "its durable bytes are gone"));
            }
            let create = || -> io::Result<File> {
                let mut file = durable::new_file(Access::Private).read(true).open(&path)?;
                self.disk.write_all(&mut file, &Header { attempt }.to_bytes())?;
                Ok(file)
            };
            return Ok((create().map_err(|source| self.poison("create", source))?, true));
        };
        match Header::read(&mut file).map_err(read)? {
            Some(header) if header.attempt >= attempt => return Err(SpoolFault::Fenced { attempt }),
            None if offset > 0 => return Err(SpoolFault::Damaged(key.clone(), "its header is not readable")),
            _ => {}
        }
        let end = Header::BYTES + offset;
        if file.metadata().map_err(read)?.len() < end && offset > 0 {
            return Err(SpoolFault::Damaged(key.clone(), "it is shorter than what was durable"));
        }
        let reopen = || -> io::Result<File> {
            if finished {
                self.disk.rename(&self.done.join(key.file_stem()), &path)?;
            }
            let mut file = File::options().read(true).write(true).open(&path)?;
            file.set_len(end)?;
            self.disk.write_all(&mut file, &Header { attempt }.to_bytes())?;
            file.seek(SeekFrom::Start(end))?;
            Ok(file)
        };
        Ok((reopen().map_err(|source| self.poison("open again", source))?, false))
    }
}

impl Spool for FileSpool {
    fn begin(
        &self,
        key: &TransferKey,
        attempt: u32,
        offset: u64,
        length: u64,
    ) -> Result<Box<dyn SpoolWriter>, SpoolFault> {
        self.inner.check_poison()?;
        if offset > length || length > u64::MAX - Header::BYTES {
            return Err(SpoolFault::Length { length, written: offset });
        }
        let fence = self.inner.fence(key);
        let mut current = locked(&fence.0);
        if attempt <= *current {
            return Err(SpoolFault::Fenced { attempt });
        }
        let (file, new) = self.inner.open_partial(key, attempt, offset)?;
        *current = attempt;
        drop(current);
        let inner = Arc::clone(&self.inner);
        let writer = FileWriter {
            inner,
            fence,
            key: key.clone(),
            file,
            attempt,
            written: offset,
            length,
            name_pending: new,
        };
        Ok(Box::new(writer))
    }

    fn read(&self, key: &TransferKey, upto: u64) -> Result<Box<dyn Read + Send>, SpoolFault> {
        let fault = |source| SpoolFault::Read { operation: "read", source };
        let (mut file, _) = self.inner.find(key)?.ok_or_else(|| SpoolFault::Missing(key.clone()))?;
        if Header::read(&mut file).map_err(fault)?.is_none() {
            return Err(SpoolFault::Damaged(key.clone(), "its header is not readable"));
        }
        if file.metadata().map_err(fault)?.len() < Header::BYTES.saturating_add(upto) {
            return Err(SpoolFault::Damaged(key.clone(), "it is shorter than what was durable"));
        }
        file.seek(SeekFrom::Start(Header::BYTES)).map_err(fault)?;
        Ok(Box::new(file.take(upto)))
    }

    fn finished_length(&self, key: &TransferKey) -> Result<Option<u64>, SpoolFault> {
        match fs::metadata(self.inner.done.join(key.file_stem())) {
            Ok(metadata) => Ok(Some(metadata.len().saturating_sub(Header::BYTES))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SpoolFault::Read { operation: "look up", source }),
        }
    }

    fn drop_content(&self, key: &TransferKey) -> Result<(), SpoolFault> {
        self.inner.check_poison()?;
        let fence = self.inner.fence(key);
        let mut current = locked(&fence.0);
        for directory in [&self.inner.partial, &self.inner.done] {
            let removed = self.inner.disk.remove(&directory.join(key.file_stem()));
            removed.map_err(|source| self.inner.poison("remove", source))?;
        }
        *current = NOBODY;
        Ok(())
    }

    fn recover(&self, wanted: &dyn Fn(&TransferKey) -> Keep) -> Result<Recovered, SpoolFault> {
        self.inner.check_poison()?;
        recovery::recover(&self.inner, wanted)
    }

    fn is_poisoned(&self) -> bool {
        self.inner.poisoned.load(Ordering::Acquire)
    }
}

/// Writes one attempt's content.
struct FileWriter {
    inner: Arc<Inner>,
    fence: Arc<Fence>,
    key: TransferKey,
    file: File,
    attempt: u32,
    written: u64,
    length: u64,
    /// The file is new, and its name not durable yet.
    name_pending: bool,
}

impl FileWriter {
    /// Keeps newer attempts from beginning until it is dropped.
    fn hold(&self) -> Result<MutexGuard<'_, u32>, SpoolFault> {
        self.inner.check_poison()?;
        let current = locked(&self.fence.0);
        if *current == self.attempt { Ok(current) } else { Err(SpoolFault::Fenced { attempt: self.attempt }) }
    }
}

impl SpoolWriter for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolFault> {
        let end = self.written.saturating_add(bytes.len() as u64);
        if end > self.length {
            return Err(SpoolFault::Length { length: self.length, written: end });
        }
        self.inner.check_poison()?;
        let current = locked(&self.fence.0);
        if *current != self.attempt {
            return Err(SpoolFault::Fenced { attempt: self.attempt });
        }
        let written = self.inner.disk.write_all(&mut self.file, bytes);
        written.map_err(|source| self.inner.poison("write", source))?;
        self.written = end;
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, SpoolFault> {
        drop(self.hold()?);
        let synced = self.inner.disk.sync(&self.file);
        synced.map_err(|source| self.inner.poison("fsync", source))?;
        if self.name_pending {
            let named = self.inner.disk.sync_directory(&self.inner.partial);
            named.map_err(|source| self.inner.poison("fsync of the directory", source))?;
            self.name_pending = false;
        }
        // A newer attempt may have cut the file off meanwhile.
        drop(self.hold()?);
        Ok(self.written)
    }

    fn finish(self: Box<Self>) -> Result<(), SpoolFault> {
        if self.written != self.length {
            return Err(SpoolFault::Length { length: self.length, written: self.written });
        }
        drop(self.hold()?);
        let synced = self.inner.disk.sync(&self.file);
        synced.map_err(|source| self.inner.poison("fsync", source))?;
        let _current = self.hold()?;
        let stem = self.key.file_stem();
        let renamed = self.inner.disk.rename(&self.inner.partial.join(&stem), &self.inner.done.join(&stem));
        renamed.map_err(|source| self.inner.poison("rename", source))
    }
}
