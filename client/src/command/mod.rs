//! The `sekisho` command: what a person types, what they see, and what a script gets.

// These macros panic when the reader has left: `print` is the only place that prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod cancel;
mod exit;
mod log_accept;
mod log_verify;
mod print;
mod report;
mod screen;
mod send;
mod settings;
mod signals;
mod status;
mod verify;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser as _;

use args::{Arguments, Command, LogCommand};
use exit::Exit;
use print::to_stderr;
use report::Output;

/// Runs the command line to its exit code.
pub fn run(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no mistakes; if even this cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    log_to_stderr();
    let output = &Output::new(arguments.json);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            to_stderr(&format!("sekisho: this machine does not let the program start its threads: {error}"));
            return Exit::Other.into();
        }
    };
    let done = match arguments.command {
        Command::Send(send) => runtime.block_on(send::run(&arguments.settings, &send, output)),
        Command::Status(status) => runtime.block_on(status::run(&arguments.settings, &status, output)),
        Command::Verify(verify) => verify::run(&verify, output),
        Command::Cancel(cancel) => runtime.block_on(cancel::run(&arguments.settings, &cancel, output)),
        Command::Log(LogCommand::Verify) => log_verify::run(&arguments.settings, output),
        Command::Log(LogCommand::AcceptNew(accept)) => log_accept::run(&arguments.settings, &accept, output),
    };
    output.end(done).into()
}

/// The program's own log: only what the operator of this machine should look into, unless RUST_LOG asks for more.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off"));
    // A second call, as in tests, leaves the first one's choice in force.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would panic on a closed standard error.
        .log_internal_errors(false)
        .try_init();
}
