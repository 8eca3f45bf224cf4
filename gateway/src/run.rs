//! The life of the process: start, listen, drain, stop.

use std::{future::Future, net::SocketAddr, path::Path, sync::Arc};

use config::gateway::{GatewayConfig, MAIN_LISTENER};
use durable::Access;
use protocol::{cause::Cause, entry::Event};
use tokio::{net::TcpListener, sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admin::{self, Admin, listen_for_metrics},
    centre::Centre,
    cores::Cores,
    crl_fetch, crl_serve, delivery, expiry,
    in_force::{InForce, Listener},
    limits::{ABORT_GRACE, BLOCKING_THREADS_SPARE, CLOSE_GRACE},
    listener::{bind, listen},
    minutes, overdue,
    reload::Reloader,
    start::{Ready, StartFault, start},
    watch::{self, Seen},
};

/// The file below the data directory that names the address in use at this listener, for whoever let the system choose the
/// port.
pub fn address_file(listener: &str) -> String {
    if listener == MAIN_LISTENER { "address".to_owned() } else { format!("address-{listener}") }
}

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
pub enum RunFault {
    /// Not started.
    #[error("the centre does not start")]
    Start(#[from] StartFault),
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address}; next: is another gateway running, or the address not this machine's?"
    )]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file that names the address.
    #[error("the address in use cannot be written to the data directory")]
    AddressFile(#[source] std::io::Error),
    /// A thread for a core.
    #[error("the threads that carry connections cannot be started")]
    Cores(#[source] std::io::Error),
    /// The admin socket.
    #[error("the admin socket cannot be opened")]
    Admin(#[source] std::io::Error),
    /// The outcome of a write is unknown.
    #[error(
        "the ledger could not be written and its state is unknown; next: look at the disk, then start again"
    )]
    Broken,
}

/// How a process that was told to stop came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every running transfer finished.
    Drained,
    /// Some were ended as `draining` at the deadline; they can be resumed.
    Forced,
}

/// Runs until `stop` is set, and then drains. `file` is where the settings were read from, and are read again on a
/// reload; `hangup` asks for one. `listening` is told the bound address.
pub async fn run(
    config: GatewayConfig,
    file: &Path,
    stop: CancellationToken,
    hangup: Arc<Notify>,
    listening: impl FnOnce(SocketAddr),
) -> Result<Stopped, RunFault> {
    let seen = Seen::now(file, &config);
    let Ready { centre, ledger } = start(config).await?;
    let reloader = Arc::new(Reloader::new(file));
    // An address that is taken is said at once, whatever the lists take to come.
    let in_force = centre.in_force();
    let sockets = open_sockets(&centre, &in_force)?;
    // Each running attempt writes on a thread that may block.
    let blocking_max = in_force.config.limits.transfers_max as usize + BLOCKING_THREADS_SPARE;
    let cores = Cores::start(in_force.config.process.cores, blocking_max);
    let cores = Arc::new(cores.map_err(RunFault::Cores)?);
    let metrics = open_plain(in_force.config.metrics.address, "metrics and health").await?;
    let served_lists = open_plain(in_force.config.crl.serve, "revocation lists are served").await?;
    drop(in_force);
    let fetching = crl_fetch::begin(&centre, &reloader, &stop).await;
    let address = sockets.first().map(|socket| socket.address);
    let admin = Admin { centre: Arc::clone(&centre), reloader: Arc::clone(&reloader), stop: stop.clone() };
    let connections = TaskTracker::new();
    let services = TaskTracker::new();
    if let Some(socket) = metrics {
        services.spawn(until_ending(&centre, listen_for_metrics(admin.clone(), socket)));
    }
    if let Some(socket) = served_lists {
        services.spawn(until_ending(&centre, crl_serve::listen(Arc::clone(&centre), socket)));
    }
    services
        .spawn(until_ending(&centre, crl_fetch::run(Arc::clone(&centre), Arc::clone(&reloader), fetching)));
    services.spawn(until_ending(&centre, admin::listen(admin).map_err(RunFault::Admin)?));
    services.spawn(until_ending(&centre, minutes::run(Arc::clone(&centre))));
    services.spawn(until_ending(&centre, overdue::run(Arc::clone(&centre))));
    services.spawn(until_ending(&centre, watch::run(Arc::clone(&centre), Arc::clone(&reloader), seen)));
    services.spawn(until_ending(&centre, reload_on(Arc::clone(&centre), reloader, hangup)));
    services.spawn(until_stopping(&centre, delivery::run(Arc::clone(&centre))));
    services.spawn(until_stopping(&centre, expiry::run(Arc::clone(&centre))));
    let parties: Vec<String> = centre.parties.iter().map(ToString::to_string).collect();
    for (at, Opened { socket, name, address }) in sockets.into_iter().enumerate() {
        tracing::info!(%address, listener = name, ?parties, cores = cores.count(), "listening");
        let listening = listen(Arc::clone(&centre), at, socket, Arc::clone(&cores), connections.clone());
        services.spawn(until_stopping(&centre, listening));
    }
    if let Some(address) = address {
        listening(address);
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = centre.broken.cancelled() => {}
    }
    let stopped = drain(&centre, &connections, &services).await;
    if let Some(cores) = Arc::into_inner(cores) {
        // Nobody waits for what still runs there beyond its grace.
        let _ = tokio::task::spawn_blocking(move || cores.end()).await;
    }
    if centre.broken.is_cancelled() {
        return Err(RunFault::Broken);
    }
    let closed = timeout(CLOSE_GRACE, async {
        // A log that cannot take its last entry has broken the centre.
        centre.record(centre.entry(Event::Stopped)).await.map_err(|_| RunFault::Broken)?;
        ledger.close().await;
        Ok(())
    });
    closed.await.unwrap_or(Err(RunFault::Broken))?;
    tracing::info!(forced = stopped == Stopped::Forced, "stopped");
    Ok(stopped)
}

/// Takes no new work, lets running transfers finish within `drain_max`, then ends them with what they have.
async fn drain(centre: &Arc<Centre>, connections: &TaskTracker, services: &TaskTracker) -> Stopped {
    centre.stopping.cancel();
    centre.work.close();
    connections.close();
    services.close();
    // Said when it is so: who reads this line may count on it.
    tracing::info!(running = centre.attempts.count(), "draining");
    let mut stopped = Stopped::Drained;
    if centre.broken.is_cancelled()
        || timeout(centre.in_force().config.link.drain_max, centre.work.wait()).await.is_err()
    {
        stopped = Stopped::Forced;
        centre.attempts.stop_all(Cause::Draining);
        centre.exchanges.end_all();
        if timeout(ABORT_GRACE, centre.work.wait()).await.is_err() {
            tracing::error!("attempts did not end in time; the next start recovers them");
        }
    }
    // Answers are on their way now; a peer that does not read them is not waited for.
    if timeout(centre.in_force().config.link.detect_max, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were still open at the end");
    }
    centre.ending.cancel();
    if timeout(CLOSE_GRACE, services.wait()).await.is_err() {
        tracing::warn!(services = services.len(), "services were still running at the end");
    }
    stopped
}

/// A socket that connections will be accepted from.
struct Opened {
    socket: std::net::TcpListener,
    name: String,
    address: SocketAddr,
}

/// Opens the socket of every listener, in their order, and writes down where.
fn open_sockets(centre: &Centre, in_force: &InForce) -> Result<Vec<Opened>, RunFault> {
    let open = |listener: &Listener| {
        let failed = |source| RunFault::Listen { address: listener.listen.address, source };
        let socket = bind(&listener.listen).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let file = centre.data.join(address_file(&listener.name));
        durable::replace(&file, format!("{address}\n").as_bytes(), Access::Shared)
            .map_err(RunFault::AddressFile)?;
        Ok(Opened { socket, name: listener.name.clone(), address })
    };
    in_force.listeners().iter().map(open).collect()
}

/// Opens the socket at this address, if one is configured, and says what it is for.
async fn open_plain(address: Option<SocketAddr>, serves: &str) -> Result<Option<TcpListener>, RunFault> {
    let Some(address) = address else { return Ok(None) };
    let failed = |source| RunFault::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    tracing::info!(%address, "{serves}");
    Ok(Some(socket))
}

/// A service that must run as long as the centre takes work.
fn until_stopping(
    centre: &Arc<Centre>,
    service: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    for_life(centre, centre.stopping.clone(), service)
}

/// A service that must run as long as anything else does.
fn until_ending(
    centre: &Arc<Centre>,
    service: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    for_life(centre, centre.ending.clone(), service)
}

/// If the service ends before it may, however that came, the process stops and the next start recovers.
fn for_life(
    centre: &Arc<Centre>,
    may_end: CancellationToken,
    service: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    struct EndsWithIt(Arc<Centre>, CancellationToken);
    impl Drop for EndsWithIt {
        fn drop(&mut self) {
            if !self.1.is_cancelled() {
                tracing::error!("a service of the centre ended unexpectedly; stopping");
                self.0.broken.cancel();
            }
        }
    }
    let guard = EndsWithIt(Arc::clone(centre), may_end);
    async move {
        let _guard = guard;
        service.await;
    }
}

/// Reloads whenever it is asked for, until the centre ends.
async fn reload_on(centre: Arc<Centre>, reloader: Arc<Reloader>, hangup: Arc<Notify>) {
    loop {
        tokio::select! {
            biased;
            () = centre.ending.cancelled() => return,
            () = hangup.notified() => {}
        }
        // What came of it stands in the log.
        let _ = reloader.reload(&centre, "hangup").await;
    }
}
