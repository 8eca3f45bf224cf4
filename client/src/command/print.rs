//! The only place that prints.
//!
//! Whoever reads may leave early: `sekisho status | head -1`. That ends nothing and changes no exit code: what was asked
//! for is done to its end, and only the printing stops. Standard output that fails otherwise, as on a full disk, is a
//! failure of this machine: a program would take a torn object for the whole one.

use std::{
    io::{self, Write as _},
    sync::{Mutex, PoisonError},
};

/// Standard output, and why it takes nothing any more.
#[derive(Default)]
pub(super) struct Stdout(Mutex<Option<io::Error>>);

impl Stdout {
    /// Prints a line.
    pub fn line(&self, line: &str) {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() {
            let mut stdout = io::stdout().lock();
            *failed = writeln!(stdout, "{line}").and_then(|()| stdout.flush()).err();
        }
    }

    /// Why something could not be printed, unless the reader had left.
    pub fn failure(&self) -> Option<io::Error> {
        let failed = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }
}

/// Prints a line to standard error. If even that fails there is nobody to tell.
pub(super) fn to_stderr(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
