//! One identity that takes all it may, and asks for more: every connection, every open and every running transfer, and
//! requests on top. Its rates are bounded, so that it does not simply use up the machine.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::ensure;
use lab::site::SenderSite;
use protocol::{digest::Sha256, party::Party, wire::LOG_CHECKPOINT};
use tokio::{
    sync::Mutex,
    task::JoinSet,
    time::{Interval, MissedTickBehavior, interval, sleep, timeout},
};

use super::attack::{Attack, Tally, source};
use crate::load::{
    job::{Papers, send_head},
    line::Line,
    tls::{Group, Suite, config},
};

/// Connections that it opens: half as many again as an identity may have.
pub const CONNECTIONS: usize = 48;

/// Of them, those that try to bring content: twice as many as may run.
pub const UPLOADING: usize = 32;

/// Bytes a second on each upload: 64 times the slowest rate that is borne.
pub const UPLOAD_BYTES_PER_SECOND: usize = 64 * 1024;

/// Offers and questions a second, over all other connections.
pub const REQUESTS_PER_SECOND: u32 = 300;

/// Bytes that each offer promises.
const PROMISED: u64 = 64 * 1024 * 1024;

/// Where it comes from.
const NETWORK: u8 = 99;

/// Before a connection comes back.
const PAUSE: Duration = Duration::from_secs(1);

/// How long it waits for an answer to content that it has not yet sent.
const GLANCE: Duration = Duration::from_millis(1);

/// How long it waits for a handshake or an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The identity.
pub struct Greedy {
    /// The root that the centre's certificate leads to.
    pub root: PathBuf,
    /// Its certificates.
    pub site: SenderSite,
    /// The centre's party.
    pub receiver: Party,
}

impl Attack for Greedy {
    async fn run(self: Box<Self>, target: SocketAddr, tally: Arc<Tally>) -> anyhow::Result<()> {
        let config = config(Some(&self.site), &self.root, Suite::Aes256, Group::X25519)?;
        let papers = Arc::new(Papers::of(&self.site, self.receiver.clone())?);
        let mut pace = interval(Duration::from_secs(1) / REQUESTS_PER_SECOND);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let pace = Arc::new(Mutex::new(pace));
        let mut running = JoinSet::new();
        for number in 0..CONNECTIONS {
            let (config, papers, pace, tally) =
                (Arc::clone(&config), Arc::clone(&papers), Arc::clone(&pace), Arc::clone(&tally));
            running.spawn(async move {
                loop {
                    Tally::count(&tally.begun);
                    let connecting = Line::connect_from(Some(source(NETWORK, 1)), &config, target);
                    if let Ok(Ok(mut line)) = timeout(PATIENCE, connecting).await {
                        // That it ends is counted; why does not matter.
                        let _ = match number < UPLOADING {
                            true => upload(&mut line, &papers, &tally).await,
                            false => ask(&mut line, &papers, &pace, &tally).await,
                        };
                    }
                    Tally::count(&tally.ended);
                    sleep(PAUSE).await;
                }
            });
        }
        // They never end by themselves.
        while running.join_next().await.is_some() {}
        Ok(())
    }
}

/// Offers a transfer and brings its content at the bounded rate, until it is turned away.
async fn upload(line: &mut Line, papers: &Papers, tally: &Tally) -> anyhow::Result<()> {
    let manifest = papers.manifest(PROMISED, Sha256::of(b"never whole"))?;
    let offered = timeout(PATIENCE, line.ask(&[&papers.offer(&manifest)?])).await??;
    Tally::count(&tally.answered);
    ensure!(offered.status == 201, "an offer was answered with {offered}");
    line.write(&send_head(&manifest.key(), PROMISED)).await?;
    let piece = vec![b'0'; UPLOAD_BYTES_PER_SECOND / 10];
    let mut pace = interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        line.write(&piece).await?;
        if let Ok(answer) = timeout(GLANCE, line.answer()).await {
            Tally::count(&tally.answered);
            anyhow::bail!("content was answered with {}", answer?);
        }
    }
}

/// Offers and asks in turn, at the bounded rate, whatever the answers say.
async fn ask(line: &mut Line, papers: &Papers, pace: &Mutex<Interval>, tally: &Tally) -> anyhow::Result<()> {
    let question = format!("GET {LOG_CHECKPOINT} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    for number in 0_u64.. {
        pace.lock().await.tick().await;
        let request = match number % 2 {
            0 => papers.offer(&papers.manifest(PROMISED, Sha256::of(b"never whole"))?)?,
            _ => question.clone().into_bytes(),
        };
        timeout(PATIENCE, line.ask(&[&request])).await??;
        Tally::count(&tally.answered);
    }
    Ok(())
}
