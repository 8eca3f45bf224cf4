//! `sekisho-certs`: the command line, wired to the library.

use std::{io::Write as _, process::ExitCode};

use certs_tool::{cli::Cli, commands};
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match commands::run(&cli, pki::platform::now()) {
        Ok(report) => {
            let text = if cli.json { format!("{}\n", report.json) } else { report.text };
            // A reader that went away has had enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("{}", commands::describe(&fault, cli.json));
            ExitCode::from(fault.exit_code())
        }
    }
}
