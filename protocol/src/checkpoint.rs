//! A log's signed head: C2SP tlog-checkpoint in the form of a C2SP signed note, by one Ed25519 key that signs nothing
//! else.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{
    digest::Sha256,
    limits::{CHECKPOINT_BYTES_MAX, LOG_NAME_BYTES_MAX},
};

/// The key type byte of Ed25519 in a signed note.
const ED25519_TYPE: u8 = 1;

/// Signs checkpoints of one log.
pub trait LogSigner: Send + Sync {
    /// The log and the key its checkpoints verify with.
    fn log(&self) -> &LogIdentity;
    /// An Ed25519 signature (RFC 8032).
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// Which log: its origin and its verifier key, which bears the origin as its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogIdentity {
    /// A name that no other log has.
    pub origin: String,
    /// `origin+key hash+base64(type, public key)`.
    pub key: String,
}

impl LogIdentity {
    /// The log of this origin with this Ed25519 public key; `None` if the origin is no name for a note.
    pub fn new(origin: &str, public_key: &[u8; 32]) -> Option<Self> {
        if !is_log_name(origin) {
            return None;
        }
        let hash = key_hash(origin, public_key);
        let mut typed = vec![ED25519_TYPE];
        typed.extend_from_slice(public_key);
        let key = format!("{origin}+{:08x}+{}", u32::from_be_bytes(hash), STANDARD.encode(typed));
        Some(LogIdentity { origin: origin.to_owned(), key })
    }

    /// The public key, if the verifier key is well formed and of this origin.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        // Neither origin nor hash holds a '+', the base64 part may.
        let (hash, typed) = self.key.strip_prefix(&self.origin)?.strip_prefix('+')?.split_once('+')?;
        let typed = STANDARD.decode(typed).ok()?;
        let (ED25519_TYPE, public_key) = typed.split_first().map(|(kind, key)| (*kind, key))? else {
            return None;
        };
        let public_key: [u8; 32] = public_key.try_into().ok()?;
        let expected = format!("{:08x}", u32::from_be_bytes(key_hash(&self.origin, &public_key)));
        (is_log_name(&self.origin) && hash == expected).then_some(public_key)
    }
}

/// Names of notes hold neither white space nor `+`.
fn is_log_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LOG_NAME_BYTES_MAX
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

fn key_hash(name: &str, public_key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::of_parts(&[name.as_bytes(), b"\n", &[ED25519_TYPE], public_key]);
    let [a, b, c, d, ..] = *hash.as_bytes();
    [a, b, c, d]
}

/// The head of a log: how many entries it has and the root over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's origin.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// The root of the Merkle tree over them.
    pub root: Sha256,
}

impl Checkpoint {
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// The checkpoint as a signed note.
    pub fn sign(&self, signer: &dyn LogSigner) -> String {
        let body = self.body();
        let log = signer.log();
        let mut signature = match log.public_key() {
            Some(public_key) => key_hash(&log.origin, &public_key).to_vec(),
            None => Vec::new(),
        };
        signature.extend_from_slice(&signer.sign(body.as_bytes()));
        format!("{body}\n\u{2014} {} {}\n", log.origin, STANDARD.encode(signature))
    }

    /// Reads a signed note and checks that `log` signed it.
    pub fn verify(text: &str, log: &LogIdentity) -> Result<Self, CheckpointFault> {
        let public_key = log.public_key().ok_or(CheckpointFault::BadKey)?;
        let (checkpoint, body, signatures) = parse(text)?;
        if checkpoint.origin != log.origin {
            return Err(CheckpointFault::OtherLog);
        }
        let hash = key_hash(&log.origin, &public_key);
        let ours = signatures.lines().find_map(|line| {
            let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let signature = STANDARD.decode(signature).ok()?;
            (name == log.origin && signature.get(..4) == Some(&hash)).then_some(signature)
        });
        let signature = ours.ok_or(CheckpointFault::BadSignature)?;
        UnparsedPublicKey::new(&ED25519, public_key)
            .verify(body.as_bytes(), signature.get(4..).unwrap_or_default())
            .map_err(|_| CheckpointFault::BadSignature)?;
        Ok(checkpoint)
    }
}

fn parse(text: &str) -> Result<(Checkpoint, &str, &str), CheckpointFault> {
    if text.len() > CHECKPOINT_BYTES_MAX {
        return Err(CheckpointFault::Malformed);
    }
    let split = text.find("\n\n").ok_or(CheckpointFault::Malformed)? + 1;
    let (body, signatures) = text.split_at(split);
    let mut lines = body.lines();
    let (Some(origin), Some(size), Some(root), None) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Err(CheckpointFault::Malformed);
    };
    let number: u64 = size.parse().map_err(|_| CheckpointFault::Malformed)?;
    let root = STANDARD.decode(root).map_err(|_| CheckpointFault::Malformed)?;
    let root: [u8; 32] = root.try_into().map_err(|_| CheckpointFault::Malformed)?;
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: number, root: Sha256::from_bytes(root) };
    // One spelling only: what was signed is what is meant.
    if checkpoint.body() == body {
        Ok((checkpoint, body, signatures))
    } else {
        Err(CheckpointFault::Malformed)
    }
}

/// Why a text is no checkpoint of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// Not a signed note of three lines.
    #[error("not a signed checkpoint")]
    Malformed,
    /// The verifier key is malformed or of another origin.
    #[error("the log's verifier key is malformed")]
    BadKey,
    /// Another log's checkpoint.
    #[error("the checkpoint is of another log")]
    OtherLog,
    /// Not signed by the log's key.
    #[error("the checkpoint is not signed by the log's key")]
    BadSignature,
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    struct Key(Ed25519KeyPair, LogIdentity);

    impl LogSigner for Key {
        fn log(&self) -> &LogIdentity {
            &self.1
        }
        fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message).as_ref().try_into().unwrap()
        }
    }

    fn key(origin: &str, seed: u8) -> Key {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        Key(pair, LogIdentity::new(origin, &public_key).unwrap())
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "sekisho/test/log".to_owned(), size: 42, root: Sha256::of(b"root") }
    }

    #[test]
    fn a_signed_checkpoint_reads_back_whatever_bytes_its_key_has() {
        // Some of these keys have a `+` in their base64 form.
        for seed in 0..=255 {
            let key = key("sekisho/test/log", seed);
            assert_eq!(Checkpoint::verify(&checkpoint().sign(&key), key.log()), Ok(checkpoint()));
        }
    }

    #[test]
    fn another_key_or_origin_does_not_verify() {
        let text = checkpoint().sign(&key("sekisho/test/log", 1));
        assert_eq!(
            Checkpoint::verify(&text, key("sekisho/test/log", 2).log()),
            Err(CheckpointFault::BadSignature)
        );
        assert_eq!(Checkpoint::verify(&text, key("other", 1).log()), Err(CheckpointFault::OtherLog));
    }

    #[test]
    fn every_altered_byte_is_found() {
        let key = key("sekisho/test/log", 1);
        let text = checkpoint().sign(&key);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            if let Ok(altered) = String::from_utf8(bytes) {
                assert!(Checkpoint::verify(&altered, key.log()).is_err(), "byte {at} may be altered");
            }
        }
    }

    #[test]
    fn the_verifier_key_names_its_origin() {
        let mut log = key("sekisho/test/log", 1).log().clone();
        assert!(log.public_key().is_some());
        log.origin = "sekisho/test/other".to_owned();
        assert_eq!(log.public_key(), None);
    }
}
