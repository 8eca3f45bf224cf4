//! The suite, run on a directory, and what is true of that alone.

mod broken;
mod sealed;
mod segments;
mod stamps;

use std::path::PathBuf;

use protocol::party::Environment;

use super::{
    disk::{Disk, RealDisk},
    *,
};
use crate::buffers::Buffers;
use crate::conformance::{SpoolBench, samples};

struct Bench {
    directory: tempfile::TempDir,
    /// The text of the key; none: nothing is sealed.
    key: Option<String>,
    /// Bytes up to which content is small; none: all has a file of its own.
    small_max: Option<u64>,
}

impl Bench {
    /// Of a spool that seals, with a file for each content.
    fn new() -> Self {
        let key = SpoolKey::new_text().unwrap().to_string();
        Bench { key: Some(key), ..Bench::plain() }
    }

    /// Of one that does not.
    fn plain() -> Self {
        Bench { directory: tempfile::tempdir().unwrap(), key: None, small_max: None }
    }

    /// With small content in segments, as it is kept outside of tests.
    fn with_segments(self) -> Self {
        Bench { small_max: Some(SMALL_CONTENT_MAX), ..self }
    }

    fn key(&self) -> Option<SpoolKey> {
        self.key.as_ref().map(|text| SpoolKey::from_text(text.as_bytes()).unwrap())
    }

    /// Contents that have a file of their own.
    fn files(&self) -> usize {
        let count = |name| std::fs::read_dir(self.root().join(name)).unwrap().count();
        count("partial") + count("done")
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    fn open_on(&self, environment: Environment, disk: Box<dyn Disk>) -> Result<FileSpool, SpoolFault> {
        FileSpool::on(&self.root(), environment, self.key(), Buffers::default(), disk, self.small_max)
    }

    fn try_open(&self, environment: Environment) -> Result<FileSpool, SpoolFault> {
        loop {
            match self.open_on(environment, Box::new(RealDisk)) {
                // A test beside this one is just starting a process, which holds all our locks until it is started.
                Err(SpoolFault::InUse(_)) => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }
}

impl SpoolBench for Bench {
    type Store = FileSpool;

    fn open(&self) -> FileSpool {
        self.try_open(Environment::Test).unwrap()
    }

    fn contents(&self, spool: &FileSpool) -> usize {
        self.files() + spool.inner.segments.count()
    }
}

fn nth(n: u64) -> TransferKey {
    samples::key(&samples::sender(n), n)
}

const PIECE: usize = protocol::limits::PIECE_BYTES as usize;

/// Begins, writes and finishes.
fn finish(spool: &FileSpool, key: &TransferKey, bytes: &[u8]) {
    let mut writer = spool.begin(key, 1, 0, bytes.len() as u64).unwrap();
    writer.write(bytes).unwrap();
    writer.finish().unwrap();
}

mod sealing {
    use super::Bench;

    crate::spool_claims!(Bench::new());
}

mod plain {
    use super::Bench;

    crate::spool_claims!(Bench::plain());
}

mod sealing_in_segments {
    use super::Bench;

    crate::spool_claims!(Bench::new().with_segments());
}

mod plain_in_segments {
    use super::Bench;

    crate::spool_claims!(Bench::plain().with_segments());
}
