//! What holds bytes back: the line as a whole, or one direction of one connection.

use tokio::sync::watch;

use super::plan::Way;

/// The line as a whole.
#[derive(Clone, Copy, Default)]
struct LineState {
    held: bool,
    /// How often it was released: a hold of a connection lasts until the next release.
    releases: u64,
}

/// Shared by every connection.
pub(super) struct Line(watch::Sender<LineState>);

impl Line {
    pub(super) fn new() -> Self {
        Line(watch::Sender::new(LineState::default()))
    }

    pub(super) fn hold(&self) {
        self.0.send_modify(|line| line.held = true);
    }

    pub(super) fn release(&self) {
        self.0.send_modify(|line| {
            line.held = false;
            line.releases = line.releases.saturating_add(1);
        });
    }
}

/// Of one connection: how often the line had been released when this way was held.
#[derive(Clone, Copy, Default)]
struct Held {
    up: Option<u64>,
    down: Option<u64>,
}

/// Of one connection.
pub(super) struct Holds(watch::Sender<Held>);

impl Holds {
    pub(super) fn new() -> Self {
        Holds(watch::Sender::new(Held::default()))
    }
}

/// What one direction of one connection passes through.
pub(super) struct Gate<'a> {
    way: Way,
    holds: &'a Holds,
    line: watch::Receiver<LineState>,
    held: watch::Receiver<Held>,
}

impl<'a> Gate<'a> {
    pub(super) fn new(way: Way, line: &Line, holds: &'a Holds) -> Self {
        Gate { way, holds, line: line.0.subscribe(), held: holds.0.subscribe() }
    }

    /// Holds this direction until the next release; with `both`, the other too.
    pub(super) fn hold(&self, both: bool) {
        let releases = Some(self.line.borrow().releases);
        self.holds.0.send_modify(|held| {
            if both || self.way == Way::Up {
                held.up = releases;
            }
            if both || self.way == Way::Down {
                held.down = releases;
            }
        });
    }

    /// Returns when nothing holds this direction.
    pub(super) async fn open(&mut self) {
        self.wait_for(false).await;
    }

    /// Returns when something holds this direction. Safe to drop and call again.
    pub(super) async fn closed(&mut self) {
        self.wait_for(true).await;
    }

    async fn wait_for(&mut self, wanted: bool) {
        loop {
            if self.is_held() == wanted {
                return;
            }
            // Neither sender can be gone: the gate borrows one, and the proxy that holds the other owns this task.
            tokio::select! {
                _ = self.line.changed() => {}
                _ = self.held.changed() => {}
            }
        }
    }

    fn is_held(&mut self) -> bool {
        let line = *self.line.borrow_and_update();
        let held = *self.held.borrow_and_update();
        let own = match self.way {
            Way::Up => held.up,
            Way::Down => held.down,
        };
        line.held || own == Some(line.releases)
    }
}
