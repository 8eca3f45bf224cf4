//! A program whose calls to the disk are counted: it can be killed just before any chosen one, so that every state it
//! can leave on the disk is seen, and not only those that luck finds.
//!
//! `tests/shim/durable_calls.c` says how; it is built with the C compiler that the workspace needs anyway.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
};

use tokio::process::Command;

use crate::lab::TestLab;

/// The shim, built.
#[derive(Clone)]
pub struct Shim {
    library: PathBuf,
}

/// What is to happen to one process.
pub struct Chosen {
    directory: PathBuf,
    library: PathBuf,
    die_at: Option<u32>,
}

impl Shim {
    /// Builds it.
    pub fn build(lab: &TestLab) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim/durable_calls.c");
        let library = lab.path().join("durable_calls.so");
        let mut compiler = process::Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(compiler.status().expect("there is a C compiler").success());
        Shim { library }
    }

    /// For a process that keeps its files below this directory: killed just before its `call`th change of them, counted
    /// from [`Chosen::arm`] on.
    pub fn die_at(&self, directory: &Path, call: u32) -> Chosen {
        Chosen { directory: directory.to_owned(), library: self.library.clone(), die_at: Some(call) }
    }

    /// For a process whose syncs can be held back.
    pub fn hold(&self, directory: &Path) -> Chosen {
        Chosen { directory: directory.to_owned(), library: self.library.clone(), die_at: None }
    }
}

impl Chosen {
    /// The program, with the shim before it.
    pub fn command(&self, program: &Path) -> Command {
        self.apply(Command::new(program))
    }

    /// Whatever this runs, with the shim before it.
    pub fn apply(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library);
        command.env("SHIM_BELOW", &self.directory);
        command.env("SHIM_ARMED", self.file("shim-armed"));
        command.env("SHIM_REPORT", self.file("shim-report"));
        command.env("SHIM_HOLD", self.file("shim-hold"));
        if let Some(call) = self.die_at {
            command.env("SHIM_DIE_AT", call.to_string());
        }
        command
    }

    /// From now on calls count.
    pub fn arm(&self) {
        fs::File::options().write(true).create(true).truncate(true).open(self.file("shim-armed")).unwrap();
    }

    /// From now on no sync returns.
    pub fn hold_syncs(&self) {
        fs::File::options().write(true).create(true).truncate(true).open(self.file("shim-hold")).unwrap();
    }

    /// Lets them return.
    pub fn release_syncs(&self) {
        fs::remove_file(self.file("shim-hold")).unwrap();
    }

    /// The call that was not made, if it came to that: its name and path.
    pub fn report(&self) -> Option<String> {
        fs::read_to_string(self.file("shim-report")).ok().map(|line| line.trim_end().to_owned())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
