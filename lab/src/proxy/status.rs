//! What has happened on the proxy so far, in a form that can be waited for.

use std::{future::Future, time::Instant};

use protocol::moment::Moment;
use tokio::sync::watch;

use super::plan::Way;

/// When a stall began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The connection, counted from 1; none for the line as a whole.
    pub connection: Option<u64>,
    /// By the clock that intervals are measured with.
    pub began: Instant,
    /// By the clock that logs are written with.
    pub at: Moment,
}

/// What has happened so far, on all connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Connections that came.
    pub connections: u64,
    /// Connections that are still carried.
    pub open: u64,
    /// Bytes forwarded to the target.
    pub up: u64,
    /// Bytes forwarded back.
    pub down: u64,
    /// Stalls begun.
    pub stalls: u64,
    /// The last of them.
    pub last_stall: Option<Stall>,
}

pub(super) struct Board(watch::Sender<Status>);

impl Board {
    pub(super) fn new() -> Self {
        Board(watch::Sender::new(Status::default()))
    }

    pub(super) fn now(&self) -> Status {
        *self.0.borrow()
    }

    /// The number of the connection that came.
    pub(super) fn connection_came(&self) -> u64 {
        let mut number = 0;
        self.0.send_modify(|status| {
            status.connections += 1;
            status.open += 1;
            number = status.connections;
        });
        number
    }

    pub(super) fn connection_ended(&self) {
        self.0.send_modify(|status| status.open = status.open.saturating_sub(1));
    }

    pub(super) fn forwarded(&self, way: Way, bytes: usize) {
        self.0.send_modify(|status| {
            let count = match way {
                Way::Up => &mut status.up,
                Way::Down => &mut status.down,
            };
            *count = count.saturating_add(bytes as u64);
        });
    }

    pub(super) fn stalled(&self, connection: Option<u64>) -> Stall {
        let stall = Stall { connection, began: Instant::now(), at: pki::clock::now() };
        self.0.send_modify(|status| {
            status.stalls += 1;
            status.last_stall = Some(stall);
        });
        stall
    }

    pub(super) fn wait_until(
        &self,
        condition: impl FnMut(&Status) -> bool + Send,
    ) -> impl Future<Output = Status> + Send {
        let mut status = self.0.subscribe();
        async move {
            let reached = status.wait_for(condition).await.map(|status| *status);
            match reached {
                Ok(status) => status,
                // The proxy is gone: nothing will ever happen any more.
                Err(_) => std::future::pending().await,
            }
        }
    }
}
