//! nginx of Debian. Its configuration is benches/peers/nginx.conf.

use std::path::Path;

use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

const PROGRAM: &str = "/usr/sbin/nginx";

/// Bytes of a body that it reads at once, as it comes.
pub const STOCK_BODY_BUFFER: &str = "16k";

/// Bytes of a body that it reads at once, when it was tuned for large bodies.
pub const TUNED_BODY_BUFFER: &str = "256k";

/// How it is started.
pub fn command(setup: &Setup<'_>, body_buffer: &str) -> anyhow::Result<Command> {
    let workers = if setup.purpose.pinned { "1" } else { "auto" };
    let values = [("WORKERS", workers), ("BODY_BUFFER", body_buffer)];
    let file = setup.write("nginx.conf", include_str!("../../peers/nginx.conf"), &values)?;
    let mut command = match setup.purpose.pinned {
        true => on_core(SERVER_CORE, Path::new(PROGRAM)),
        false => Command::new(PROGRAM),
    };
    command.arg("-p").arg(&setup.place).arg("-c").arg(file);
    Ok(command)
}
