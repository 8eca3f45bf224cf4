//! `cargo bench-peers`: the servers of others and our own programs are there, then the package `benches` measures them.

use std::process::ExitCode;

use anyhow::bail;

use crate::{
    tools,
    workspace::{Workspace, run as run_command},
};

/// The program that measures; it takes the arguments of the chore.
const PROGRAM: &str = "peers";

/// Programs that are of use to this chore alone.
pub const PROGRAMS: [&str; 2] = [PROGRAM, "relay"];

/// Prepares, and measures.
pub fn run(workspace: &Workspace, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let missing = tools::prepare_peers(workspace);
    if !missing.is_empty() {
        bail!("{}", missing.join("\n"));
    }
    run_command(&mut workspace.cargo(&["build", "--release", "--workspace", "--bins"]))?;
    let mut peers = workspace.cargo(&["run", "--release", "--package", "benches", "--bin", PROGRAM, "--"]);
    if let Some(envoy) = tools::envoy(workspace) {
        peers.env("SEKISHO_ENVOY", envoy);
    }
    run_command(peers.args(arguments)).map(|()| ExitCode::SUCCESS)
}
