//! Small content: not a file each, but one record after the other in files that many share, so that one sync makes many
//! durable.
//!
//! What was written last lies at the end of the newest segment; nothing is ever written to a segment of an earlier process.
//! Where each content stands is kept in memory and found again at start from what is on the disk. That a content is dropped
//! is written nowhere: the ledger says what is wanted, and a segment of which nothing is wanted goes as a whole.

mod appender;
mod index;
mod record;
mod scan;
mod writer;

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use durable::Directory;
use protocol::transfer_id::TransferKey;

pub(super) use writer::SmallWriter;

use super::{
    Keep, Recovered, SpoolFault,
    disk::Medium,
    file::{GONE, OTHER_LENGTH, TOO_SHORT, locked},
    seal::SpoolKey,
};
use appender::{Appender, SEGMENT_BYTES_MAX};
use index::{Emptied, Index, Newer};
use record::{BLOCK, Head, Record, content_of};
use scan::{Scanned, scan};

/// Bytes of content up to which it is small: it is gathered in memory, and stored with others. A file of its own costs the
/// same for any length, which from here on is little beside writing the content itself.
pub const SMALL_CONTENT_MAX: u64 = 256 * 1024;

/// All segments.
pub(super) struct Segments {
    files: Arc<Files>,
    appender: Appender,
    /// Names in the directory that are none of ours, or that are no segments.
    strange: Vec<String>,
}

/// What those share who write, read and drop.
struct Files {
    medium: Arc<Medium>,
    directory: Directory,
    index: Mutex<Index>,
}

impl Files {
    fn index(&self) -> MutexGuard<'_, Index> {
        locked(&self.index)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.path().join(name_of(number))
    }

    /// Removes a segment that nobody wants. After a stop it may be there again, and is found to be wanted by nobody again.
    fn remove(&self, emptied: Option<Emptied>) -> Result<(), SpoolFault> {
        let Some(Emptied(number)) = emptied else { return Ok(()) };
        let removed = self.medium.disk.unlink(&self.path(number));
        removed.map_err(|source| self.medium.poison("remove", source))
    }
}

impl Segments {
    /// Finds what is there, and starts the thread that adds to it.
    pub(super) fn open(
        directory: Directory,
        medium: Arc<Medium>,
        key: Option<&SpoolKey>,
    ) -> io::Result<Self> {
        let (mut index, mut strange, mut next) = (Index::default(), Vec::new(), 1);
        for entry in fs::read_dir(directory.path())? {
            let path = entry?.path();
            let Some(number) = number_of(&path) else {
                strange.push(path.display().to_string());
                continue;
            };
            next = next.max(number + 1);
            let bytes = read_whole(&path)?;
            match scan(&bytes, key) {
                Some(Scanned { salt, found }) => index.found(number, salt, found),
                // A stop came while it was begun: its first block is written with its first records, and made durable with them.
                None if bytes.len() < BLOCK || is_blank(&bytes) => fs::remove_file(&path)?,
                None => strange.push(path.display().to_string()),
            }
        }
        let files = Arc::new(Files { medium, directory, index: Mutex::new(index) });
        let appender = Appender::start(Arc::clone(&files), next)?;
        Ok(Segments { files, appender, strange })
    }

    /// Has a content of this transfer been here, and not been dropped?
    pub(super) fn knows(&self, key: &TransferKey) -> bool {
        self.files.index().knows(key)
    }

    /// Begins an attempt at a content of `length` bytes, of which the first `offset` are kept: all or none. Yields those.
    pub(super) fn begin(
        &self,
        key: &TransferKey,
        attempt: u32,
        offset: u64,
        length: u64,
        seal: Option<&SpoolKey>,
    ) -> Result<Vec<u8>, SpoolFault> {
        let may = self.files.index().may_begin(key, attempt);
        may.map_err(|Newer| SpoolFault::Fenced { attempt })?;
        let kept = if offset == 0 { Vec::new() } else { self.read_to_go_on(key, offset, length, seal)? };
        let emptied = self.files.index().begin(key, attempt, offset == 0);
        self.files.remove(emptied)?;
        Ok(kept)
    }

    /// What an attempt that begins at this offset goes on from.
    fn read_to_go_on(
        &self,
        key: &TransferKey,
        offset: u64,
        length: u64,
        seal: Option<&SpoolKey>,
    ) -> Result<Vec<u8>, SpoolFault> {
        match self.read(key, offset, seal)? {
            Some(kept) if self.length_of(key) == Some(length) => Ok(kept),
            Some(_) => Err(SpoolFault::Damaged(key.clone(), OTHER_LENGTH)),
            None => Err(SpoolFault::Damaged(key.clone(), GONE)),
        }
    }

    /// An attempt begins at content that is not small: what was here under that name goes.
    pub(super) fn give_up(&self, key: &TransferKey, attempt: u32) -> Result<(), SpoolFault> {
        let may = self.files.index().may_begin(key, attempt);
        may.map_err(|Newer| SpoolFault::Fenced { attempt })?;
        self.drop_content(key)
    }

    /// Makes a record durable and known, and then says so.
    fn append(&self, record: Record, reply: impl FnOnce(Result<(), SpoolFault>) + Send + 'static) {
        self.appender.append(record, reply);
    }

    /// Bytes of the content that is here.
    pub(super) fn length_of(&self, key: &TransferKey) -> Option<u64> {
        self.files.index().get(key).map(|(at, _)| at.length)
    }

    /// The first `upto` bytes, if the content is here.
    pub(super) fn read(
        &self,
        key: &TransferKey,
        upto: u64,
        seal: Option<&SpoolKey>,
    ) -> Result<Option<Vec<u8>>, SpoolFault> {
        let Some((at, salt)) = self.files.index().get(key) else { return Ok(None) };
        let damaged = |how| SpoolFault::Damaged(key.clone(), how);
        if upto > at.length {
            return Err(damaged(TOO_SHORT));
        }
        let failed = |source: io::Error| match source.kind() {
            // It was dropped just now.
            io::ErrorKind::NotFound => SpoolFault::Missing(key.clone()),
            io::ErrorKind::UnexpectedEof => damaged(TOO_SHORT),
            _ => SpoolFault::Read { operation: "read", source },
        };
        let mut record = vec![0; BLOCK + at.length as usize];
        let file = File::open(self.files.path(at.segment));
        file.and_then(|file| file.read_exact_at(&mut record, at.offset)).map_err(failed)?;
        let head = Head::parse(&record, salt).filter(|head| head.key == *key && head.length == at.length);
        let content = head.and_then(|head| content_of(&head, &record, seal));
        let mut content = content.ok_or_else(|| damaged(NOT_GENUINE))?;
        content.truncate(upto as usize);
        Ok(Some(content))
    }

    /// Contents that are here.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.files.index().contents().count()
    }

    /// Forgets a transfer.
    pub(super) fn drop_content(&self, key: &TransferKey) -> Result<(), SpoolFault> {
        let emptied = self.files.index().drop_content(key);
        self.files.remove(emptied)
    }

    /// Asks about every content, and removes what nobody wants.
    pub(super) fn recover(
        &self,
        wanted: &dyn Fn(&TransferKey) -> Keep,
        recovered: &mut Recovered,
    ) -> Result<(), SpoolFault> {
        recovered.strange.extend_from_slice(&self.strange);
        let contents: Vec<_> = self.files.index().contents().map(|(key, at)| (key.clone(), at)).collect();
        for (key, at) in contents {
            match wanted(&key) {
                // What it is, is found out by whoever reads it.
                Keep::Whole(bytes) if bytes == at.length => recovered.kept += 1,
                Keep::Unknown => recovered.kept += 1,
                // Nobody was told of what nothing is counted of. It was stored before its attempt was on record, perhaps: the next one
                // has the same number.
                Keep::Nothing | Keep::Prefix(0) => {
                    self.drop_content(&key)?;
                    recovered.removed += 1;
                }
                Keep::Prefix(bytes) if bytes <= at.length && at.is_sound => recovered.kept += 1,
                Keep::Whole(_) | Keep::Prefix(_) => recovered.damaged.push(key),
            }
        }
        let leavings = self.files.index().leavings();
        for leaving in leavings {
            self.files.remove(Some(leaving))?;
            recovered.removed += 1;
        }
        Ok(())
    }
}

/// Why content cannot be used, in the words of every place that finds out.
const NOT_GENUINE: &str = "it is not what was stored there";

/// The number that a file's name says, if it is one of a segment.
fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let number = name.parse().ok().filter(|number: &u64| *number < u64::MAX)?;
    (name_of(number) == name).then_some(number)
}

fn name_of(number: u64) -> String {
    format!("{number:020}")
}

/// Was its first block never written?
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().take(BLOCK).all(|byte| *byte == 0)
}

/// All that a segment can hold.
fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SEGMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
