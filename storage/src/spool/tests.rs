//! The suite, run on a directory, and what is true of that alone.

use protocol::party::Environment;

use super::*;
use crate::conformance::SpoolBench;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Bench(tempfile::tempdir().unwrap())
    }

    fn root(&self) -> std::path::PathBuf {
        self.0.path().join("spool")
    }
}

impl SpoolBench for Bench {
    type Store = FileSpool;

    fn open(&self) -> FileSpool {
        FileSpool::open(&self.root(), Environment::Test).unwrap()
    }

    fn contents(&self) -> usize {
        let count = |name| std::fs::read_dir(self.root().join(name)).unwrap().count();
        count("partial") + count("done")
    }
}

crate::spool_claims!(Bench::new());
