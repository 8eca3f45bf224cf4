//! No product: a bare relay, without TLS and HTTP, which is what handing bytes on costs at the least.

use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

/// How it is started.
pub fn command(setup: &Setup<'_>) -> anyhow::Result<Command> {
    let mut command = on_core(SERVER_CORE, &lab::program::beside_own("relay")?);
    command.arg(setup.address.to_string()).arg(setup.purpose.backend.to_string());
    Ok(command)
}
