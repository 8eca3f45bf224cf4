//! HAProxy of Debian. Its configuration is benches/peers/haproxy.cfg.

use std::{fs, path::Path};

use durable::Access;
use tokio::process::Command;

use super::product::{SERVER_CORE, Setup};
use crate::server::on_core;

const PROGRAM: &str = "/usr/sbin/haproxy";

/// How it is started.
pub fn command(setup: &Setup<'_>) -> anyhow::Result<Command> {
    let file = setup.write("haproxy.cfg", include_str!("../../peers/haproxy.cfg"), &[])?;
    // It wants certificate and key in one file.
    let tls = setup.kit.tls();
    let both = [fs::read(tls.join("certificate.pem"))?, fs::read(tls.join("key.pem"))?].concat();
    durable::create(&setup.place.join("both.pem"), &both, Access::Private)?;
    let mut command = on_core(SERVER_CORE, Path::new(PROGRAM));
    command.arg("-db").arg("-f").arg(file);
    Ok(command)
}
