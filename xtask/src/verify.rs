//! `cargo verify`: every check there is, the same on a desk and in continuous integration.
//!
//! Each step runs whatever became of the one before, and the end is a table. A step may be skipped where something
//! it needs cannot be had; with CI=true that is a failure. The tests read:
//! - `SEKISHO_TOOLS_PYTHON`: a Python with the JOSE library;
//! - `SEKISHO_CHECK_DATA`: a directory with large test vectors and the advisory database; checks on it are left out
//!   without it;
//! - `SEKISHO_FULL=1`: run the long form of a test;
//! - `CI=true`: fail where a tool is missing, instead of skipping with a printed reason.

use std::{
    env,
    path::PathBuf,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::bail;

use crate::{
    bench_peers, borders, demo, deny, fuzz, tools,
    workspace::{Workspace, is_on_path, run as run_command},
};

/// Names the directory with check data that is too large for this repository.
pub const CHECK_DATA: &str = "SEKISHO_CHECK_DATA";

/// Seconds for each fuzz target in a full run: enough to see that what was found before does not come back.
const FUZZ_SECONDS: u32 = 60;

/// The directory with check data, if one is named.
pub fn check_data() -> Option<PathBuf> {
    env::var_os(CHECK_DATA).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// One check.
struct Step {
    name: &'static str,
    what: &'static str,
    only_in_full: bool,
    check: fn(&Workspace) -> anyhow::Result<Verdict>,
}

/// How a step that found nothing wrong ended.
enum Verdict {
    Passed,
    PassedWith(String),
    Skipped(String),
}

const STEPS: &[Step] = &[
    Step { name: "tools", what: "what the tests need is there", only_in_full: false, check: tools_step },
    Step { name: "format", what: "rustfmt would change nothing", only_in_full: false, check: format_step },
    Step {
        name: "borders",
        what: "every package uses only what it may",
        only_in_full: false,
        check: borders_step,
    },
    Step {
        name: "deny",
        what: "bans, licences, sources of dependencies",
        only_in_full: false,
        check: deny_step,
    },
    Step {
        name: "advisories",
        what: "known vulnerabilities of dependencies",
        only_in_full: false,
        check: advisories_step,
    },
    Step { name: "clippy", what: "no lint complains", only_in_full: false, check: clippy_step },
    Step { name: "build", what: "everything builds", only_in_full: false, check: build_step },
    Step {
        name: "fuzz-build",
        what: "no lint complains about the fuzz targets",
        only_in_full: false,
        check: fuzz_build_step,
    },
    Step { name: "test", what: "every test passes", only_in_full: false, check: test_step },
    Step {
        name: "docs",
        what: "the documentation of the code builds",
        only_in_full: false,
        check: docs_step,
    },
    Step { name: "demo", what: "the demo runs through", only_in_full: false, check: demo_step },
    Step { name: "long-tests", what: "the long tests pass too", only_in_full: true, check: long_tests_step },
    Step { name: "fuzz", what: "no made-up bytes make a reader panic", only_in_full: true, check: fuzz_step },
    Step { name: "benches", what: "the benchmarks run", only_in_full: true, check: benches_step },
];

/// How a step ended, for the table.
struct Line {
    name: &'static str,
    result: Outcome,
    took: Duration,
    note: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    Skipped,
    Failed,
}

/// Runs the steps named, or all of them.
pub fn run(workspace: &Workspace, full: bool, only: &[String]) -> anyhow::Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("there is no step {unknown}; there are {}", known.join(", "));
    }
    let named = |step: &&Step| match only.is_empty() {
        true => full || !step.only_in_full,
        false => only.iter().any(|name| name == step.name),
    };
    let skipping_fails = env::var("CI").is_ok_and(|value| value == "true");
    let begun = Instant::now();
    let lines: Vec<Line> =
        STEPS.iter().filter(named).map(|step| run_step(workspace, step, skipping_fails)).collect();
    println!("\n== summary");
    lines.iter().for_each(print_line);
    let count = |result| lines.iter().filter(|line| line.result == result).count();
    let (ok, skipped, failed) = (count(Outcome::Ok), count(Outcome::Skipped), count(Outcome::Failed));
    println!("{ok} ok, {skipped} skipped, {failed} failed in {:.0} s", begun.elapsed().as_secs_f64());
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_step(workspace: &Workspace, step: &Step, skipping_fails: bool) -> Line {
    println!("\n== {}: {}", step.name, step.what);
    let begun = Instant::now();
    let (result, note) = match (step.check)(workspace) {
        Ok(Verdict::Passed) => (Outcome::Ok, String::new()),
        Ok(Verdict::PassedWith(note)) => (Outcome::Ok, note),
        Ok(Verdict::Skipped(reason)) if skipping_fails => {
            (Outcome::Failed, format!("CI skips nothing: {reason}"))
        }
        Ok(Verdict::Skipped(reason)) => (Outcome::Skipped, reason),
        Err(error) => (Outcome::Failed, format!("{error:#}")),
    };
    let line = Line { name: step.name, result, took: begun.elapsed(), note };
    print_line(&line);
    line
}

fn print_line(line: &Line) {
    let result = match line.result {
        Outcome::Ok => "ok",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "FAILED",
    };
    // Further lines of a note stand below its first.
    let note = line.note.replace('\n', &format!("\n{:30}", ""));
    println!(
        "{}",
        format!("{:<11} {result:<8} {:>6.1} s  {note}", line.name, line.took.as_secs_f64()).trim_end()
    );
}

fn tools_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    let missing = tools::prepare(workspace);
    Ok(if missing.is_empty() { Verdict::Passed } else { Verdict::Skipped(missing.join("\n")) })
}

fn format_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    run_command(&mut workspace.cargo(&["fmt", "--all", "--check"]))?;
    passes(&mut workspace.cargo(&["fmt", "--manifest-path", fuzz::MANIFEST, "--check"]))
}

fn borders_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    borders::check(workspace).map(|()| Verdict::Passed)
}

fn deny_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    match tools::cargo_deny(workspace) {
        Some(_) => deny::check_tree(workspace).map(|()| Verdict::Passed),
        None => Ok(Verdict::Skipped("cargo-deny is missing".to_owned())),
    }
}

fn advisories_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    match tools::cargo_deny(workspace) {
        Some(_) => deny::check_advisories(workspace).map(Verdict::PassedWith),
        None => Ok(Verdict::Skipped("cargo-deny is missing".to_owned())),
    }
}

fn clippy_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    passes(&mut workspace.cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn build_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    passes(&mut workspace.cargo(&["build", "--workspace", "--all-targets"]))
}

fn test_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    passes(with_tools(workspace, &mut workspace.cargo(&["test", "--workspace", "--no-fail-fast"])))
}

fn docs_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    passes(workspace.cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn demo_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    demo::check(workspace).map(|()| Verdict::Passed)
}

fn long_tests_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    // Without the examples in the documentation: those marked `ignore` are no tests.
    let mut tests = workspace.cargo(&["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    tests.args(["--", "--include-ignored"]).env("SEKISHO_FULL", "1");
    passes(with_tools(workspace, &mut tests))
}

fn fuzz_build_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    // The one thing among these checks that is written in C++.
    if !is_on_path("c++") {
        return Ok(Verdict::Skipped("c++ is missing".to_owned()));
    }
    fuzz::check(workspace).map(|()| Verdict::Passed)
}

fn fuzz_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    match tools::cargo_fuzz(workspace) {
        Some(_) => fuzz::run(workspace, FUZZ_SECONDS, &[]).map(Verdict::PassedWith),
        None => Ok(Verdict::Skipped("cargo-fuzz is missing".to_owned())),
    }
}

/// Every program of the package `benches`, as it would be measured; not those that need servers of others, which are
/// `cargo bench-peers`.
fn benches_step(workspace: &Workspace) -> anyhow::Result<Verdict> {
    let programs: Vec<&String> = workspace
        .packages
        .iter()
        .filter(|package| package.name == "benches")
        .flat_map(|package| &package.programs)
        .filter(|program| !bench_peers::PROGRAMS.contains(&program.as_str()))
        .collect();
    // Benchmarks start the programs beside their own.
    run_command(&mut workspace.cargo(&["build", "--release", "--workspace", "--bins"]))?;
    for program in &programs {
        run_command(&mut workspace.cargo(&["run", "--release", "--package", "benches", "--bin", program]))?;
    }
    Ok(Verdict::PassedWith(format!("{} benchmarks", programs.len())))
}

fn with_tools<'c>(workspace: &Workspace, command: &'c mut Command) -> &'c mut Command {
    if let Some(python) = tools::python(workspace) {
        command.env("SEKISHO_TOOLS_PYTHON", python);
    }
    command
}

fn passes(command: &mut Command) -> anyhow::Result<Verdict> {
    run_command(command).map(|()| Verdict::Passed)
}
