//! The `sekisho` command: only wiring.

use std::process::ExitCode;

fn main() -> ExitCode {
    client::command::run(std::env::args_os())
}
