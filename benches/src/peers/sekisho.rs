//! Ours. This is the only place that writes its configuration: the lab's example, with limits that do not stand in the way of a
//! load that comes from one machine and sends a year's files in a minute.

use lab::site::CentreSite;
use tokio::process::Command;

use super::{
    kit::Kit,
    product::{SERVER_CORE, Setup},
};
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
        changes.extend(streamed_route(&backend));
    }
    setup.kit.centre(&format!("{name}-sekisho"), &changes)
}

/// The route of which everything is handed on to this backend.
fn streamed_route(backend: &str) -> [(&'static str, &str); 4] {
    [
        ("route.stream.path", "\"/stream/\""),
        ("route.stream.backend", backend),
        ("route.stream.right", "\"claims:send\""),
        ("route.stream.body_bytes_max", "\"2GiB\""),
    ]
}

/// Does this tree's gateway know streamed routes? It is asked, by letting it check a configuration that has one.
pub async fn can_stream(kit: &Kit) -> anyhow::Result<bool> {
    let site = kit.centre("can-it-stream", &streamed_route("\"127.0.0.1:1\""))?;
    let mut check = Command::new(lab::program::beside_own(PROGRAM)?);
    Ok(check.arg("check").arg("--config").arg(&site.config).output().await?.status.success())
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
