//! stunnel of Debian. Its configuration is benches/peers/stunnel.conf.

use std::path::Path;

use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

const PROGRAM: &str = "/usr/bin/stunnel4";

/// How it is started.
pub fn command(setup: &Setup<'_>) -> anyhow::Result<Command> {
    let file = setup.write("stunnel.conf", include_str!("../../peers/stunnel.conf"), &[])?;
    let mut command = on_core(SERVER_CORE, Path::new(PROGRAM));
    command.arg(file);
    Ok(command)
}
