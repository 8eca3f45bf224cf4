//! `sekisho-lab proxy`.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    signal::unix::{SignalKind, signal},
};

use crate::proxy::{FaultProxy, Plan, Status};

/// Options of `proxy`.
#[derive(clap::Args)]
#[command(after_help = "\
Faults, each for one way, `up` to the target or `down` back from it; N counts bytes from a connection's beginning:
  up:fin@N      both ends are sent a FIN after N bytes
  up:reset@N    both ends are sent an RST after N bytes
  up:silence@N  after N bytes nothing moves either way; both kernels are still answered
  up:stall@N    as silence, this way only
  up:flip@N     the lowest bit of byte N is turned over
  up:rate=N     no more than N bytes in a second
  up:delay=N    every byte comes N milliseconds late
Press Enter to stall the whole line, and Enter again to let everything go on. Ctrl-C ends it.")]
pub struct Proxy {
    /// Where to listen; with port 0 the system chooses.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to carry connections to.
    #[arg(long, value_name = "ADDRESS")]
    target: SocketAddr,
    /// What goes wrong; may be given more than once.
    #[arg(long = "fault", value_name = "WAY:FAULT")]
    faults: Vec<Plan>,
    /// Only on this connection, counted from 1; may be given more than once [default: on every one]
    #[arg(long = "on", value_name = "NUMBER")]
    on: Vec<u64>,
}

impl Proxy {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let plan = self.faults.into_iter().fold(Plan::clean(), Plan::and);
        let on = self.on;
        let plans =
            move |number| if on.is_empty() || on.contains(&number) { plan.clone() } else { Plan::clean() };
        let proxy = FaultProxy::start(self.listen, self.target, plans)
            .await
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        println!("listening on {}", proxy.address());
        let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
        let mut keys = BufReader::new(stdin()).lines();
        let (mut seen, mut stalled, mut keyboard) = (proxy.status(), false, true);
        loop {
            // Each branch may be dropped: nothing is lost between two looks.
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break,
                _ = terminate.recv() => break,
                line = keys.next_line(), if keyboard => match line {
                    Ok(Some(_)) if stalled => {
                        proxy.release();
                        stalled = false;
                        println!("released");
                    }
                    Ok(Some(_)) => {
                        proxy.stall_now();
                        stalled = true;
                    }
                    Ok(None) | Err(_) => keyboard = false,
                },
                status = proxy.wait_until(|status| is_news(&seen, status)) => {
                    tell(&seen, &status);
                    seen = status;
                }
            }
        }
        proxy.shut_down().await;
        Ok(())
    }
}

fn is_news(before: &Status, now: &Status) -> bool {
    (before.connections, before.open, before.stalls) != (now.connections, now.open, now.stalls)
}

fn tell(before: &Status, now: &Status) {
    let Status { connections, open, up, down, .. } = now;
    if let Some(stall) = now.last_stall.filter(|_| now.stalls > before.stalls) {
        match stall.connection {
            Some(number) => println!("{} connection {number} stalls", stall.at),
            None => println!("{} the line stalls", stall.at),
        }
    }
    println!("connections {connections}, open {open}, bytes up {up}, down {down}");
}
