//! The `sekisho-lab` command: what can be asked of it, and how it ends.

mod generate;
mod proxy;
mod size;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub(crate) use generate::this_month;

use crate::demo;

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `demo`: everything it set out to prove held
  1  it failed, or something did not hold
  2  wrong use";

/// A lab on one machine, for trying things out: nothing it makes is real, and nothing real belongs into it.
#[derive(Parser)]
#[command(name = "sekisho-lab", version, after_help = EXIT_CODES)]
pub struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Send three claims files (レセプト) to a centre on this machine, one of them over a line that stalls on its way,
    /// and verify everything that both sides keep.
    Demo {
        /// Keep everything in this directory, which must be empty or not exist yet.
        #[arg(long, value_name = "DIR")]
        keep: Option<PathBuf>,
        /// Print one JSON object instead of an account for people.
        #[arg(long)]
        json: bool,
    },
    /// Write a synthetic claims file: true to the format, of any size, and nobody's.
    Generate(generate::Generate),
    /// Carry TCP connections to another place and break them on purpose.
    Proxy(proxy::Proxy),
}

/// Does what the command line asks for.
pub fn execute(command: Command) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("sekisho-lab: no runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let result = match command.task {
        Task::Demo { keep, json } => runtime.block_on(demo::run(keep, json)),
        Task::Generate(generate) => generate.run(),
        Task::Proxy(proxy) => runtime.block_on(proxy.run()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sekisho-lab: {error:#}");
            ExitCode::from(1)
        }
    }
}
