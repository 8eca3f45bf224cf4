//! Revocation lists as they were last fetched, one file for each address. Only what was verified is written, and whoever
//! reads it verifies it again: a damaged file is as good as none.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use durable::Access;
use protocol::digest::Sha256;

/// The directory below a program's own data directory.
const DIRECTORY: &str = "crls";

/// The fetched lists of one program.
#[derive(Clone, Debug)]
pub struct CrlCache {
    directory: PathBuf,
}

impl CrlCache {
    /// Below this data directory.
    pub fn below(data: &Path) -> Self {
        CrlCache { directory: data.join(DIRECTORY) }
    }

    /// Where the list of this address is kept, whether it is there or not. The name is a digest: no part of an address
    /// becomes part of a path.
    pub fn file(&self, url: &str) -> PathBuf {
        self.directory.join(format!("{}.crl", Sha256::of(url.as_bytes())))
    }

    /// Keeps what was fetched and verified, in place of what was there.
    pub fn keep(&self, url: &str, bytes: &[u8]) -> io::Result<()> {
        durable::create_directory(&self.directory, Access::Private)?;
        durable::replace(&self.file(url), bytes, Access::Private)
    }

    /// When the list of this address was last fetched; none if it is not there.
    pub fn fetched_at(&self, url: &str) -> Option<SystemTime> {
        fs::metadata(self.file(url)).and_then(|facts| facts.modified()).ok()
    }
}
