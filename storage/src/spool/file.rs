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
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use durable::{Access, Directory};
use protocol::{party::Environment, transfer_id::TransferKey};

use super::{Keep, Recovered, Spool, SpoolFault, SpoolWriter, disk::Disk, format, header::Header, recovery};

/// A spool in a directory.
pub struct FileSpool {
    pub(super) inner: Arc<Inner>,
}

/// What the spool and its writers share.
pub(super) struct Inner {
    pub(super) partial: Directory,
    pub(super) done: Directory,
    pub(super) disk: Box<dyn Disk>,
    poisoned: AtomicBool,
    fences: Mutex<HashMap<TransferKey, Weak<Fence>>>,
    /// Held as long as the spool or a writer is.
    _lock: File,
}

/// Which attempt may write, for as long as somebody might still try.
struct Fence(Mutex<Turn>);

struct Turn {
    /// The newest attempt that has begun; 0 before the first.
    attempt: u32,
    /// Its content was not dropped since.
    open: bool,
}

impl FileSpool {
    /// Opens the spool in this directory, or begins one. A spool of another environment, a newer format, or one that
    /// another process has, is refused.
    pub fn open(root: &Path, environment: Environment) -> Result<Self, SpoolFault> {
        FileSpool::on(root, environment, Box::new(super::disk::RealDisk))
    }

    /// The same on a disk that may be made to fail.
    pub(super) fn on(root: &Path, environment: Environment, disk: Box<dyn Disk>) -> Result<Self, SpoolFault> {
        let format::Opened { lock, partial, done } = format::open(root, environment)?;
        let inner = Inner {
            partial,
            done,
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
        let fence = Arc::new(Fence(Mutex::new(Turn { attempt: 0, open: false })));
        fences.insert(key.clone(), Arc::downgrade(&fence));
        fence
    }

    /// The file of a content, open for reading, and whether it is finished. It may be renamed while we look.
    fn find(&self, key: &TransferKey) -> Result<Option<(File, bool)>, SpoolFault> {
        let stem = key.file_stem();
        for (directory, finished) in [(&self.done, true), (&self.partial, false), (&self.done, true)] {
            match File::open(directory.path().join(&stem)) {
                Ok(file) => return Ok(Some((file, finished))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(SpoolFault::Read { operation: "open", source }),
            }
        }
        Ok(None)
    }

    /// The partial file, open for writing from `offset` on, with the attempt in its header.
    fn open_partial(&self, key: &TransferKey, attempt: u32, offset: u64) -> Result<File, SpoolFault> {
        let read = |source| SpoolFault::Read { operation: "open", source };
        let name = key.file_stem();
        let path = self.partial.path().join(&name);
        let Some((mut file, finished)) = self.find(key)? else {
            if offset > 0 {
                return Err(SpoolFault::Damaged(key.clone(), "its durable bytes are gone"));
            }
            let file = durable::new_file(Access::Private).read(true).open(&path);
            let file = file.map_err(|source| SpoolFault::Write { operation: "create", source })?;
            return self.start(file, attempt, 0).map_err(|source| self.poison("create", source));
        };
        match Header::read(&mut file).map_err(read)? {
            Some(header) if header.attempt >= attempt => return Err(SpoolFault::Fenced { attempt }),
            None if offset > 0 => return Err(SpoolFault::Damaged(key.clone(), "its header is not readable")),
            _ => {}
        }
        if offset > 0 && file.metadata().map_err(read)?.len() < Header::BYTES + offset {
            return Err(SpoolFault::Damaged(key.clone(), "it is shorter than what was durable"));
        }
        if finished {
            let opened_again = self.disk.hand_over(&name, &self.done, &self.partial);
            opened_again.map_err(|source| self.poison("rename", source))?;
        }
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(|source| SpoolFault::Write { operation: "open", source })?;
        self.start(file, attempt, offset).map_err(|source| self.poison("open again", source))
    }

    /// Writes the header, cuts the file off at `offset` and stands there.
    fn start(&self, mut file: File, attempt: u32, offset: u64) -> io::Result<File> {
        let end = Header::BYTES + offset;
        self.disk.set_len(&file, end)?;
        self.disk.write_all(&mut file, &Header { attempt }.to_bytes())?;
        file.seek(SeekFrom::Start(end))?;
        Ok(file)
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
        let mut turn = locked(&fence.0);
        if attempt <= turn.attempt {
            return Err(SpoolFault::Fenced { attempt });
        }
        let file = self.inner.open_partial(key, attempt, offset)?;
        *turn = Turn { attempt, open: true };
        drop(turn);
        let inner = Arc::clone(&self.inner);
        // Offsets are recorded after a sync, and that makes the name durable too.
        let name_pending = offset == 0;
        let writer = FileWriter {
            inner,
            fence,
            key: key.clone(),
            file,
            attempt,
            written: offset,
            length,
            synced: false,
            name_pending,
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
        match fs::metadata(self.inner.done.path().join(key.file_stem())) {
            Ok(metadata) => Ok(Some(metadata.len().saturating_sub(Header::BYTES))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(SpoolFault::Read { operation: "look up", source }),
        }
    }

    fn drop_content(&self, key: &TransferKey) -> Result<(), SpoolFault> {
        self.inner.check_poison()?;
        let fence = self.inner.fence(key);
        let mut turn = locked(&fence.0);
        turn.open = false;
        for directory in [&self.inner.partial, &self.inner.done] {
            let removed = self.inner.disk.remove(&key.file_stem(), directory);
            removed.map_err(|source| self.inner.poison("remove", source))?;
        }
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
    /// Everything written is durable.
    synced: bool,
    /// The file's name may not be durable yet.
    name_pending: bool,
}

/// Keeps newer attempts from beginning until it is dropped, if no newer one has begun.
fn hold(fence: &Fence, attempt: u32) -> Result<MutexGuard<'_, Turn>, SpoolFault> {
    let turn = locked(&fence.0);
    if turn.open && turn.attempt == attempt { Ok(turn) } else { Err(SpoolFault::Fenced { attempt }) }
}

impl FileWriter {
    fn sync_content(&mut self) -> Result<(), SpoolFault> {
        if !self.synced {
            let synced = self.inner.disk.sync(&self.file);
            synced.map_err(|source| self.inner.poison("fsync", source))?;
            self.synced = true;
        }
        Ok(())
    }
}

impl SpoolWriter for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolFault> {
        self.inner.check_poison()?;
        let _turn = hold(&self.fence, self.attempt)?;
        let end = self.written.saturating_add(bytes.len() as u64);
        if end > self.length {
            return Err(SpoolFault::Length { length: self.length, written: end });
        }
        let written = self.inner.disk.write_all(&mut self.file, bytes);
        written.map_err(|source| self.inner.poison("write", source))?;
        self.written = end;
        self.synced = false;
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, SpoolFault> {
        self.inner.check_poison()?;
        drop(hold(&self.fence, self.attempt)?);
        self.sync_content()?;
        if self.name_pending {
            let named = self.inner.disk.sync_directory(&self.inner.partial);
            named.map_err(|source| self.inner.poison("fsync of the directory", source))?;
            self.name_pending = false;
        }
        // A newer attempt may have cut the file off meanwhile.
        drop(hold(&self.fence, self.attempt)?);
        Ok(self.written)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SpoolFault> {
        self.inner.check_poison()?;
        drop(hold(&self.fence, self.attempt)?);
        if self.written != self.length {
            return Err(SpoolFault::Length { length: self.length, written: self.written });
        }
        self.sync_content()?;
        let _turn = hold(&self.fence, self.attempt)?;
        let Inner { disk, partial, done, .. } = &*self.inner;
        let renamed = disk.hand_over(&self.key.file_stem(), partial, done);
        renamed.map_err(|source| self.inner.poison("rename", source))
    }
}
