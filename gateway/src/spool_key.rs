//! The key that seals the spool: from a file, or from a credential of systemd. Nothing of it is ever shown.

use std::{
    env, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use config::gateway::Seal;
use durable::Access;
use pki::pem::{PemFault, open_private};
use storage::spool::{CipherFault, NotASpoolKey, SpoolKey};
use zeroize::Zeroizing;

/// Where systemd puts the credentials of a service.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Bytes of a key's file; a key has 85.
const FILE_BYTES_MAX: u64 = 1024;

/// Why the key of the spool cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SpoolKeyFault {
    /// The file cannot be opened, or others may read it.
    #[error("the key of the spool cannot be used")]
    File(#[from] PemFault),
    /// The file or credential cannot be read.
    #[error("cannot read {}; next: check that it is there and that this program's user may read it", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// This process was handed no credentials.
    #[error(
        "spool.credential is {name:?}, and this process was handed no credentials; next: put LoadCredential={name}:FILE into \
         the unit of systemd and start it by that, or name a file as spool.key"
    )]
    NoCredentials {
        /// The name in the settings.
        name: String,
    },
    /// Something else.
    #[error("{} holds no key of a spool; next: name the file that `sekisho-gateway spool new-key` made", .file.display())]
    NotAKey {
        /// Which.
        file: PathBuf,
        /// What was expected.
        #[source]
        source: NotASpoolKey,
    },
}

/// The key that the settings name; nothing where they switch sealing off.
pub fn load(seal: &Seal) -> Result<Option<SpoolKey>, SpoolKeyFault> {
    match seal {
        Seal::Off => Ok(None),
        Seal::File(file) => read(file, open_private(file)?).map(Some),
        Seal::Credential(name) => {
            let missing = || SpoolKeyFault::NoCredentials { name: name.clone() };
            let directory = env::var_os(CREDENTIALS).ok_or_else(missing)?;
            let file = Path::new(&directory).join(name);
            // The directory is for this service alone, whatever the files in it say.
            let opened = fs::File::open(&file);
            let opened = opened.map_err(|source| SpoolKeyFault::Unreadable { file: file.clone(), source })?;
            read(&file, opened).map(Some)
        }
    }
}

fn read(file: &Path, opened: fs::File) -> Result<SpoolKey, SpoolKeyFault> {
    // Of the right size at once: a buffer that grew would leave its beginnings in memory.
    let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize));
    let came = opened.take(FILE_BYTES_MAX).read_to_end(&mut text);
    came.map_err(|source| SpoolKeyFault::Unreadable { file: file.to_owned(), source })?;
    SpoolKey::from_text(&text).map_err(|source| SpoolKeyFault::NotAKey { file: file.to_owned(), source })
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum NewKeyFault {
    /// No randomness.
    #[error("no key could be made")]
    Cipher(#[from] CipherFault),
    /// The key just made is none.
    #[error("the key that was made is none")]
    NotAKey(#[from] NotASpoolKey),
    /// The file is there already: it may hold the only copy of a key.
    #[error("{} is there already and was left alone; next: name another file", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}", .file.display())]
    Write {
        /// Which file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Makes a key in a new file that only its owner may read; the key's name.
pub fn create(file: &Path) -> Result<String, NewKeyFault> {
    let text = SpoolKey::new_text()?;
    let name = SpoolKey::from_text(text.as_bytes())?.name();
    durable::create(file, text.as_bytes(), Access::Private).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => NewKeyFault::Exists(file.to_owned()),
        _ => NewKeyFault::Write { file: file.to_owned(), source },
    })?;
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_is_loaded_and_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("spool.key");
        let name = create(&file).unwrap();
        let loaded = load(&Seal::File(file.clone())).unwrap().unwrap();
        assert_eq!(loaded.name(), name);
        let again = create(&file).unwrap_err();
        assert!(matches!(again, NewKeyFault::Exists(_)), "{again}");
        assert_eq!(load(&Seal::File(file)).unwrap().unwrap().name(), name);
        assert!(load(&Seal::Off).unwrap().is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("spool.key");
        create(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let fault = load(&Seal::File(file)).err().unwrap();
        assert!(matches!(fault, SpoolKeyFault::File(PemFault::KeyOpenToOthers { .. })), "{fault}");
    }

    #[test]
    fn another_file_is_no_key_and_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("spool.key");
        durable::create(&file, b"sekisho-spool-key-1:0123", Access::Private).unwrap();
        let fault = load(&Seal::File(file)).err().unwrap();
        let shown = crate::chain::chain(&fault);
        assert!(shown.contains("holds no key of a spool") && !shown.contains("0123"), "{shown}");
    }

    #[test]
    fn without_credentials_of_systemd_the_setting_says_what_to_do() {
        let fault = load(&Seal::Credential("spool-key".to_owned())).err().unwrap();
        assert!(fault.to_string().contains("LoadCredential=spool-key:FILE"), "{fault}");
    }
}
