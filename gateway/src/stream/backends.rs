//! Connections to the systems behind: plain HTTP/1.1, kept open between requests.

use std::{future::Future, time::Duration};

use hyper::{Request, Response, body::Incoming, rt::Executor};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::TokioTimer,
};
use tokio_util::task::TaskTracker;

use super::content::Question;

/// A backend on this machine or the next answers at once or not at all.
pub const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Idle connections kept to each backend: as many as a busy moment needs again, and no more.
pub const IDLE_MAX: usize = 64;

/// An idle connection is closed before most servers would do it themselves, so that none is used that is just closing.
pub const IDLE_TIME_MAX: Duration = Duration::from_secs(4);

/// Those of one route.
pub struct Backends {
    client: Client<HttpConnector, Question>,
}

/// Runs each connection as a task that the centre owns.
#[derive(Clone)]
struct Owned(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Owned {
    fn execute(&self, future: F) {
        self.0.spawn(future);
    }
}

impl Backends {
    /// None is connected yet. Each connection will run as a task of its own, until the last exchange on it has ended.
    ///
    /// One that takes nothing of a request for `stall_max` is given up, by the kernel (TCP_USER_TIMEOUT, RFC 5482): while it
    /// takes nothing, nothing of the request is asked for either, and no deadline of ours runs.
    pub fn new(stall_max: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_MAX));
        connector.set_tcp_user_timeout(Some(stall_max));
        let client = Client::builder(Owned(TaskTracker::new()))
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Backends { client }
    }

    /// Sends a request, whose address is absolute, and waits for the head of its answer. Dropped, the exchange is broken off.
    pub async fn ask(&self, request: Request<Question>) -> Result<Response<Incoming>, Error> {
        self.client.request(request).await
    }
}
