//! One thread for each core, each with a runtime of its own. A connection is given to one of them when it is accepted and
//! stays there, so that what is done for it moves between no threads and waits for no lock of another's.

use std::{
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Handle},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{bulk, limits::CLOSE_GRACE, stream::IDLE_TIME_MAX};

/// All of them.
pub struct Cores {
    all: Vec<Arc<Core>>,
    threads: Vec<thread::JoinHandle<()>>,
}

struct Core {
    runtime: Handle,
    /// Connections that stay here.
    open: AtomicUsize,
    /// Requests that are being handled here.
    running: AtomicUsize,
}

/// A connection's place on its core.
pub struct Seat(Arc<Core>);

/// A request that is being handled on its connection's core.
pub struct Running(Arc<Core>);

impl Cores {
    /// Starts `count` of them, or, if that is 0, as many as the process may use. They end when `end` is cancelled, with
    /// whatever still runs there; each may have `blocking_max` threads that wait for a disk.
    pub fn start(count: u32, blocking_max: usize, end: &CancellationToken) -> io::Result<Self> {
        let count = match usize::try_from(count) {
            Ok(count @ 1..) => count,
            _ => thread::available_parallelism().map_or(1, NonZero::get),
        };
        let mut cores = Cores { all: Vec::with_capacity(count), threads: Vec::with_capacity(count) };
        for number in 0..count {
            let runtime =
                Builder::new_current_thread().max_blocking_threads(blocking_max).enable_all().build()?;
            let (open, running) = (AtomicUsize::new(0), AtomicUsize::new(0));
            cores.all.push(Arc::new(Core { runtime: runtime.handle().clone(), open, running }));
            let end = end.clone();
            let live = move || {
                runtime.block_on(keep_house(&end));
                bulk::close_all();
                // A thread that waits for a disk which does not answer must not keep this one.
                runtime.shutdown_timeout(CLOSE_GRACE);
            };
            cores.threads.push(thread::Builder::new().name(format!("core-{number}")).spawn(live)?);
        }
        Ok(cores)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Gives a connection to the core that does least, to be served there as a task of `connections`.
    pub fn give<F: Future<Output = ()> + Send + 'static>(
        &self,
        stream: TcpStream,
        connections: &TaskTracker,
        serve: impl FnOnce(TcpStream, Seat) -> F + Send + 'static,
    ) -> io::Result<()> {
        let Some(core) = self.all.iter().min_by_key(|core| core.load()) else { return Ok(()) };
        // Whoever accepted it is told of it no more; from now on its core is.
        let stream = stream.into_std()?;
        core.open.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(core));
        connections.spawn_on(
            async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => serve(stream, seat).await,
                    Err(error) => tracing::error!(%error, "a connection could not be taken over; closed"),
                }
            },
            &core.runtime,
        );
        Ok(())
    }

    /// Waits until all have ended. Work for a thread that may block.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("the thread of a core broke down");
            }
        }
    }
}

/// Closes connections to systems behind that have been kept too long, until the core ends.
async fn keep_house(end: &CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => return,
            () = sleep(IDLE_TIME_MAX) => bulk::close_idle(),
        }
    }
}

impl Core {
    /// What it has to do: requests count before connections that are only there.
    fn load(&self) -> (usize, usize) {
        (self.running.load(Ordering::Relaxed), self.open.load(Ordering::Relaxed))
    }
}

impl Seat {
    /// Counts a request for as long as the returned value is kept.
    pub fn running(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(&self.0))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::SocketAddr, sync::mpsc, time::Duration};

    use tokio::net::TcpListener;

    use super::*;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    struct Given {
        cores: Cores,
        connections: TaskTracker,
        end: CancellationToken,
        listener: TcpListener,
        address: SocketAddr,
    }

    impl Given {
        async fn new(count: u32) -> Self {
            let end = CancellationToken::new();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let cores = Cores::start(count, 1, &end).unwrap();
            Given { cores, connections: TaskTracker::new(), end, listener, address }
        }

        /// Gives one more connection away; the name of the thread that serves it, and its seat.
        async fn one_more(&self) -> (String, Seat) {
            let _client = TcpStream::connect(self.address).await.unwrap();
            let (stream, _) = self.listener.accept().await.unwrap();
            let (tell, told) = mpsc::channel();
            let serve = |_stream, seat| async move {
                tokio::task::yield_now().await;
                tell.send((thread::current().name().unwrap_or_default().to_owned(), seat)).unwrap();
            };
            self.cores.give(stream, &self.connections, serve).unwrap();
            told.recv_timeout(PATIENCE).unwrap()
        }
    }

    #[tokio::test]
    async fn connections_are_spread_over_the_cores_and_requests_count_before_them() {
        let given = Given::new(2).await;
        let mut of_core = BTreeMap::<String, Vec<Seat>>::new();
        for _ in 0..4 {
            let (core, seat) = given.one_more().await;
            of_core.entry(core).or_default().push(seat);
        }
        assert_eq!(of_core.values().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
        let mut of_core = of_core.into_iter();
        let (busy, (other, seats)) = (of_core.next().unwrap(), of_core.next().unwrap());
        let _running = busy.1[0].running();
        drop(seats);
        for _ in 0..3 {
            let (core, seat) = given.one_more().await;
            assert_eq!(core, other, "the one that handles no request");
            std::mem::forget(seat);
        }
    }

    #[tokio::test]
    async fn cores_end_when_they_are_told_with_whatever_still_runs_there() {
        let given = Given::new(0).await;
        assert_eq!(given.cores.count(), thread::available_parallelism().unwrap().get());
        let (_, _seat) = given.one_more().await;
        given.end.cancel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            given.cores.join();
            tell.send(()).unwrap();
        });
        told.recv_timeout(PATIENCE).unwrap();
    }
}
