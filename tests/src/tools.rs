//! Other people's tools that some tests need: without them a test is skipped with its reason, and fails with CI=true.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// The long form of a test is wanted.
pub fn full() -> bool {
    env::var("SEKISHO_FULL").is_ok_and(|value| value == "1")
}

/// Says why a test is not run. With CI=true that is a failure.
pub fn skip(why: &str) {
    assert!(env::var("CI").as_deref() != Ok("true"), "CI skips nothing: {why}");
    println!("skipped: {why}");
}

/// The Python that has the tools, if there is one.
pub fn python() -> Option<PathBuf> {
    env::var_os("SEKISHO_TOOLS_PYTHON").map(PathBuf::from).filter(|python| python.is_file())
}

/// Does this command run at all?
pub fn runs(command: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(command);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
