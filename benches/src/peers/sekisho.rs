//! Ours. This is the only place that writes its configuration: the lab's example, with limits that do not stand in the way of a
//! load that comes from one machine and sends a year's files in a minute.

use anyhow::ensure;
use lab::site::CentreSite;
use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

/// The program.
pub const PROGRAM: &str = "sekisho-gateway";

/// A site for it, under this name.
pub fn site(setup: &Setup<'_>, name: &str) -> anyhow::Result<CentreSite> {
    let address = format!("\"{}\"", setup.address);
    let mut changes = vec![
        ("listen.address", address.as_str()),
        ("limits.connections_max", "8000"),
        ("limits.connections_per_identity_max", "8000"),
        ("limits.requests_per_identity_per_second_max", "1000000"),
        ("limits.transfers_per_sender_per_day_max", "1000000"),
        ("limits.bytes_per_sender_per_day_max", "\"10TiB\""),
        // A busy machine is no dead line.
        ("link.detect_max", "\"30s\""),
        ("link.stall_max", "\"120s\""),
        ("link.header_max", "\"120s\""),
        ("link.receipt_wait", "\"60s\""),
        ("reload.watch", "false"),
    ];
    let backend = format!("\"{}\"", setup.purpose.backend);
    if setup.purpose.streams {
        changes.extend(streamed_routes(&backend));
    }
    setup.kit.centre(&format!("{name}-sekisho"), &changes)
}

/// Two routes to this backend: of one everything is handed on, of the other only claims files.
fn streamed_routes(backend: &str) -> [(&'static str, &str); 9] {
    [
        ("route.stream.path", "\"/stream/any/\""),
        ("route.stream.backend", backend),
        ("route.stream.right", "\"claims:send\""),
        ("route.stream.body_bytes_max", "\"2GiB\""),
        ("route.claims.path", "\"/stream/claims/\""),
        ("route.claims.backend", backend),
        ("route.claims.right", "\"claims:send\""),
        ("route.claims.claims", "\"dpc\""),
        ("route.claims.body_bytes_max", "\"2GiB\""),
    ]
}

/// Tells a running one what its operator could; what it says to that.
pub async fn tell(site: &CentreSite, what: Order) -> anyhow::Result<String> {
    let mut command = Command::new(lab::program::beside_own(PROGRAM)?);
    command.arg(what.command()).arg("--config").arg(&site.config);
    let done = command.output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}

/// What it can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// What was received stays in the spool.
    Hold,
    /// It goes on into the inbox.
    Release,
    /// Certificates and lists are read anew, and nothing that was judged before counts any more.
    Reload,
}

impl Order {
    const fn command(self) -> &'static str {
        match self {
            Order::Hold => "hold",
            Order::Release => "release",
            Order::Reload => "reload",
        }
    }
}

/// How it is started: pinned, it makes itself one worker, as many as it has cores.
pub fn command(setup: &Setup<'_>, site: &CentreSite) -> anyhow::Result<Command> {
    let program = lab::program::beside_own(PROGRAM)?;
    let mut command = match setup.purpose.pinned {
        true => on_core(SERVER_CORE, &program),
        false => Command::new(program),
    };
    command.arg("run").arg("--config").arg(&site.config);
    Ok(command)
}
