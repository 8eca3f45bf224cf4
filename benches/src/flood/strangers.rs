//! A flood of handshakes without a certificate, from one source prefix.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::attack::{Attack, Tally, source};
use crate::load::{
    line::Line,
    tls::{Group, Suite, config},
};

/// Connections begun in a second: ten times what a centre lets one source prefix begin.
pub const PER_SECOND: u32 = 500;

/// Where they come from.
pub const NETWORK: u8 = 66;

/// Addresses of that prefix that they take in turn: one alone would run out of ports.
const HOSTS: u8 = 200;

/// Connections under way at a time.
const UNDER_WAY: usize = 1000;

/// How long a stranger waits to be turned away.
const PATIENCE: Duration = Duration::from_secs(5);

/// The flood.
pub struct Strangers {
    /// The root that the centre's certificate leads to.
    pub root: PathBuf,
}

impl Attack for Strangers {
    async fn run(self: Box<Self>, target: SocketAddr, tally: Arc<Tally>) -> anyhow::Result<()> {
        let config = config(None, &self.root, Suite::Aes256, Group::X25519)?;
        let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let places = Arc::new(Semaphore::new(UNDER_WAY));
        let mut running = JoinSet::new();
        for number in 0_u64.. {
            ticks.tick().await;
            let place = Arc::clone(&places).acquire_owned().await?;
            let host = u8::try_from(number % u64::from(HOSTS))?;
            let (config, tally) = (Arc::clone(&config), Arc::clone(&tally));
            running.spawn(async move {
                Tally::count(&tally.begun);
                let talking = async {
                    let mut line =
                        Line::connect_from(Some(source(NETWORK, host + 1)), &config, target).await?;
                    // Of TLS 1.3 a client is done before it is judged.
                    line.gone().await
                };
                if matches!(timeout(PATIENCE, talking).await, Ok(Err(_))) {
                    Tally::count(&tally.ended);
                }
                drop(place);
            });
            while running.try_join_next().is_some() {}
        }
        Ok(())
    }
}
