//! The Ed25519 key of an audit log: signs checkpoints and nothing else.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use durable::Access;
use protocol::checkpoint::{LogIdentity, LogSigner};
use rustls_pki_types::PrivateKeyDer;

use crate::pem::{self, PemFault};

/// Why there is no log key.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyFault {
    /// The file cannot be used.
    #[error("the log key cannot be read")]
    File(#[from] PemFault),
    /// The file cannot be written. [`io::ErrorKind::AlreadyExists`]: a key stands there and is never overwritten.
    #[error("cannot write the log key {}", .file.display())]
    Write {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file holds another kind of key.
    #[error("{} holds no Ed25519 key in PKCS#8; next: check that it is the log key", .file.display())]
    NotEd25519 {
        /// Which file.
        file: PathBuf,
    },
    /// The origin is no name for a log: white space, `+`, or too long.
    #[error("`{origin}` is no name for a log; next: use letters, digits, `/`, `.` and `-`")]
    Origin {
        /// The name.
        origin: String,
    },
    /// The library could not make a key.
    #[error("no key could be made")]
    Generate,
}

/// The key of one log.
pub struct LogKey {
    pair: Ed25519KeyPair,
    log: LogIdentity,
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogKey").field("log", &self.log).finish_non_exhaustive()
    }
}

impl LogKey {
    /// Makes a key and stores it as a file that only its owner may read. Durable when this returns.
    pub fn create(file: &Path, origin: &str) -> Result<Self, LogKeyFault> {
        let pair = Ed25519KeyPair::generate().map_err(|_| LogKeyFault::Generate)?;
        let key = LogKey::of(pair, origin)?;
        // Version 1 of PKCS#8 is the one that other tools read.
        let der = key.pair.to_pkcs8v1().map_err(|_| LogKeyFault::Generate)?;
        let text = pem::encode(pem::PRIVATE_KEY, der.as_ref());
        durable::create(file, text.as_bytes(), Access::Private)
            .map_err(|source| LogKeyFault::Write { file: file.to_owned(), source })?;
        Ok(key)
    }

    /// Reads the key of the log with this origin.
    pub fn load(file: &Path, origin: &str) -> Result<Self, LogKeyFault> {
        let not_ed25519 = || LogKeyFault::NotEd25519 { file: file.to_owned() };
        let PrivateKeyDer::Pkcs8(der) = pem::private_key(file)? else { return Err(not_ed25519()) };
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| not_ed25519())?;
        LogKey::of(pair, origin)
    }

    fn of(pair: Ed25519KeyPair, origin: &str) -> Result<Self, LogKeyFault> {
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| LogKeyFault::Generate)?;
        match LogIdentity::new(origin, &public_key) {
            Some(log) => Ok(LogKey { pair, log }),
            None => Err(LogKeyFault::Origin { origin: origin.to_owned() }),
        }
    }
}

impl LogSigner for LogKey {
    fn log(&self) -> &LogIdentity {
        &self.log
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        // An Ed25519 signature has 64 bytes (RFC 8032 section 5.1.6).
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

#[cfg(test)]
mod tests {
    use protocol::{checkpoint::Checkpoint, digest::Sha256};

    use super::*;

    fn signed(key: &LogKey) -> String {
        Checkpoint { origin: key.log().origin.clone(), size: 1, root: Sha256::of(b"root") }.sign(key)
    }

    #[test]
    fn a_second_key_never_takes_the_place_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log.key.pem");
        let first = LogKey::create(&file, "sekisho/test/log").unwrap();
        let again = LogKey::create(&file, "sekisho/test/log").unwrap_err();
        assert!(
            matches!(&again, LogKeyFault::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
        assert_eq!(LogKey::load(&file, "sekisho/test/log").unwrap().log(), first.log());
    }

    #[test]
    fn what_a_loaded_key_signs_verifies_with_the_created_one() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log.key.pem");
        let created = LogKey::create(&file, "sekisho/test/log").unwrap();
        let loaded = LogKey::load(&file, "sekisho/test/log").unwrap();
        assert!(Checkpoint::verify(&signed(&loaded), created.log()).is_ok());
    }

    #[test]
    fn a_name_that_no_note_can_bear_is_refused_before_a_file_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log.key.pem");
        assert!(matches!(LogKey::create(&file, "a log"), Err(LogKeyFault::Origin { .. })));
        assert!(!file.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_log_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log.key.pem");
        LogKey::create(&file, "sekisho/test/log").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            LogKey::load(&file, "sekisho/test/log"),
            Err(LogKeyFault::File(PemFault::KeyOpenToOthers { mode: 0o640, .. }))
        ));
    }
}
