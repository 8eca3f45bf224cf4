//! The spool in a directory of one node: one file per content, in `partial/` while it comes and in `done/` once it is
//! whole; and small content together in `segments/`.
//!
//! Each file of one content begins with a header that names the content's format, its key and the attempt that writes it; the content
//! follows in pieces. The attempt in the header fences late comers even when nobody remembers the newer attempt. One
//! process at a time has the spool; a lock file sees to that.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Cursor, Read},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use durable::{Access, Directory, PastCache};
use protocol::{limits::PIECE_BYTES, party::Environment, transfer_id::TransferKey};

use crate::buffers::Buffers;

use super::{
    Keep, Recovered, Spool, SpoolFault, SpoolWriter,
    disk::{Disk, Medium, RealDisk},
    format,
    header::Header,
    layout::Layout,
    reader::FileReader,
    recovery,
    seal::{ContentKey, Owner, SpoolKey},
    segments::{SMALL_CONTENT_MAX, Segments, SmallWriter},
    writer::{FileWriter, Opened},
};

/// A spool in a directory.
pub struct FileSpool {
    pub(super) inner: Arc<Inner>,
}

/// What the spool and its writers share.
pub(super) struct Inner {
    pub(super) partial: Directory,
    pub(super) done: Directory,
    pub(super) segments: Segments,
    pub(super) medium: Arc<Medium>,
    /// Seals what comes in; absent in labs only.
    pub(super) key: Option<SpoolKey>,
    /// Room for sealed pieces, as many as are being written.
    pub(super) buffers: Buffers,
    /// Bytes up to which content is small; none: all content has a file of its own.
    small_max: Option<u64>,
    fences: Mutex<HashMap<TransferKey, Weak<Fence>>>,
    /// Held as long as the spool or a writer is.
    _lock: File,
}

/// Which attempt may write, for as long as somebody might still try.
pub(super) struct Fence(pub(super) Mutex<Turn>);

pub(super) struct Turn {
    /// The newest attempt that has begun; 0 before the first.
    pub(super) attempt: u32,
    /// Its content was not dropped since.
    pub(super) open: bool,
}

impl FileSpool {
    /// Opens the spool in this directory, or begins one; content is sealed under `key`, in buffers of this stock.
    /// A spool of another environment, key
    /// or format, or one that another process has, is refused.
    pub fn open(
        root: &Path,
        environment: Environment,
        key: Option<SpoolKey>,
        buffers: Buffers,
    ) -> Result<Self, SpoolFault> {
        FileSpool::on(root, environment, key, buffers, Box::new(RealDisk), Some(SMALL_CONTENT_MAX))
    }

    /// The same on a disk that may be made to fail, and with other content that is small.
    pub(super) fn on(
        root: &Path,
        environment: Environment,
        key: Option<SpoolKey>,
        buffers: Buffers,
        disk: Box<dyn Disk>,
        small_max: Option<u64>,
    ) -> Result<Self, SpoolFault> {
        let format::Opened { lock, partial, done, segments } = format::open(root, environment, key.as_ref())?;
        let medium = Arc::new(Medium::new(disk));
        let segments = Segments::open(segments, Arc::clone(&medium), key.as_ref());
        let segments =
            segments.map_err(|source| SpoolFault::Read { operation: "look through segments", source })?;
        let inner = Inner {
            partial,
            done,
            segments,
            medium,
            key,
            buffers,
            small_max,
            fences: Mutex::default(),
            _lock: lock,
        };
        Ok(FileSpool { inner: Arc::new(inner) })
    }
}

/// A lock whose holder panicked guards numbers that are whole at every moment.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes from which on content is written and read past the system's cache: a whole piece.
pub(super) const PAST_CACHE_FROM: u64 = PIECE_BYTES;

/// Why content cannot be used, in the words of every place that finds out.
const NO_HEADER: &str = "its header is not readable";
const NOT_ITS_KEY: &str = "the key in its header is not its own";
pub(super) const TOO_SHORT: &str = "it is shorter than what was durable";
pub(super) const GONE: &str = "its durable bytes are gone";
pub(super) const OTHER_LENGTH: &str = "it was begun with another length";

impl Inner {
    /// Does an attempt at this content belong to the segments? What an older version of the program began in a file of its
    /// own ends there.
    fn is_small(&self, key: &TransferKey, length: u64) -> Result<bool, SpoolFault> {
        let small = self.small_max.is_some_and(|max| length <= max);
        Ok(small && (self.segments.knows(key) || self.find(key)?.is_none()))
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

    /// What opens the content under this header; nothing where it is not sealed.
    pub(super) fn opener(
        &self,
        key: &TransferKey,
        header: &Header,
    ) -> Result<Option<ContentKey>, SpoolFault> {
        match (&self.key, &header.key) {
            (None, None) => Ok(None),
            (Some(spool), Some(wrapped)) => {
                let opened = ContentKey::open(spool, owner(key, header.layout), wrapped);
                opened.map(Some).map_err(|_| SpoolFault::Damaged(key.clone(), NOT_ITS_KEY))
            }
            _ => Err(SpoolFault::Damaged(key.clone(), NOT_ITS_KEY)),
        }
    }

    /// The partial file, open for writing from `offset` on, with the attempt in its header.
    fn open_partial(
        &self,
        key: &TransferKey,
        attempt: u32,
        offset: u64,
        layout: Layout,
    ) -> Result<Opened, SpoolFault> {
        let read = |source| SpoolFault::Read { operation: "open", source };
        let damaged = |how| Err(SpoolFault::Damaged(key.clone(), how));
        let name = key.file_stem();
        let path = self.partial.path().join(&name);
        let Some((file, finished)) = self.find(key)? else {
            if offset > 0 {
                return damaged(GONE);
            }
            let file = durable::new_file(Access::Private).read(true).open(&path);
            let file = file.map_err(|source| SpoolFault::Write { operation: "create", source })?;
            return self.begin_anew(file, key, attempt, layout);
        };
        let header = Header::read(&file).map_err(read)?;
        if header.is_some_and(|header| header.attempt >= attempt) {
            return Err(SpoolFault::Fenced { attempt });
        }
        let kept = match header {
            _ if offset == 0 => None,
            Some(header) if header.layout == layout => Some((header, self.opener(key, &header)?)),
            Some(_) => return damaged(OTHER_LENGTH),
            None => return damaged(NO_HEADER),
        };
        if kept.is_some() && file.metadata().map_err(read)?.len() < layout.at(offset) {
            return damaged(TOO_SHORT);
        }
        if finished {
            let opened_again = self.medium.disk.hand_over(&name, &self.done, &self.partial);
            opened_again.map_err(|source| self.medium.poison("rename", source))?;
        }
        let file = File::options().read(true).write(true).open(&path);
        let file = file.map_err(|source| SpoolFault::Write { operation: "open", source })?;
        match kept {
            None => self.begin_anew(file, key, attempt, layout),
            Some((header, seal)) => {
                let started = self.start(&file, Header { attempt, ..header }, offset);
                // The key is an older one: no piece is sealed before the number is durable that tells its place.
                let started = started.and_then(|()| self.medium.disk.sync(&file));
                started.map_err(|source| self.medium.poison("open again", source))?;
                Ok(opened(file, layout, seal, offset))
            }
        }
    }

    /// From the first byte, with a key of its own: whatever was sealed before in this file is lost with its key.
    fn begin_anew(
        &self,
        file: File,
        key: &TransferKey,
        attempt: u32,
        layout: Layout,
    ) -> Result<Opened, SpoolFault> {
        let fresh = |spool| ContentKey::new(spool, owner(key, layout));
        let (seal, wrapped) = self.key.as_ref().map(fresh).transpose()?.unzip();
        let started = self.start(&file, Header { attempt, layout, key: wrapped }, 0);
        started.map_err(|source| self.medium.poison("create", source))?;
        Ok(opened(file, layout, seal, 0))
    }

    /// Cuts the file off at `offset` and writes the header.
    fn start(&self, file: &File, header: Header, offset: u64) -> io::Result<()> {
        self.medium.disk.set_len(file, header.layout.at(offset))?;
        self.medium.disk.write_at(file, &header.to_bytes(), 0)
    }
}

/// Large content is written past the system's cache where that can be: nobody reads it soon, and copying it there costs
/// as much as sealing it.
fn opened(file: File, layout: Layout, seal: Option<ContentKey>, offset: u64) -> Opened {
    let file = PastCache::new(file, layout.length() - offset >= PAST_CACHE_FROM);
    Opened { file, layout, seal, offset }
}

fn owner(key: &TransferKey, layout: Layout) -> Owner {
    Owner { stem: key.file_stem(), length: layout.length() }
}

impl Spool for FileSpool {
    fn begin(
        &self,
        key: &TransferKey,
        attempt: u32,
        offset: u64,
        length: u64,
    ) -> Result<Box<dyn SpoolWriter>, SpoolFault> {
        self.inner.medium.check_poison()?;
        let layout = Layout::of(length).filter(|_| offset <= length);
        let layout = layout.ok_or(SpoolFault::Length { length, written: offset })?;
        if !layout.is_border(offset) {
            return Err(SpoolFault::WithinPiece { offset });
        }
        let fence = self.inner.fence(key);
        let mut turn = locked(&fence.0);
        if attempt <= turn.attempt {
            return Err(SpoolFault::Fenced { attempt });
        }
        let begun = Turn { attempt, open: true };
        let inner = Arc::clone(&self.inner);
        if inner.is_small(key, length)? {
            let kept = inner.segments.begin(key, attempt, offset, length, inner.key.as_ref())?;
            *turn = begun;
            drop(turn);
            return Ok(Box::new(SmallWriter::new(inner, fence, key.clone(), attempt, length, kept)));
        }
        inner.segments.give_up(key, attempt)?;
        let opened = inner.open_partial(key, attempt, offset, layout)?;
        *turn = begun;
        drop(turn);
        Ok(Box::new(FileWriter::new(inner, fence, key.clone(), attempt, opened)))
    }

    fn read(&self, key: &TransferKey, upto: u64) -> Result<Box<dyn Read + Send>, SpoolFault> {
        let fault = |source| SpoolFault::Read { operation: "read", source };
        let damaged = |how| SpoolFault::Damaged(key.clone(), how);
        if let Some(content) = self.inner.segments.read(key, upto, self.inner.key.as_ref())? {
            return Ok(Box::new(Cursor::new(content)));
        }
        let (file, _) = self.inner.find(key)?.ok_or_else(|| SpoolFault::Missing(key.clone()))?;
        let header = Header::read(&file).map_err(fault)?.ok_or_else(|| damaged(NO_HEADER))?;
        let layout = header.layout;
        if upto > layout.length() || file.metadata().map_err(fault)?.len() < layout.at(upto) {
            return Err(damaged(TOO_SHORT));
        }
        let seal = self.inner.opener(key, &header)?;
        Ok(Box::new(FileReader::new(key.clone(), file, layout, seal, upto, self.inner.buffers.clone())))
    }

    fn finished_length(&self, key: &TransferKey) -> Result<Option<u64>, SpoolFault> {
        if let Some(length) = self.inner.segments.length_of(key) {
            return Ok(Some(length));
        }
        let looked_up = |source| SpoolFault::Read { operation: "look up", source };
        match File::open(self.inner.done.path().join(key.file_stem())) {
            Ok(file) => match Header::read(&file).map_err(looked_up)? {
                Some(header) => Ok(Some(header.layout.length())),
                None => Err(SpoolFault::Damaged(key.clone(), NO_HEADER)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(looked_up(source)),
        }
    }

    fn drop_content(&self, key: &TransferKey) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        let fence = self.inner.fence(key);
        let mut turn = locked(&fence.0);
        turn.open = false;
        self.inner.segments.drop_content(key)?;
        for directory in [&self.inner.partial, &self.inner.done] {
            let removed = self.inner.medium.disk.remove(&key.file_stem(), directory);
            removed.map_err(|source| self.inner.medium.poison("remove", source))?;
        }
        Ok(())
    }

    fn recover(&self, wanted: &dyn Fn(&TransferKey) -> Keep) -> Result<Recovered, SpoolFault> {
        self.inner.medium.check_poison()?;
        recovery::recover(&self.inner, wanted)
    }

    fn is_poisoned(&self) -> bool {
        self.inner.medium.is_poisoned()
    }
}
