//! The project's own chores: `cargo verify`, `cargo demo`, `cargo xtask …`. Only wiring; each chore is a file.

mod bench_peers;
mod borders;
mod demo;
mod deny;
mod docs;
mod fuzz;
mod tools;
mod verify;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own chores.")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run every check, go on after a failure, and end with a table. With CI=true a skipped check is a failure.
    Verify {
        /// The long tests and the benchmarks as well.
        #[arg(long)]
        full: bool,
        /// Only these steps, in their usual order.
        #[arg(value_name = "STEP")]
        only: Vec<String>,
    },
    /// Build the programs and run `sekisho-lab demo` with the arguments that follow.
    Demo {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure Sekisho beside other products; the arguments that follow are those of the program `peers` of `benches`.
    BenchPeers {
        /// Passed on as they are.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check which package may depend on what.
    Borders,
    /// Write the generated pages in docs/ anew.
    Docs,
    /// Give the readers of strangers' bytes what a fuzzer makes up, and fail on a crash.
    Fuzz {
        /// How long for each target.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Only these targets, in their usual order.
        #[arg(value_name = "TARGET")]
        only: Vec<String>,
    },
    /// Install what the checks need beyond Rust and a C compiler, or say how.
    Tools,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find()?;
    match arguments.chore {
        Chore::Verify { full, only } => verify::run(&workspace, full, &only),
        Chore::Demo { arguments } => demo::run(&workspace, &arguments),
        Chore::BenchPeers { arguments } => bench_peers::run(&workspace, &arguments),
        Chore::Borders => borders::check(&workspace).map(|()| ExitCode::SUCCESS),
        Chore::Docs => docs::write(&workspace).map(|()| ExitCode::SUCCESS),
        Chore::Fuzz { seconds, only } => fuzz::run(&workspace, seconds, &only).map(|_| ExitCode::SUCCESS),
        Chore::Tools => {
            let missing = tools::prepare(&workspace);
            missing.iter().for_each(|line| println!("{line}"));
            Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}
