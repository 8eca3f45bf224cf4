//! `sekisho-lab`: only wiring.

use std::process::ExitCode;

use clap::Parser as _;
use lab::command::{Command, execute};

fn main() -> ExitCode {
    execute(Command::parse())
}
