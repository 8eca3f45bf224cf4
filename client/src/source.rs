//! The file to be sent: examined once from end to end, and watched for change ever after.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use protocol::{
    claims::{self, ClaimsCheck, Summary},
    digest::{Hasher, Sha256},
    statement::is_plain_file_name,
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::limits::BLOCK_BYTES;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970 of the last change of its content.
    pub modified: u64,
    /// The file's number in its file system; 0 where there is none.
    pub inode: u64,
    /// The file system's number; 0 where there is none.
    pub device: u64,
}

impl Fingerprint {
    /// Of an opened file, or of whatever stands under a name now.
    pub fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified = modified.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        let (inode, device) = inode_and_device(metadata);
        Fingerprint { size: metadata.len(), modified, inode, device }
    }
}

#[cfg(unix)]
fn inode_and_device(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.ino(), metadata.dev())
}

/// Elsewhere size and time have to do.
#[cfg(not(unix))]
fn inode_and_device(_metadata: &Metadata) -> (u64, u64) {
    (0, 0)
}

/// A file that is a complete claims file, and stayed the same while it was read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Examined {
    /// Where it stands, without links.
    pub path: PathBuf,
    /// Its own name.
    pub file_name: String,
    /// What it must still be when it is sent.
    pub fingerprint: Fingerprint,
    /// Of its content.
    pub sha256: Sha256,
    /// What it says about itself.
    pub summary: Summary,
}

/// Why a file cannot be sent as it is.
#[derive(Debug, thiserror::Error)]
pub enum SourceFault {
    /// The file cannot be opened or read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A directory, a device, a pipe.
    #[error("{} is not a file", .path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// Its name cannot stand in a manifest.
    #[error("the name of {} is not a plain file name in UTF-8", .path.display())]
    Name {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody wrote to it while it was read.
    #[error("{} changed while it was read", .path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// It is not a whole claims file.
    #[error("{} is not a complete claims file: {fault}", .path.display())]
    Incomplete {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        fault: claims::Fault,
    },
    /// It was called off.
    #[error("stopped while reading the file")]
    Stopped,
}

/// Reads the file from end to end: digest, claims check, fingerprint. Blocks; `done` is told how far it is.
pub fn examine(
    path: &Path,
    stop: &CancellationToken,
    mut done: impl FnMut(u64, u64),
) -> Result<Examined, SourceFault> {
    let unreadable = |source| SourceFault::Unreadable { path: path.to_owned(), source };
    let canonical = path.canonicalize().map_err(unreadable)?;
    let file_name = plain_name(path)?;
    let mut file = open(&canonical)?;
    let fingerprint = Fingerprint::of(&file.metadata().map_err(unreadable)?);
    let (mut hasher, mut check) = (Hasher::new(), ClaimsCheck::new());
    let mut block = vec![0; BLOCK_BYTES];
    let mut total = 0;
    loop {
        if stop.is_cancelled() {
            return Err(SourceFault::Stopped);
        }
        let read = file.read(&mut block).map_err(unreadable)?;
        let bytes = block.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        total += bytes.len() as u64;
        if total > fingerprint.size {
            // Somebody appends to it; following would perhaps never end.
            return Err(SourceFault::Changed { path: path.to_owned() });
        }
        hasher.update(bytes);
        check.update(bytes);
        done(total, fingerprint.size);
    }
    if total != fingerprint.size || !is_unchanged(&file, &canonical, &fingerprint) {
        return Err(SourceFault::Changed { path: path.to_owned() });
    }
    let summary = check.finish().map_err(|fault| SourceFault::Incomplete { path: path.to_owned(), fault })?;
    Ok(Examined { path: canonical, file_name, fingerprint, sha256: hasher.finish(), summary })
}

/// Opens a regular file for reading. The kind is looked at before and after, since opening a pipe would wait.
pub(crate) fn open(path: &Path) -> Result<File, SourceFault> {
    let unreadable = |source| SourceFault::Unreadable { path: path.to_owned(), source };
    let is_file = |metadata: &Metadata| {
        if metadata.is_file() { Ok(()) } else { Err(SourceFault::NotAFile { path: path.to_owned() }) }
    };
    is_file(&path.metadata().map_err(unreadable)?)?;
    let file = File::open(path).map_err(unreadable)?;
    is_file(&file.metadata().map_err(unreadable)?)?;
    Ok(file)
}

/// Is the opened file, and whatever stands under its name now, still the one of this fingerprint?
pub(crate) fn is_unchanged(file: &File, path: &Path, fingerprint: &Fingerprint) -> bool {
    let same = |metadata: io::Result<Metadata>| metadata.is_ok_and(|m| Fingerprint::of(&m) == *fingerprint);
    same(file.metadata()) && same(path.metadata())
}

/// The name as given, so that a link called RECEIPTC.UKE is sent as that.
fn plain_name(path: &Path) -> Result<String, SourceFault> {
    let name = path.file_name().and_then(|name| name.to_str()).filter(|name| is_plain_file_name(name));
    name.map(str::to_owned).ok_or_else(|| SourceFault::Name { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::claims_file;

    fn examine_quietly(path: &Path) -> Result<Examined, SourceFault> {
        examine(path, &CancellationToken::new(), |_, _| ())
    }

    #[test]
    fn a_complete_claims_file_is_described_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("RECEIPTC.UKE");
        let content = claims_file(3);
        fs::write(&path, &content).unwrap();
        let examined = examine_quietly(&path).unwrap();
        assert_eq!((examined.sha256, examined.summary.claims), (Sha256::of(&content), 3));
        assert_eq!(examined.fingerprint.size, content.len() as u64);
    }

    #[test]
    fn a_claims_file_without_its_end_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("RECEIPTC.UKE");
        let mut content = claims_file(3);
        content.pop();
        fs::write(&path, &content).unwrap();
        let fault = examine_quietly(&path).unwrap_err();
        assert!(matches!(fault, SourceFault::Incomplete { fault: claims::Fault::NoEndMark, .. }), "{fault}");
    }

    #[test]
    fn a_directory_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let fault = examine_quietly(directory.path()).unwrap_err();
        assert!(matches!(fault, SourceFault::NotAFile { .. }), "{fault}");
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("RECEIPTC.UKE");
        fs::write(&path, claims_file(3)).unwrap();
        let append = || {
            use io::Write as _;
            fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
        };
        let fault = examine(&path, &CancellationToken::new(), |_, _| append()).unwrap_err();
        assert!(matches!(fault, SourceFault::Changed { .. }), "{fault}");
    }

    #[test]
    fn a_file_that_is_replaced_while_it_is_read_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("RECEIPTC.UKE"), directory.path().join("other"));
        fs::write(&path, claims_file(3)).unwrap();
        fs::write(&other, claims_file(3)).unwrap();
        let replace = || fs::rename(&other, &path).unwrap();
        let fault = examine(&path, &CancellationToken::new(), |_, _| replace()).unwrap_err();
        assert!(matches!(fault, SourceFault::Changed { .. }), "{fault}");
    }

    #[test]
    fn a_file_replaced_by_one_of_the_same_size_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&path, b"one").unwrap();
        fs::write(&other, b"two").unwrap();
        let file = open(&path).unwrap();
        let fingerprint = Fingerprint::of(&file.metadata().unwrap());
        assert!(is_unchanged(&file, &path, &fingerprint));
        fs::rename(&other, &path).unwrap();
        assert!(!is_unchanged(&file, &path, &fingerprint));
    }
}
