//! What a lab must remember: the numbers of its lists and what is revoked. Stored before anything is published.

use std::{
    fs::{self, File, OpenOptions},
    path::Path,
};

use durable::Access;
use protocol::{moment::Moment, party::Environment};
use serde::{Deserialize, Serialize};

use crate::{fault::LabFault, revocation::Reason, serial::Serial};

const STATE: &str = "state.json";
const LOCK: &str = "lock";
const VERSION: u32 = 1;

/// The whole memory of a lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// Stands in every identity this lab certifies.
    pub(crate) environment: Environment,
    /// Of the root's list.
    pub(crate) root: ListState,
    /// Of the issuing authority's list.
    pub(crate) issuing: ListState,
}

/// The memory of one authority's list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListState {
    /// The number of the last list that was, or was about to be, published.
    pub(crate) crl_number: u64,
    /// In the order of revocation.
    pub(crate) revoked: Vec<Entry>,
}

/// A revoked certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) serial: Serial,
    pub(crate) at: Moment,
    pub(crate) reason: Reason,
}

impl State {
    pub(crate) fn new(environment: Environment) -> Self {
        State { version: VERSION, environment, root: ListState::default(), issuing: ListState::default() }
    }

    pub(crate) fn create(&self, dir: &Path) -> Result<(), LabFault> {
        let path = dir.join(STATE);
        durable::create(&path, &self.to_json(&path)?, Access::Shared).map_err(LabFault::io("write", &path))
    }

    pub(crate) fn store(&self, dir: &Path) -> Result<(), LabFault> {
        let path = dir.join(STATE);
        durable::replace(&path, &self.to_json(&path)?, Access::Shared).map_err(LabFault::io("write", &path))
    }

    pub(crate) fn load(dir: &Path) -> Result<Self, LabFault> {
        let path = dir.join(STATE);
        let damaged = |what: String| LabFault::Damaged { path: path.clone(), what };
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(LabFault::NotALab { dir: dir.to_owned() });
            }
            read => read.map_err(LabFault::io("read", &path))?,
        };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if state.version != VERSION {
            return Err(damaged(format!("version {} instead of {VERSION}", state.version)));
        }
        Ok(state)
    }

    fn to_json(&self, path: &Path) -> Result<Vec<u8>, LabFault> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|error| LabFault::Damaged { path: path.to_owned(), what: error.to_string() })?;
        json.push(b'\n');
        Ok(json)
    }
}

/// Held while the memory is read, changed and stored; another process waits.
pub(crate) struct Locked(#[expect(dead_code, reason = "dropping the file releases the lock")] File);

impl Locked {
    pub(crate) fn wait_for(dir: &Path) -> Result<Self, LabFault> {
        let path = dir.join(LOCK);
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(LabFault::io("open", &path))?;
        file.lock().map_err(LabFault::io("lock", &path))?;
        Ok(Locked(file))
    }
}
