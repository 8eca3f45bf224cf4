//! The send log: one line for each entry in a file that only grows, a Merkle tree over the lines, and a checkpoint
//! signed after each of them.
//!
//! On disk: `entries.jsonl` (an entry's exact text is its leaf), `checkpoint` (the newest, a signed note), `log.json`
//! (origin and verifier key). An entry counts once its line is synced; the checkpoint follows it. So after a crash the
//! file may hold one entry more than the checkpoint says, whole or torn: a whole one is kept and signed, a torn one was
//! never relied on and is cut off. Anything else that does not fit was altered, and the log refuses to open.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use durable::Access;
use protocol::{
    checkpoint::{Checkpoint, CheckpointFault, LogIdentity, LogSigner},
    entry::{Entry, Event},
    merkle::leaf_hash,
    wire::{Consistency, Inclusion},
};

use super::tree::Tree;
use crate::{limits::LOG_LINE_BYTES_MAX, stamp};

const ENTRIES: &str = "entries.jsonl";
const CHECKPOINT: &str = "checkpoint";
const IDENTITY: &str = "log.json";

/// Why the send log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogFault {
    /// The file system refused.
    #[error("cannot {doing} {}", .file.display())]
    Io {
        /// Read, write or sync.
        doing: &'static str,
        /// Which file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A line is no entry, or not the one that belongs there.
    #[error("entry {seq} of the send log is not what was written: the file was altered or damaged")]
    Altered {
        /// Counted from 0.
        seq: u64,
    },
    /// The signed checkpoint counts entries that are not there.
    #[error("the send log has {present} entries, its checkpoint says {signed}: entries were removed")]
    Shortened {
        /// What is there.
        present: u64,
        /// What was signed.
        signed: u64,
    },
    /// More than one entry was never signed.
    #[error("the send log has {present} entries, its checkpoint says {signed}: entries were added by others")]
    NotSigned {
        /// What is there.
        present: u64,
        /// What was signed.
        signed: u64,
    },
    /// The root over the lines is not the signed one.
    #[error("the send log's entries are not those that its checkpoint was signed over")]
    OtherRoot,
    /// The checkpoint is none of this log.
    #[error("the send log's checkpoint does not count")]
    Checkpoint(#[source] CheckpointFault),
    /// The entry could not be written as JSON, or is too long.
    #[error("an entry of the send log could not be written down")]
    Entry,
    /// A write failed before; what is on disk is not known.
    #[error("a write to the send log failed; start again, so that it is read anew")]
    Poisoned,
    /// No random bytes for the entry's salt.
    #[error("no entry of the send log could be made")]
    Random(#[from] pki::random::NoRandomness),
}

fn io_fault<'a>(doing: &'static str, file: &'a Path) -> impl Fn(io::Error) -> LogFault + 'a {
    move |source| LogFault::Io { doing, file: file.to_owned(), source }
}

/// What was found when a log was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSummary {
    /// Which log.
    pub log: LogIdentity,
    /// Entries under the signed checkpoint.
    pub signed: u64,
    /// Entries after it: one, if the program was stopped between the two, or is writing now.
    pub unsigned: u64,
    /// The checkpoint.
    pub checkpoint: String,
}

/// The open send log. One process at a time.
pub struct SendLog {
    directory: PathBuf,
    entries: File,
    /// Where each line begins, and the end of the last.
    borders: Vec<u64>,
    tree: Tree,
    signer: Box<dyn LogSigner>,
    checkpoint: String,
    poisoned: bool,
}

impl SendLog {
    /// Opens the log in a directory that exists, or begins it there.
    pub fn open(directory: &Path, signer: Box<dyn LogSigner>) -> Result<Self, LogFault> {
        let file = directory.join(ENTRIES);
        if !file.exists() {
            begin(directory, signer.log())?;
        }
        let replayed = replay(directory, signer.log())?;
        let entries =
            OpenOptions::new().read(true).append(true).open(&file).map_err(io_fault("open", &file))?;
        if replayed.torn {
            let whole = replayed.borders.last().copied().unwrap_or_default();
            entries.set_len(whole).and_then(|()| entries.sync_all()).map_err(io_fault("mend", &file))?;
            tracing::warn!("the last line of the send log was torn by a stop and was cut off");
        }
        let mut log = SendLog {
            directory: directory.to_owned(),
            entries,
            borders: replayed.borders,
            tree: replayed.tree,
            signer,
            checkpoint: replayed.checkpoint,
            poisoned: false,
        };
        if log.tree.size() == 0 {
            log.append(stamp::entry(Event::LogOpened)?)?;
        } else if log.tree.size() != replayed.signed {
            log.sign()?;
        }
        Ok(log)
    }

    /// Which log it is.
    pub fn identity(&self) -> &LogIdentity {
        self.signer.log()
    }

    /// Entries.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The newest signed checkpoint, over all entries.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// Writes an entry. When this returns, it and a checkpoint over it are durable.
    pub fn append(&mut self, mut entry: Entry) -> Result<u64, LogFault> {
        if self.poisoned {
            return Err(LogFault::Poisoned);
        }
        let seq = self.tree.size();
        entry.seq = seq;
        let mut line = serde_json::to_vec(&entry).map_err(|_| LogFault::Entry)?;
        if line.len() >= LOG_LINE_BYTES_MAX {
            return Err(LogFault::Entry);
        }
        let leaf = leaf_hash(&line);
        line.push(b'\n');
        // Until both are durable, what is on disk is not known.
        self.poisoned = true;
        let file = self.directory.join(ENTRIES);
        self.entries
            .write_all(&line)
            .and_then(|()| self.entries.sync_data())
            .map_err(io_fault("write", &file))?;
        let end = self.borders.last().copied().unwrap_or_default() + line.len() as u64;
        self.borders.push(end);
        self.tree.append(leaf);
        self.sign()?;
        self.poisoned = false;
        Ok(seq)
    }

    fn sign(&mut self) -> Result<(), LogFault> {
        let origin = self.signer.log().origin.clone();
        let checkpoint = Checkpoint { origin, size: self.tree.size(), root: self.tree.root() };
        let text = checkpoint.sign(self.signer.as_ref());
        let file = self.directory.join(CHECKPOINT);
        durable::replace(&file, text.as_bytes(), Access::Private).map_err(io_fault("write", &file))?;
        self.checkpoint = text;
        Ok(())
    }

    /// An entry with the proof that it stands in the log as its newest checkpoint signs it.
    pub fn inclusion(&self, seq: u64) -> Result<Inclusion, LogFault> {
        let proof = self.tree.inclusion(seq, self.size()).ok_or(LogFault::Altered { seq })?;
        Ok(Inclusion { index: seq, entry: self.line(seq)?, proof })
    }

    /// Proof that the log of `from` entries is the beginning of that of `to`; `None` if it never had so many.
    pub fn consistency(&self, from: u64, to: u64) -> Option<Consistency> {
        Some(Consistency { from, proof: self.tree.consistency(from, to)? })
    }

    fn line(&self, seq: u64) -> Result<String, LogFault> {
        let altered = || LogFault::Altered { seq };
        let at = usize::try_from(seq).map_err(|_| altered())?;
        let (Some(start), Some(end)) = (self.borders.get(at), self.borders.get(at + 1)) else {
            return Err(altered());
        };
        let file = self.directory.join(ENTRIES);
        let mut entries = &self.entries;
        let mut line = String::new();
        entries
            .seek(SeekFrom::Start(*start))
            .and_then(|_| entries.take(end - start - 1).read_to_string(&mut line))
            .map_err(io_fault("read", &file))?;
        Ok(line)
    }
}

/// Holds the log in a directory against its signed checkpoint, without its key and without changing anything.
pub fn verify(directory: &Path) -> Result<LogSummary, LogFault> {
    let file = directory.join(IDENTITY);
    let text = std::fs::read(&file).map_err(io_fault("read", &file))?;
    let log: LogIdentity = serde_json::from_slice(&text).map_err(|source| LogFault::Io {
        doing: "understand",
        file,
        source: source.into(),
    })?;
    let replayed = replay(directory, &log)?;
    Ok(LogSummary {
        log,
        signed: replayed.signed,
        unsigned: replayed.tree.size() - replayed.signed,
        checkpoint: replayed.checkpoint,
    })
}

fn begin(directory: &Path, log: &LogIdentity) -> Result<(), LogFault> {
    let file = directory.join(IDENTITY);
    let text = serde_json::to_vec(log).map_err(|_| LogFault::Entry)?;
    durable::replace(&file, &text, Access::Private).map_err(io_fault("write", &file))?;
    let file = directory.join(ENTRIES);
    durable::create(&file, b"", Access::Private).map_err(io_fault("begin", &file))
}

struct Replayed {
    tree: Tree,
    borders: Vec<u64>,
    checkpoint: String,
    signed: u64,
    torn: bool,
}

fn replay(directory: &Path, log: &LogIdentity) -> Result<Replayed, LogFault> {
    let signed = read_checkpoint(directory, log)?;
    let (text, signed_size) = match &signed {
        Some((text, checkpoint)) => (text.clone(), checkpoint.size),
        None => (String::new(), 0),
    };
    let mut replayed = Replayed {
        tree: Tree::empty(),
        borders: vec![0],
        checkpoint: text,
        signed: signed_size,
        torn: false,
    };
    let mut signed_root = (signed_size == 0).then(|| replayed.tree.root());
    let file = directory.join(ENTRIES);
    let mut lines = BufReader::new(File::open(&file).map_err(io_fault("open", &file))?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let limit = LOG_LINE_BYTES_MAX as u64;
        let read =
            lines.by_ref().take(limit).read_until(b'\n', &mut line).map_err(io_fault("read", &file))?;
        if read == 0 {
            break;
        }
        let seq = replayed.tree.size();
        let Some(text) = line.strip_suffix(b"\n").filter(|text| is_entry(text, seq)) else {
            let is_last = lines.fill_buf().map_err(io_fault("read", &file))?.is_empty();
            // Only the line that was being written when the program stopped may be broken.
            if !is_last || seq != signed_size {
                return Err(LogFault::Altered { seq });
            }
            replayed.torn = true;
            break;
        };
        replayed.tree.append(leaf_hash(text));
        let end = replayed.borders.last().copied().unwrap_or_default() + line.len() as u64;
        replayed.borders.push(end);
        if replayed.tree.size() == signed_size {
            signed_root = Some(replayed.tree.root());
        }
    }
    let present = replayed.tree.size();
    match signed_root {
        None => Err(LogFault::Shortened { present, signed: signed_size }),
        Some(root) if signed.is_some_and(|(_, checkpoint)| checkpoint.root != root) => {
            Err(LogFault::OtherRoot)
        }
        Some(_) if present > signed_size + 1 => Err(LogFault::NotSigned { present, signed: signed_size }),
        Some(_) => Ok(replayed),
    }
}

fn is_entry(line: &[u8], seq: u64) -> bool {
    serde_json::from_slice::<Entry>(line).is_ok_and(|entry| entry.seq == seq)
}

fn read_checkpoint(directory: &Path, log: &LogIdentity) -> Result<Option<(String, Checkpoint)>, LogFault> {
    let file = directory.join(CHECKPOINT);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault("read", &file)(error)),
    };
    let checkpoint = Checkpoint::verify(&text, log).map_err(LogFault::Checkpoint)?;
    Ok(Some((text, checkpoint)))
}

#[cfg(test)]
#[path = "send_log_tests.rs"]
mod tests;
