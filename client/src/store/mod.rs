//! The client's state directory. Everything in it is written through `durable` and can be read after any stop.
//!
//! ```text
//! data/
//!   lock, running           one process at a time; whether one is at work
//!   log/                    the send log and its key
//!   centre.json             the centre's log as last verified
//!   crls/                   revocation lists as last fetched
//!   transfers/{id}/
//!     manifest.jws          signed before the first byte leaves, never changed
//!     state.json            where the transfer stands, every attempt and its cause
//!     receipt.jws           the receipt's exact text      } as they come
//!     proof.json            what came beside it           }
//!     refusal.jws           instead of both, after a no   }
//!     acknowledgement.jws   that we hold the receipt      }
//!     bundle.json           all of it together, for an auditor
//!     rejected.json         the last answer that did not count
//! ```

mod centre;
mod fork;
mod lock;
mod record;
pub mod send_log;
pub(crate) mod tree;

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use durable::Access;
use pki::log_key::{LogKey, LogKeyFault};
use protocol::{
    jws::Unverified,
    party::{Environment, Party},
    sender::Phase,
    statement::Manifest,
    transfer_id::TransferId,
};

pub use centre::{Accepted, Centre, Centres, Fork};
pub use fork::{accept_fork, recorded_fork};
pub use record::{Attempt, Record};

use crate::limits::STATE_FILE_BYTES_MAX;
use lock::Lock;
use send_log::{LogFault, SendLog};

pub(crate) const MANIFEST: &str = "manifest.jws";
pub(crate) const RECEIPT: &str = "receipt.jws";
pub(crate) const PROOF: &str = "proof.json";
pub(crate) const REFUSAL: &str = "refusal.jws";
pub(crate) const ACKNOWLEDGEMENT: &str = "acknowledgement.jws";
pub(crate) const BUNDLE: &str = "bundle.json";
const STATE: &str = "state.json";
const CENTRE: &str = "centre.json";
const LOG: &str = "log";
const TRANSFERS: &str = "transfers";

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreFault {
    /// Another process works with it.
    #[error("another sekisho is at work with {}", .directory.display())]
    InUse {
        /// The state directory.
        directory: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {doing} {}", .path.display())]
    Io {
        /// Make, read or write.
        doing: &'static str,
        /// Which file or directory.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file is not what was written.
    #[error("{} is not what was written there: it was altered or damaged", .path.display())]
    Altered {
        /// Which file.
        path: PathBuf,
    },
    /// No such transfer here.
    #[error("no transfer {id} is known here")]
    NoSuchTransfer {
        /// Which one.
        id: TransferId,
    },
    /// The send log.
    #[error("the send log cannot be used")]
    Log(#[from] LogFault),
    /// The send log's key.
    #[error("the send log cannot be signed")]
    Key(#[from] LogKeyFault),
    /// The thread that worked on it is gone.
    #[error("the work on the state directory was lost")]
    Lost,
}

pub(crate) fn io_fault<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> StoreFault + 'a {
    move |source| StoreFault::Io { doing, path: path.to_owned(), source }
}

/// One transfer as it stands on disk.
#[derive(Clone, Debug)]
pub struct Transfer {
    directory: PathBuf,
    /// The manifest's exact text.
    pub manifest_text: String,
    /// What it says. Signed by ourselves; it was not verified again.
    pub manifest: Manifest,
    /// The changing part.
    pub record: Record,
}

impl Transfer {
    /// Its name.
    pub fn id(&self) -> TransferId {
        self.manifest.transfer_id
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        self.record.phase()
    }

    /// A file of this transfer.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Makes the record durable as it is now.
    pub(crate) fn save(&self) -> Result<(), StoreFault> {
        write_json(&self.file(STATE), &self.record)
    }

    /// Makes a file of this transfer durable.
    pub(crate) fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), StoreFault> {
        let path = self.file(name);
        durable::replace(&path, bytes, Access::Private).map_err(io_fault("write", &path))
    }

    /// Reads a file of this transfer; none if it is not there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, StoreFault> {
        let path = self.file(name);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        String::from_utf8(bytes).map(Some).map_err(|_| StoreFault::Altered { path })
    }

    fn load(directory: PathBuf) -> Result<Self, StoreFault> {
        let path = directory.join(MANIFEST);
        let altered = || StoreFault::Altered { path: path.clone() };
        let text = String::from_utf8(read(&path)?).map_err(|_| altered())?;
        let manifest = Unverified::<Manifest>::parse(&text).map_err(|_| altered())?.claimed().clone();
        let path = directory.join(STATE);
        let record = Record::from_json(&read(&path)?).ok_or(StoreFault::Altered { path })?;
        Ok(Transfer { directory, manifest_text: text, manifest, record })
    }
}

/// The open state directory of a working client.
pub struct Store {
    root: PathBuf,
    /// The send log.
    pub log: SendLog,
    centres: Centres,
    _lock: Lock,
}

impl Store {
    /// Opens the directory, and makes what is missing. One process at a time.
    pub fn open(root: &Path, environment: Environment, party: &Party) -> Result<Self, StoreFault> {
        let transfers = root.join(TRANSFERS);
        let log = root.join(LOG);
        for directory in [root, transfers.as_path(), log.as_path()] {
            durable::create_directory(directory, Access::Private).map_err(io_fault("make", directory))?;
        }
        let lock = Lock::take(root)?;
        sweep(&transfers)?;
        let key = LogKey::load_or_create(&log, environment, party)?;
        let log = SendLog::open(&log, Box::new(key))?;
        Ok(Store { root: root.to_owned(), log, centres: read_centres(root)?, _lock: lock })
    }

    /// What is known of a centre.
    pub fn centre(&self, party: &Party) -> Option<&Centre> {
        self.centres.of(party)
    }

    /// Changes what is known of a centre, durably.
    pub fn update_centre(
        &mut self,
        party: &Party,
        change: impl FnOnce(&mut Centre),
    ) -> Result<(), StoreFault> {
        let mut centres = self.centres.clone();
        change(centres.entry(party));
        if centres != self.centres {
            write_json(&self.root.join(CENTRE), &centres)?;
            self.centres = centres;
        }
        Ok(())
    }

    /// All transfers, in the order they were made.
    pub fn transfers(&self) -> Result<Vec<Transfer>, StoreFault> {
        transfers_in(&self.root)
    }

    /// One transfer.
    pub fn transfer(&self, id: TransferId) -> Result<Transfer, StoreFault> {
        let directory = self.root.join(TRANSFERS).join(id.to_string());
        if directory.is_dir() { Transfer::load(directory) } else { Err(StoreFault::NoSuchTransfer { id }) }
    }

    /// Makes a transfer durable, whole or not at all.
    pub fn create(
        &self,
        manifest_text: String,
        manifest: Manifest,
        record: Record,
    ) -> Result<Transfer, StoreFault> {
        let transfers = self.root.join(TRANSFERS);
        let id = manifest.transfer_id.to_string();
        let beside = transfers.join(format!(".{id}.tmp"));
        durable::create_directory(&beside, Access::Private).map_err(io_fault("make", &beside))?;
        let transfer = Transfer { directory: beside.clone(), manifest_text, manifest, record };
        transfer.keep(MANIFEST, transfer.manifest_text.as_bytes())?;
        transfer.save()?;
        let directory = transfers.join(id);
        durable::rename(&beside, &directory).map_err(io_fault("name", &directory))?;
        Ok(Transfer { directory, ..transfer })
    }
}

/// Is a client at work with this directory now?
pub fn is_at_work(root: &Path) -> bool {
    lock::is_taken(root)
}

/// All transfers of a state directory, in the order they were made; needs no lock, since every file is replaced whole.
pub fn transfers_in(root: &Path) -> Result<Vec<Transfer>, StoreFault> {
    let directory = root.join(TRANSFERS);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_fault("read", &directory)(error)),
    };
    let mut transfers = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_fault("read", &directory))?.path();
        let id: Option<TransferId> =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        if id.is_some() {
            transfers.push(Transfer::load(path)?);
        }
    }
    // Ids keep the order of time.
    transfers.sort_by_key(Transfer::id);
    Ok(transfers)
}

/// The directory of the send log.
pub fn log_directory(root: &Path) -> PathBuf {
    root.join(LOG)
}

/// Removes transfers that were being made when the program stopped: nothing of them has left.
fn sweep(transfers: &Path) -> Result<(), StoreFault> {
    for entry in fs::read_dir(transfers).map_err(io_fault("read", transfers))? {
        let path = entry.map_err(io_fault("read", transfers))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_dir_all(&path).map_err(io_fault("remove", &path))?;
        }
    }
    Ok(())
}

/// What is known of all centres; needs no lock, since the file is replaced whole.
fn read_centres(root: &Path) -> Result<Centres, StoreFault> {
    let path = root.join(CENTRE);
    match read_if_there(&path)? {
        Some(bytes) => Centres::from_json(&bytes).ok_or(StoreFault::Altered { path }),
        None => Ok(Centres::default()),
    }
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<(), StoreFault> {
    let bytes = serde_json::to_vec(value).map_err(|source| StoreFault::Io {
        doing: "write",
        path: path.to_owned(),
        source: source.into(),
    })?;
    durable::replace(path, &bytes, Access::Private).map_err(io_fault("write", path))
}

fn read(path: &Path) -> Result<Vec<u8>, StoreFault> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io_fault("read", path))?;
    file.take(STATE_FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(io_fault("read", path))?;
    Ok(bytes)
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreFault> {
    match read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreFault::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
