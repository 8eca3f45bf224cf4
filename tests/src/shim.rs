//! A program whose calls to the disk are counted: it can be killed just before any chosen one, so that every state it
//! can leave on the disk is seen, and not only those that luck finds.
//!
//! `tests/shim/durable_calls.c` says how; it is built with the C compiler that the workspace needs anyway.

use std::{
    fs,
    future::Future,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::{Path, PathBuf},
    process,
};

use tokio::{process::Command, task::JoinSet};

use crate::{at_once::at_once, lab::TestLab};

/// The shim, built.
#[derive(Clone)]
pub struct Shim {
    library: PathBuf,
}

/// Stories that run at the same time.
const AT_ONCE: u32 = 4;

/// Tells the story of a process that dies at call 1, of one that dies at call 2, and so on, until one lives on to its own
/// end and its story is nothing.
pub async fn at_every_call<S, F>(tell: impl Fn(u32) -> F) -> Vec<S>
where
    S: Send + 'static,
    F: Future<Output = Option<S>> + Send + 'static,
{
    let (mut running, mut stories, mut next, mut end) = (JoinSet::new(), Vec::new(), 1, u32::MAX);
    let mut begin = |running: &mut JoinSet<_>| {
        let (call, story) = (next, tell(next));
        running.spawn(async move { (call, story.await) });
        next += 1;
    };
    for _ in 0..AT_ONCE {
        begin(&mut running);
    }
    while let Some(ended) = running.join_next().await {
        match ended.unwrap() {
            (call, None) => end = end.min(call),
            (call, Some(story)) => stories.push((call, story)),
        }
        if end == u32::MAX {
            begin(&mut running);
        }
    }
    // Those beyond the end were begun before it was known.
    stories.retain(|(call, _)| *call < end);
    stories.sort_by_key(|(call, _)| *call);
    assert_eq!(stories.len(), end as usize - 1, "one story for each call");
    stories.into_iter().map(|(_, story)| story).collect()
}

/// As [`at_every_call`], at these calls alone. Those that were never made have no story.
pub async fn at_these_calls<S, F>(calls: Vec<u32>, tell: impl Fn(u32) -> F) -> Vec<S>
where
    S: Send + 'static,
    F: Future<Output = Option<S>> + Send + 'static,
{
    at_once(AT_ONCE as usize, calls, tell).await.into_iter().flatten().collect()
}

/// Of calls that were listed, the numbers of those to die at: of calls of one kind on one file that come one after the
/// other, the first, and with them another one by this seed.
pub fn differing(listed: &[String], seed: u64) -> Vec<u32> {
    let kind = |line: &&str| line.split_once(' ').unwrap().1.to_owned();
    let lines: Vec<&str> = listed.iter().map(String::as_str).collect();
    let number = |line: &str| line.split_once(' ').unwrap().0.parse::<u32>().unwrap();
    let mut numbers = Vec::new();
    for alike in lines.chunk_by(|one, next| kind(one) == kind(next)) {
        let (first, others) = alike.split_first().unwrap();
        numbers.push(number(first));
        let mut drawn = DefaultHasher::new();
        (seed, number(first)).hash(&mut drawn);
        numbers.extend(others.get(drawn.finish() as usize % others.len().max(1)).map(|line| number(line)));
    }
    numbers
}

/// What is to happen to one process.
pub struct Chosen {
    directory: PathBuf,
    library: PathBuf,
    fate: Fate,
}

enum Fate {
    DieAt(u32),
    Listed,
    Held,
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
        Chosen { directory: directory.to_owned(), library: self.library.clone(), fate: Fate::DieAt(call) }
    }

    /// For a process that lives, and whose changes of such files are all reported.
    pub fn list(&self, directory: &Path) -> Chosen {
        Chosen { directory: directory.to_owned(), library: self.library.clone(), fate: Fate::Listed }
    }

    /// For a process whose syncs can be held back.
    pub fn hold(&self, directory: &Path) -> Chosen {
        Chosen { directory: directory.to_owned(), library: self.library.clone(), fate: Fate::Held }
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
        match self.fate {
            Fate::DieAt(call) => command.env("SHIM_DIE_AT", call.to_string()),
            Fate::Listed => command.env("SHIM_LIST", "1"),
            Fate::Held => &mut command,
        };
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

    /// The call that was not made, if it came to that, or all that were: number, name and path, a line each.
    pub fn report(&self) -> Option<String> {
        let text = fs::read_to_string(self.file("shim-report")).unwrap_or_default();
        Some(text.trim_end().to_owned()).filter(|line| !line.is_empty())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}
