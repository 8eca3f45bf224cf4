//! The suite, run on a directory, and what is true of that alone.

mod broken;
mod stamps;

use std::path::PathBuf;

use protocol::party::Environment;

use super::*;
use crate::conformance::{SpoolBench, samples};

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Bench(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    fn try_open(&self, environment: Environment) -> Result<FileSpool, SpoolFault> {
        loop {
            match FileSpool::open(&self.root(), environment) {
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

    fn contents(&self) -> usize {
        let count = |name| std::fs::read_dir(self.root().join(name)).unwrap().count();
        count("partial") + count("done")
    }
}

fn nth(n: u64) -> TransferKey {
    samples::key(&samples::sender(n), n)
}

/// Begins, writes and finishes.
fn finish(spool: &FileSpool, key: &TransferKey, bytes: &[u8]) {
    let mut writer = spool.begin(key, 1, 0, bytes.len() as u64).unwrap();
    writer.write(bytes).unwrap();
    writer.finish().unwrap();
}

crate::spool_claims!(Bench::new());
