//! What attacks share: a thread of their own, a target, and a count of what they did.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::Context as _;
use tokio::sync::oneshot;

/// A loopback address: every `network` is a source prefix of its own, with the 24 bits that a centre takes by default.
pub fn source(network: u8, host: u8) -> IpAddr {
    Ipv4Addr::new(127, network, 0, host.max(1)).into()
}

/// What an attack has done so far.
#[derive(Default)]
pub struct Tally {
    /// Connections begun.
    pub begun: AtomicU64,
    /// Those of them that the other end closed or refused.
    pub ended: AtomicU64,
    /// Requests answered.
    pub answered: AtomicU64,
}

impl Tally {
    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How it reads.
    pub fn text(&self) -> String {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{} connections begun, {} ended by the other end, {} requests answered",
            of(&self.begun),
            of(&self.ended),
            of(&self.answered)
        )
    }
}

/// An attack under way, on one thread of its own, so that it never takes more than one core. Dropped, it ends soon.
pub struct Running {
    tally: Arc<Tally>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

/// An attack: goes on until it is dropped.
pub trait Attack: Send + 'static {
    /// Attacks whatever listens there.
    fn run(
        self: Box<Self>,
        target: SocketAddr,
        tally: Arc<Tally>,
    ) -> impl Future<Output = anyhow::Result<()>>
    where
        Self: Sized;
}

impl Running {
    /// Begins an attack.
    pub fn start<A: Attack>(attack: A, target: SocketAddr) -> anyhow::Result<Self> {
        let tally = Arc::<Tally>::default();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let own = Arc::clone(&tally);
        let thread = std::thread::Builder::new().name("attack".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // An attack that ends by itself has failed.
                    ended = Box::new(attack).run(target, own) => ended,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        Ok(Running { tally, stop: Some(stop), thread: Some(thread) })
    }

    /// Ends it; what it did.
    pub fn stop(mut self) -> anyhow::Result<String> {
        drop(self.stop.take());
        let thread = self.thread.take().context("it was not stopped before")?;
        thread.join().map_err(|_| anyhow::anyhow!("the attack panicked"))??;
        Ok(self.tally.text())
    }
}
