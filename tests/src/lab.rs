//! A lab of one test: its own directory, its own authority, its own centres and senders.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use lab::{
    generate::synthetic_institution,
    site::{Changes, SenderSite, Sites},
};
use protocol::{
    kind::Kind,
    party::{Party, Role},
};

use crate::centre::Centre;

/// A lab. Its directory goes with it, unless the test fails: then it stays, and its place is printed.
pub struct TestLab {
    directory: Option<tempfile::TempDir>,
    /// Its authority, and where its sites are made.
    pub sites: Sites,
}

impl TestLab {
    /// A new one.
    #[expect(clippy::new_without_default, reason = "it makes files")]
    pub fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("sekisho-test-").tempdir().unwrap();
        let sites = Sites::create(directory.path()).unwrap();
        TestLab { directory: Some(directory), sites }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.as_ref().unwrap().path()
    }

    /// A centre, listening.
    pub async fn centre(&self, changes: Changes<'_>) -> Centre {
        Centre::start(self.sites.centre("centre", changes).unwrap()).await
    }

    /// A sender's directory, for a centre or a proxy at this address.
    pub fn sender(&self, name: &str, party: &Party, centre: SocketAddr, changes: Changes<'_>) -> SenderSite {
        self.sites.sender(name, party, centre, changes).unwrap()
    }

    /// A file with these bytes.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        std::io::Write::write_all(&mut file.unwrap(), bytes).unwrap();
        path
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(directory) = self.directory.take()
        {
            eprintln!("the lab of the failed test stays in {}", directory.keep().display());
        }
    }
}

/// An institution in 東京 that claims with this kind; another for each number.
pub fn institution(kind: Kind, number: u32) -> Party {
    Party::new(Role::Institution, synthetic_institution(13, kind.table(), number)).unwrap()
}

/// The party of every lab's centre.
pub fn agency() -> Party {
    "review-agency:113".parse().unwrap()
}
