//! Logging, to standard error: for people or as one JSON object on each line. Fields, not prose; never any content.

use std::io::IsTerminal as _;

use config::gateway::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Begins to log. Called once, by the program.
pub fn begin(log: &Log) {
    // The libraries below speak of statements and records, which help nobody who runs a gateway.
    let level = log.level.name();
    let filter = EnvFilter::new(format!("warn,gateway={level},pki={level},storage={level}"));
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    // A second call, from a test in the same process, keeps the first.
    let _ = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Human => builder.with_target(false).try_init(),
    };
}
