//! `sekisho-gateway`.

use std::process::ExitCode;

use clap::Parser as _;
use gateway::cli::{Command, execute};

fn main() -> ExitCode {
    execute(Command::parse())
}
