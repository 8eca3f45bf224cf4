//! One thread for each core, each with a runtime of its own. A connection is given to one of them when it is accepted and
//! stays there, so that what is done for it moves between no threads and waits for no lock of another's.
//!
//! Each is a runtime of many threads that has one: other than one that can only have one, it runs a task that was just woken
//! before those that have waited longer, so that a body which one task of hyper hands to another is still in the core's cache.

use std::{
    io,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::sleep,
};
use tokio_util::task::TaskTracker;

use crate::{bulk, limits::CLOSE_GRACE, stream::IDLE_TIME_MAX};

/// All of them.
pub struct Cores(Vec<Core>);

struct Core {
    runtime: Runtime,
    load: Arc<Load>,
}

/// What one has to do.
#[derive(Default)]
struct Load {
    /// Connections that stay there.
    open: AtomicUsize,
    /// Requests that are being handled there.
    running: AtomicUsize,
}

/// A connection's place on its core.
pub struct Seat(Arc<Load>);

/// A request that is being handled on its connection's core.
pub struct Running(Arc<Load>);

/// What a core does, to be asked at any time.
pub struct Busy(Arc<Load>);

impl Cores {
    /// Starts `count` of them, or, if that is 0, as many as the process may use. Each may have `blocking_max` further threads
    /// that wait for a disk.
    pub fn start(count: u32, blocking_max: usize) -> io::Result<Self> {
        let count = match usize::try_from(count) {
            Ok(count @ 1..) => count,
            _ => thread::available_parallelism().map_or(1, NonZero::get),
        };
        let start = |number| {
            let runtime = Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(blocking_max)
                .thread_name(format!("core-{number}"))
                .enable_all()
                .build()?;
            runtime.spawn(keep_house());
            Ok(Core { runtime, load: Arc::default() })
        };
        Ok(Cores((0..count).map(start).collect::<io::Result<_>>()?))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Gives a connection to the core that does least, to be served there as a task of `connections`.
    pub fn give<F: Future<Output = ()> + Send + 'static>(
        &self,
        stream: TcpStream,
        connections: &TaskTracker,
        serve: impl FnOnce(TcpStream, Seat) -> F + Send + 'static,
    ) -> io::Result<()> {
        let Some(core) = self.0.iter().min_by_key(|core| core.load.now()) else { return Ok(()) };
        // Whoever accepted it is told of it no more; from now on its core is.
        let stream = stream.into_std()?;
        core.load.open.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(&core.load));
        connections.spawn_on(
            async move {
                match TcpStream::from_std(stream) {
                    Ok(stream) => serve(stream, seat).await,
                    Err(error) => tracing::error!(%error, "a connection could not be taken over; closed"),
                }
            },
            core.runtime.handle(),
        );
        Ok(())
    }

    /// Ends all of them, with whatever still runs there. Work for a thread that may block.
    pub fn end(mut self) {
        // A thread that waits for a disk which does not answer must not keep the process; all have one grace together.
        let by = Instant::now() + CLOSE_GRACE;
        for core in self.0.drain(..) {
            core.runtime.shutdown_timeout(by.saturating_duration_since(Instant::now()));
        }
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        for core in self.0.drain(..) {
            core.runtime.shutdown_background();
        }
    }
}

/// Closes connections to systems behind that a core has kept too long, and at its end all of them.
async fn keep_house() {
    struct AtTheEnd;
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            bulk::close_all();
        }
    }
    let _at_the_end = AtTheEnd;
    loop {
        sleep(IDLE_TIME_MAX).await;
        bulk::close_idle();
    }
}

impl Load {
    /// Requests count before connections that are only there.
    fn now(&self) -> (usize, usize) {
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

impl Running {
    /// What its core does.
    pub fn core(&self) -> Busy {
        Busy(Arc::clone(&self.0))
    }
}

impl Busy {
    /// Requests that are being handled now.
    pub fn requests(&self) -> usize {
        self.0.running.load(Ordering::Relaxed)
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
        listener: TcpListener,
        address: SocketAddr,
    }

    impl Given {
        async fn new(count: u32) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let cores = Cores::start(count, 1).unwrap();
            Given { cores, connections: TaskTracker::new(), listener, address }
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
    async fn there_are_as_many_cores_as_the_process_may_use_and_they_end_when_they_are_told() {
        let given = Given::new(0).await;
        assert_eq!(given.cores.count(), thread::available_parallelism().unwrap().get());
        let (_, _seat) = given.one_more().await;
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            given.cores.end();
            tell.send(()).unwrap();
        });
        told.recv_timeout(PATIENCE).unwrap();
    }
}
