//! The Ed25519 key of an audit log: signs checkpoints and nothing else.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use durable::Access;
use protocol::{
    checkpoint::{LogIdentity, LogSigner},
    party::{Environment, Party},
};
use rustls_pki_types::PrivateKeyDer;

use crate::{
    pem::{self, PemFault},
    random::{NoRandomness, random_bytes},
};

/// The file with a log's name, in the log's directory.
const ORIGIN: &str = "origin";
/// The file with its key.
const KEY: &str = "key.pem";

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
    /// The file with the log's name cannot be used.
    #[error("the name of the log in {} cannot be read or written", .file.display())]
    OriginFile {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There is a key, but the name that it signs for is gone: under a new name it would begin another log.
    #[error("{} has lost its name; next: put the file `{ORIGIN}` back beside it", .file.display())]
    OriginLost {
        /// The key's file.
        file: PathBuf,
    },
    /// The log belongs to the other environment.
    #[error(
        "the log `{origin}` is not of environment {expected}; next: give each environment a directory of its own"
    )]
    OtherEnvironment {
        /// The log's name.
        origin: String,
        /// What it was to be.
        expected: Environment,
    },
    /// No random bytes for the log's name.
    #[error("a new log needs a name that no other log has")]
    Random(#[from] NoRandomness),
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

    /// Reads name and key of the log in this directory; makes what is missing, at the first start both. The name is
    /// durable before the key: a stop in between leaves a name under which nothing was signed yet.
    pub fn load_or_create(
        directory: &Path,
        environment: Environment,
        party: &Party,
    ) -> Result<Self, LogKeyFault> {
        let key = directory.join(KEY);
        let origin = match read_origin(directory)? {
            Some(origin) => origin,
            None if key.exists() => return Err(LogKeyFault::OriginLost { file: key }),
            None => make_origin(directory, environment, party)?,
        };
        if !origin.starts_with(&format!("sekisho/{environment}/")) {
            return Err(LogKeyFault::OtherEnvironment { origin, expected: environment });
        }
        if key.exists() { LogKey::load(&key, &origin) } else { LogKey::create(&key, &origin) }
    }

    /// Reads name and key of the log in this directory, and makes none: for looking at a log.
    pub fn load_from(directory: &Path) -> Result<Self, LogKeyFault> {
        let missing = || LogKeyFault::OriginFile {
            file: directory.join(ORIGIN),
            source: io::ErrorKind::NotFound.into(),
        };
        LogKey::load(&directory.join(KEY), &read_origin(directory)?.ok_or_else(missing)?)
    }

    fn of(pair: Ed25519KeyPair, origin: &str) -> Result<Self, LogKeyFault> {
        let public_key = pair.public_key().as_ref().try_into().map_err(|_| LogKeyFault::Generate)?;
        match LogIdentity::new(origin, &public_key) {
            Some(log) => Ok(LogKey { pair, log }),
            None => Err(LogKeyFault::Origin { origin: origin.to_owned() }),
        }
    }
}

/// The name of the log in this directory; `None` if it has none yet.
fn read_origin(directory: &Path) -> Result<Option<String>, LogKeyFault> {
    let file = directory.join(ORIGIN);
    match fs::read_to_string(&file) {
        Ok(origin) => Ok(Some(origin.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LogKeyFault::OriginFile { file, source }),
    }
}

/// Makes a name for the log in this directory. Random, so that a log begun anew after a loss is never taken for the
/// lost one. Durable when this returns.
fn make_origin(directory: &Path, environment: Environment, party: &Party) -> Result<String, LogKeyFault> {
    let unique = u64::from_be_bytes(random_bytes::<8>()?);
    let origin = format!("sekisho/{environment}/{party}/{unique:016x}");
    let file = directory.join(ORIGIN);
    durable::create_directory(directory, Access::Private)
        .and_then(|()| durable::create(&file, format!("{origin}\n").as_bytes(), Access::Private))
        .map_err(|source| LogKeyFault::OriginFile { file, source })?;
    Ok(origin)
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

    fn party() -> Party {
        "institution:1310000018".parse().unwrap()
    }

    fn at_start(directory: &Path) -> Result<LogKey, LogKeyFault> {
        LogKey::load_or_create(directory, Environment::Test, &party())
    }

    #[test]
    fn a_second_start_finds_the_name_and_key_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let first = at_start(&log).unwrap();
        assert_eq!(at_start(&log).unwrap().log(), first.log());
        assert_eq!(LogKey::load_from(&log).unwrap().log(), first.log());
    }

    #[test]
    fn the_name_tells_environment_and_party_and_stands_in_a_line_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let origin = at_start(directory.path()).unwrap().log().origin.clone();
        let unique = origin.strip_prefix(&format!("sekisho/test/{}/", party())).unwrap();
        assert!(unique.len() == 16 && unique.bytes().all(|byte| byte.is_ascii_hexdigit()), "{unique}");
        assert_eq!(fs::read_to_string(directory.path().join(ORIGIN)).unwrap(), format!("{origin}\n"));
    }

    #[test]
    fn a_name_is_read_with_its_line_end_or_without() {
        let directory = tempfile::tempdir().unwrap();
        let first = at_start(directory.path()).unwrap();
        for written in [first.log().origin.clone(), format!("{}\r\n", first.log().origin)] {
            durable::replace(&directory.path().join(ORIGIN), written.as_bytes(), Access::Private).unwrap();
            assert_eq!(at_start(directory.path()).unwrap().log(), first.log());
        }
    }

    #[test]
    fn two_logs_of_one_party_have_different_names() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (one, other) = (at_start(one.path()).unwrap(), at_start(other.path()).unwrap());
        assert_ne!(one.log().origin, other.log().origin);
    }

    #[test]
    fn a_stop_between_name_and_key_keeps_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let first = at_start(directory.path()).unwrap();
        fs::remove_file(directory.path().join(KEY)).unwrap();
        assert_eq!(at_start(directory.path()).unwrap().log().origin, first.log().origin);
    }

    #[test]
    fn a_key_whose_name_is_lost_never_gets_another() {
        let directory = tempfile::tempdir().unwrap();
        at_start(directory.path()).unwrap();
        fs::remove_file(directory.path().join(ORIGIN)).unwrap();
        assert!(matches!(at_start(directory.path()), Err(LogKeyFault::OriginLost { .. })));
        assert!(!directory.path().join(ORIGIN).exists());
    }

    #[test]
    fn a_log_of_the_other_environment_is_never_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        at_start(directory.path()).unwrap();
        let fault = LogKey::load_or_create(directory.path(), Environment::Production, &party()).unwrap_err();
        assert!(matches!(fault, LogKeyFault::OtherEnvironment { .. }), "{fault}");
    }

    #[test]
    fn looking_at_a_log_makes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(LogKey::load_from(directory.path()), Err(LogKeyFault::OriginFile { .. })));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

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
