//! Whether committed content is handed over, or kept in the spool until the operator says so: the system behind the inbox
//! may be closed for a while. A restart lets go, so that no hold is forgotten for longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex, MutexGuard, watch},
    time::timeout,
};

/// The operator's word on it.
#[derive(Debug, Default)]
pub struct Handover {
    held: watch::Sender<bool>,
    /// Held while something is handed over.
    turn: Mutex<()>,
}

impl Handover {
    /// Is nothing to be handed over now?
    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    /// Leave to hand something over, for as long as it is kept; none while that is held.
    pub async fn turn(&self) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turn.lock().await;
        (!self.is_held()).then_some(turn)
    }

    /// Holds; was it otherwise before? Returns when what was begun is over, or after `patience` all the same.
    pub async fn hold(&self, patience: Duration) -> Hold {
        let changed = !self.held.send_replace(true);
        Hold { changed, is_quiet: timeout(patience, self.turn.lock()).await.is_ok() }
    }

    /// Lets go; was it otherwise before?
    pub fn release(&self) -> bool {
        self.held.send_replace(false)
    }

    /// Returns at once, or when it is let go. May be dropped without loss.
    pub async fn let_go(&self) {
        // The sender is ours, so that it cannot be gone.
        let _ = self.held.subscribe().wait_for(|held| !held).await;
    }
}

/// What came of holding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// It was not held before.
    pub changed: bool,
    /// Nothing is on its way into the inbox any more.
    pub is_quiet: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn whoever_waits_goes_on_once_it_is_let_go() {
        let handover = Handover::default();
        handover.let_go().await;
        assert!(handover.hold(PATIENCE).await.changed && !handover.hold(PATIENCE).await.changed);
        assert!(handover.is_held() && handover.turn().await.is_none());
        let (let_go, ()) = tokio::join!(async { handover.release() }, handover.let_go());
        assert!(let_go && !handover.is_held() && handover.turn().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn holding_waits_for_what_is_being_handed_over() {
        let handover = Handover::default();
        let turn = handover.turn().await;
        assert_eq!(handover.hold(PATIENCE).await, Hold { changed: true, is_quiet: false });
        drop(turn);
        assert_eq!(handover.hold(PATIENCE).await, Hold { changed: false, is_quiet: true });
    }
}
