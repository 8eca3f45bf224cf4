//! Whom the operator keeps out, whatever their certificates say: a list that counts at once and outlives a restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use durable::Access;
use pki::peer::PeerIdentity;
use protocol::{digest::Sha256, moment::Moment, party::Party};
use serde::{Deserialize, Serialize};

use crate::limits::{BLOCK_REASON_CHARACTERS_MAX, BLOCKED_MAX};

/// The list below the data directory.
pub const BLOCKED_FILE: &str = "blocked.json";

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Every certificate that names this party.
    Party(Party),
    /// The certificate with this SHA-256 over its DER.
    Certificate(Sha256),
}

impl Target {
    /// Is this peer meant?
    pub fn is(&self, peer: &PeerIdentity) -> bool {
        match self {
            Target::Party(party) => {
                peer.identity().role() == party.role() && peer.identity().codes().contains(party.code())
            }
            Target::Certificate(fingerprint) => peer.fingerprint() == *fingerprint,
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Party(party) => write!(f, "{party}"),
            Target::Certificate(fingerprint) => write!(f, "sha256:{fingerprint}"),
        }
    }
}

impl std::str::FromStr for Target {
    type Err = NoTarget;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("sha256:") {
            Some(hex) => {
                serde_json::from_value(serde_json::Value::String(hex.to_ascii_lowercase().replace(':', "")))
                    .map(Target::Certificate)
                    .map_err(|_| NoTarget)
            }
            None => text.parse().map(Target::Party).map_err(|_| NoTarget),
        }
    }
}

/// Why a text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a party as role:code, such as institution:1310000018, or a certificate as sha256: and its fingerprint in \
     hexadecimal"
)]
pub struct NoTarget;

/// One who is kept out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Who.
    pub target: Target,
    /// Since when.
    pub since: Moment,
    /// Why, in the operator's words.
    pub reason: String,
}

/// Why the list was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum BlockFault {
    /// It cannot be read.
    #[error("the list of blocked peers in {file} cannot be read; next: restore it from a backup, or remove it and block anew", file = .file.display())]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be written; what was asked for does not count.
    #[error("the list of blocked peers cannot be written; nothing was changed")]
    Write(#[source] io::Error),
    /// It is full.
    #[error("{BLOCKED_MAX} peers are blocked already; next: revoke their certificates, and unblock them")]
    Full,
    /// The reason is no line of text.
    #[error("a reason has 1 to {BLOCK_REASON_CHARACTERS_MAX} characters on one line")]
    Reason,
}

/// The list.
pub struct Blocked {
    file: PathBuf,
    /// What counts: changed after the file was, and read without waiting for anything.
    blocks: ArcSwap<Vec<Block>>,
    /// Held while the file is written: one change at a time.
    changing: Mutex<()>,
}

impl Blocked {
    /// Reads the list of this data directory; none is an empty one.
    pub fn load(data: &Path) -> Result<Self, BlockFault> {
        let file = data.join(BLOCKED_FILE);
        let unreadable = |source| BlockFault::Read { file: file.clone(), source };
        let blocks = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| unreadable(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(error)),
        };
        Ok(Blocked { file, blocks: ArcSwap::from_pointee(blocks), changing: Mutex::new(()) })
    }

    /// Is this peer kept out?
    pub fn keeps_out(&self, peer: &PeerIdentity) -> bool {
        self.blocks.load().iter().any(|block| block.target.is(peer))
    }

    /// Is this party kept out, whoever acts for it?
    pub fn names(&self, party: &Party) -> bool {
        self.blocks.load().iter().any(|block| matches!(&block.target, Target::Party(named) if named == party))
    }

    /// Everybody who is kept out.
    pub fn all(&self) -> Arc<Vec<Block>> {
        self.blocks.load_full()
    }

    /// Keeps somebody out from now on; durable when it returns. `false` if that was so already. Blocks.
    pub fn block(&self, block: Block) -> Result<bool, BlockFault> {
        let characters = block.reason.chars().count();
        if !(1..=BLOCK_REASON_CHARACTERS_MAX).contains(&characters) || block.reason.contains(char::is_control)
        {
            return Err(BlockFault::Reason);
        }
        self.change(|blocks| {
            if blocks.iter().any(|known| known.target == block.target) {
                return Ok(false);
            }
            if blocks.len() >= BLOCKED_MAX {
                return Err(BlockFault::Full);
            }
            blocks.push(block);
            Ok(true)
        })
    }

    /// Keeps somebody out no longer; durable when it returns. `false` if nobody was kept out by this target. Blocks.
    pub fn unblock(&self, target: &Target) -> Result<bool, BlockFault> {
        self.change(|blocks| {
            let before = blocks.len();
            blocks.retain(|known| known.target != *target);
            Ok(blocks.len() != before)
        })
    }

    /// Changes the list on the disk first, then here.
    fn change(
        &self,
        change: impl FnOnce(&mut Vec<Block>) -> Result<bool, BlockFault>,
    ) -> Result<bool, BlockFault> {
        // Nothing that holds the lock can leave the list half changed.
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = self.blocks.load().to_vec();
        if !change(&mut changed)? {
            return Ok(false);
        }
        let text = serde_json::to_vec_pretty(&changed).map_err(|error| BlockFault::Write(error.into()))?;
        durable::replace(&self.file, &text, Access::Private).map_err(BlockFault::Write)?;
        self.blocks.store(Arc::new(changed));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(target: &str) -> Block {
        Block {
            target: target.parse().unwrap(),
            since: Moment::from_unix_ms(0),
            reason: "key lost".to_owned(),
        }
    }

    #[test]
    fn a_block_outlives_the_process_and_is_lifted_by_the_same_words() {
        let data = tempfile::tempdir().unwrap();
        let blocked = Blocked::load(data.path()).unwrap();
        assert!(blocked.block(block("institution:1310000018")).unwrap());
        assert!(!blocked.block(block("institution:1310000018")).unwrap(), "it was so already");
        let again = Blocked::load(data.path()).unwrap();
        assert_eq!(again.all(), blocked.all());
        assert!(again.unblock(&"institution:1310000018".parse().unwrap()).unwrap());
        assert!(Blocked::load(data.path()).unwrap().all().is_empty());
    }

    #[test]
    fn who_asks_does_not_wait_for_the_disk_that_a_change_waits_for() {
        let data = tempfile::tempdir().unwrap();
        let blocked = Blocked::load(data.path()).unwrap();
        assert!(blocked.block(block("institution:1310000018")).unwrap());
        let _writing = blocked.changing.lock().unwrap();
        assert!(blocked.names(&"institution:1310000018".parse().unwrap()));
        assert!(!blocked.names(&"institution:1310000026".parse().unwrap()));
    }

    #[test]
    fn the_longest_list_fits_into_an_answer() {
        let reason = "\\".repeat(BLOCK_REASON_CHARACTERS_MAX);
        let longest = format!("sha256:{}", "ab".repeat(32));
        let text = serde_json::to_vec(&Block { reason, ..block(&longest) }).unwrap();
        assert!((text.len() + 1) * BLOCKED_MAX < crate::limits::ADMIN_ANSWER_BYTES_MAX);
        let reason = "\u{10ffff}".repeat(BLOCK_REASON_CHARACTERS_MAX);
        let text = serde_json::to_vec(&Block { reason, ..block(&longest) }).unwrap();
        assert!((text.len() + 1) * BLOCKED_MAX < crate::limits::ADMIN_ANSWER_BYTES_MAX);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_fault_and_not_an_empty_list() {
        let data = tempfile::tempdir().unwrap();
        durable::replace(&data.path().join(BLOCKED_FILE), b"[{", Access::Private).unwrap();
        assert!(matches!(Blocked::load(data.path()), Err(BlockFault::Read { .. })));
    }

    #[test]
    fn a_target_reads_back_as_itself() {
        let fingerprint = format!("sha256:{}", "ab".repeat(32));
        for text in ["institution:1310000018", fingerprint.as_str()] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "sha256:", "sha256:zz", "somebody", "institution:1"] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
