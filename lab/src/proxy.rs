//! A TCP proxy that breaks the line on purpose: cut, stall, slow down, delay or corrupt, each way apart, at a chosen
//! byte of a chosen connection.
//!
//! It forwards bytes and knows nothing of what they mean. Its own kernel answers for both ends, so a line that it holds
//! back is a stall and never a dead one: it exercises the programs' deadlines, not the kernel's timers.
//!
//! Whoever drives it waits for what happened ([`FaultProxy::wait_until`]) and never for time to pass.

mod carry;
mod gate;
mod lane;
mod plan;
mod status;

#[cfg(test)]
mod tests;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub use plan::{Fault, NotAFault, Plan, Way};
pub use status::{Stall, Status};

use carry::carry;
use gate::Line;
use status::Board;

/// Connections carried at a time; more wait in the kernel. Each costs two sockets and up to 2 MiB.
const CONNECTIONS_MAX: usize = 1024;

/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection shares.
struct Shared {
    target: Mutex<SocketAddr>,
    plans: Box<dyn Fn(u64) -> Plan + Send + Sync>,
    line: Line,
    board: Board,
}

/// A running proxy. Dropped, it ends at once with all its connections; [`FaultProxy::shut_down`] also waits for that.
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    accepting: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on `listen` (port 0 for any) and carries every connection to `target`, connection 1 as `plans(1)` says
    /// and so on.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub async fn start(
        listen: SocketAddr,
        target: SocketAddr,
        plans: impl Fn(u64) -> Plan + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            plans: Box::new(plans),
            line: Line::new(),
            board: Board::new(),
        });
        let stop = CancellationToken::new();
        let accepting = tokio::spawn(accept_all(listener, Arc::clone(&shared), stop.clone()));
        Ok(FaultProxy { address, shared, stop, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries connections that come from now on to another place.
    pub fn set_target(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Holds back every byte, both ways, on every connection, those to come included, until [`FaultProxy::release`].
    pub fn stall_now(&self) -> Stall {
        self.shared.line.hold();
        self.shared.board.stalled(None)
    }

    /// Lets everything go on that is held back, by [`FaultProxy::stall_now`] or by a plan.
    pub fn release(&self) {
        self.shared.line.release();
    }

    /// What has happened so far.
    pub fn status(&self) -> Status {
        self.shared.board.now()
    }

    /// Connections that have come so far.
    pub fn connections(&self) -> u64 {
        self.status().connections
    }

    /// Bytes forwarded so far, both ways and on all connections together.
    pub fn bytes_forwarded(&self) -> u64 {
        let status = self.status();
        status.up + status.down
    }

    /// Waits until this holds of what has happened, and says what had.
    pub fn wait_until(
        &self,
        condition: impl FnMut(&Status) -> bool + Send,
    ) -> impl Future<Output = Status> + Send {
        self.shared.board.wait_until(condition)
    }

    /// Ends it with all its connections, and waits until they are gone.
    pub async fn shut_down(mut self) {
        self.stop.cancel();
        if let Some(accepting) = self.accepting.take() {
            // It neither panics nor is aborted here; there is nothing more to be told.
            let _ = accepting.await;
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            // The task owns its connections' tasks; they end with it.
            accepting.abort();
        }
    }
}

async fn accept_all(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // Cancel-safe: a place that is dropped is free again, and accepting and joining lose nothing.
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = accept(&places, &listener) => match accepted {
                Ok((client, place)) => {
                    let number = shared.board.connection_came();
                    connections.spawn(connection(Arc::clone(&shared), client, number, place));
                }
                // Out of file descriptors, mostly, which passes.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn accept(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (client, _) = listener.accept().await?;
    Ok((client, place))
}

async fn connection(shared: Arc<Shared>, client: TcpStream, number: u64, _place: OwnedSemaphorePermit) {
    let target = *shared.target.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = (shared.plans)(number);
    match TcpStream::connect(target).await {
        Ok(target) => carry(&shared, client, target, &plan, number).await,
        // A client learns it as it would without the proxy.
        Err(_) => carry::reset(client),
    }
    shared.board.connection_ended();
}
