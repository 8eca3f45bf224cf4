//! Builds the programs and hands over to `sekisho-lab demo`.

use std::process::{Command, ExitCode};

use anyhow::Context as _;

use crate::workspace::{Workspace, run as run_command};

/// The packages whose programs the demo runs.
const PACKAGES: [&str; 4] = ["gateway", "client", "certs-tool", "lab"];

/// `cargo demo`: the demo takes over this process, with its arguments.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let mut demo = built(workspace)?;
    demo.args(arguments);
    hand_over(demo)
}

/// The step of `cargo verify`: the demo as a child without anybody at the keyboard.
pub fn check(workspace: &Workspace) -> anyhow::Result<()> {
    run_command(built(workspace)?.stdin(std::process::Stdio::null()))
}

fn built(workspace: &Workspace) -> anyhow::Result<Command> {
    let mut build = workspace.cargo(&["build", "--quiet", "--bins"]);
    build.args(PACKAGES.iter().flat_map(|package| ["--package", package]));
    run_command(&mut build)?;
    let mut demo = Command::new(workspace.program("sekisho-lab"));
    demo.arg("demo").current_dir(&workspace.root);
    Ok(demo)
}

#[cfg(unix)]
fn hand_over(mut demo: Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    // On success this process has become the demo, so that an interrupt reaches it alone.
    Err(demo.exec()).context("sekisho-lab could not be started")
}

#[cfg(not(unix))]
fn hand_over(mut demo: Command) -> anyhow::Result<ExitCode> {
    let status = demo.status().context("sekisho-lab could not be started")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
