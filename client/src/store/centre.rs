//! What is remembered of each centre: its logs as last verified, what it has seen of ours, and whether it contradicted
//! itself. `centre.json`.

use protocol::{checkpoint::LogIdentity, moment::Moment, party::Party};
use serde::{Deserialize, Serialize};

use crate::centre_log::SeenLog;

/// The version of `centre.json` written here.
const VERSION: u32 = 1;

/// Everything remembered of all centres.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centres {
    version: u32,
    centres: Vec<Centre>,
}

/// One centre.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Centre {
    /// Who it is.
    pub party: Party,
    /// Its logs, the one seen last at the end. A replaced machine has a new one.
    pub logs: Vec<SeenLog>,
    /// The size of our own log that it has seen in a manifest it took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shown: Option<u64>,
    /// It contradicted what it showed before: no transfer with it until people have looked into it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fork: Option<Fork>,
    /// Earlier contradictions that people looked into, and after which they took its new log.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub accepted: Vec<Accepted>,
}

/// A contradiction, for those who look into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fork {
    /// When it was met.
    pub at: Moment,
    /// What contradicts.
    pub reason: String,
    /// The log it showed then.
    pub log: LogIdentity,
    /// That log's checkpoint.
    pub shown: String,
    /// The checkpoint that was held, if there was one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held: Option<String>,
}

/// A contradiction that is settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// When a person took the new log.
    pub at: Moment,
    /// What had contradicted.
    pub fork: Fork,
}

impl Default for Centres {
    fn default() -> Self {
        Centres { version: VERSION, centres: Vec::new() }
    }
}

impl Centres {
    /// Reads `centre.json`, strictly.
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|centres: &Centres| centres.version == VERSION)
    }

    /// What is known of this centre.
    pub fn of(&self, party: &Party) -> Option<&Centre> {
        self.centres.iter().find(|centre| centre.party == *party)
    }

    /// The same, to be added to.
    pub fn entry(&mut self, party: &Party) -> &mut Centre {
        let at = match self.centres.iter().position(|centre| centre.party == *party) {
            Some(at) => at,
            None => {
                let logs = Vec::new();
                let accepted = Vec::new();
                self.centres.push(Centre { party: party.clone(), logs, shown: None, fork: None, accepted });
                self.centres.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the position was found, or just made, above")]
        &mut self.centres[at]
    }
}

impl Centre {
    /// The log of this name as it was last seen.
    pub fn log(&self, log: &LogIdentity) -> Option<&SeenLog> {
        self.logs.iter().find(|seen| seen.log.origin == log.origin)
    }

    /// The log seen last of all.
    pub fn latest(&self) -> Option<&SeenLog> {
        self.logs.last()
    }

    /// Takes the log that contradicted the one known before for the centre's log from now on.
    pub(super) fn accept_fork(&mut self, at: Moment) {
        if let Some(fork) = self.fork.take() {
            self.saw(SeenLog { log: fork.log.clone(), checkpoint: fork.shown.clone(), at });
            self.accepted.push(Accepted { at, fork });
        }
    }

    /// Remembers a log as it was just verified.
    pub fn saw(&mut self, seen: SeenLog) {
        self.logs.retain(|held| held.log.origin != seen.log.origin);
        self.logs.push(seen);
    }
}
