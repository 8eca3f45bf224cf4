//! Bytes of strangers against whatever reads them: each target of `fuzz/` for a while, from its seeds on.
//!
//! What was found worth keeping on the way stays in `target/fuzz/corpus` and speeds up the next run; a crash ends the run,
//! and the bytes that cause it stay in `target/fuzz/crashes`.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{
    tools,
    workspace::{Workspace, run as run_command, show},
};

/// A target, and where its seeds lie.
struct Target {
    name: &'static str,
    seeds: &'static str,
    /// Bytes of the longest input: not much over what the reader takes.
    longest: u32,
}

const TARGETS: &[Target] = &[
    Target { name: "certificate", seeds: "fuzz/seeds/certificate", longest: 8 * 1024 },
    Target { name: "crl", seeds: "fuzz/seeds/crl", longest: 8 * 1024 },
    Target { name: "configuration", seeds: "config/examples", longest: 8 * 1024 },
    Target { name: "manifest", seeds: "fuzz/seeds/manifest", longest: 16 * 1024 },
    Target { name: "http_head", seeds: "fuzz/seeds/http_head", longest: 4 * 1024 },
    Target { name: "claims", seeds: "fuzz/seeds/claims", longest: 8 * 1024 },
    Target { name: "proxy_header", seeds: "fuzz/seeds/proxy_header", longest: 600 },
];

/// Seconds after which one input counts as a hang: none of ours takes milliseconds.
const HANG_SECONDS: u32 = 10;

/// Megabytes over which memory counts as a leak: the sanitizer itself takes some hundred.
const MEMORY_MB_MAX: u32 = 2048;

/// Where the targets are declared, from the workspace's root.
pub const MANIFEST: &str = "fuzz/Cargo.toml";

/// Lets clippy look at the targets, with what the workspace has built anyway.
pub fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let mut clippy = workspace.cargo(&["clippy", "--manifest-path", MANIFEST, "--target-dir"]);
    // The fuzzer's own macro writes a file.
    clippy.arg(&workspace.target).args(["--", "-D", "warnings", "-A", "clippy::disallowed_methods"]);
    run_command(&mut clippy)
}

/// Runs the named targets, or all, each for so many seconds; says what was done.
pub fn run(workspace: &Workspace, seconds: u32, only: &[String]) -> anyhow::Result<String> {
    if let Some(unknown) = only.iter().find(|name| TARGETS.iter().all(|target| target.name != name.as_str()))
    {
        let known: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        bail!("there is no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let chosen = |target: &&Target| only.is_empty() || only.iter().any(|name| name == target.name);
    let mut done = Vec::new();
    for target in TARGETS.iter().filter(chosen) {
        let executions = run_one(workspace, target, seconds)?;
        println!("{}: {executions} inputs in {seconds} s, no crash", target.name);
        done.push(format!("{} {executions}", target.name));
    }
    Ok(format!("inputs: {}", done.join(", ")))
}

/// How many inputs were tried. What the fuzzer says is shown if it finds something.
fn run_one(workspace: &Workspace, target: &Target, seconds: u32) -> anyhow::Result<u64> {
    let home = workspace.target.join("fuzz");
    let directory = |kind: &str| -> anyhow::Result<PathBuf> {
        let directory = home.join(kind).join(target.name);
        fs::create_dir_all(&directory).with_context(|| format!("{} cannot be made", directory.display()))?;
        Ok(directory)
    };
    let (corpus, crashes) = (directory("corpus")?, directory("crashes")?);
    run_command(cargo_fuzz(workspace, "build")?.arg(target.name))?;
    let mut fuzzing = cargo_fuzz(workspace, "run")?;
    fuzzing.arg(target.name).arg(corpus).arg(workspace.root.join(target.seeds)).arg("--");
    fuzzing.args([
        format!("-max_total_time={seconds}"),
        format!("-max_len={}", target.longest),
        format!("-timeout={HANG_SECONDS}"),
        format!("-rss_limit_mb={MEMORY_MB_MAX}"),
        format!("-artifact_prefix={}/", crashes.display()),
        "-print_final_stats=1".to_owned(),
    ]);
    let shown = show(&fuzzing);
    eprintln!("$ {shown}");
    let output =
        fuzzing.stdin(Stdio::null()).output().with_context(|| format!("`{shown}` could not be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{said}\n`{shown}` ended with {}; the input is in {}", output.status, crashes.display());
    }
    let count = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .with_context(|| format!("{said}\nno word of how many inputs were tried"))
}

fn cargo_fuzz(workspace: &Workspace, command: &str) -> anyhow::Result<Command> {
    let Some(program) = tools::cargo_fuzz(workspace) else {
        bail!("cargo-fuzz is not there: `cargo xtask tools` installs it");
    };
    let mut fuzz = workspace.tool(&program);
    fuzz.arg(command).arg("--fuzz-dir").arg(workspace.root.join("fuzz"));
    fuzz.arg("--target-dir").arg(workspace.target.join("fuzz"));
    // The instrumentation is not stable in name, and has been so in fact for years.
    fuzz.env("RUSTC_BOOTSTRAP", "1");
    Ok(fuzz)
}
