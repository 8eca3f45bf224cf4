//! Whether committed content is handed over, or kept in the spool until the operator says so: the system behind the inbox
//! may be closed for a while. A restart lets go, so that no hold is forgotten for longer.

use tokio::sync::watch;

/// The operator's word on it.
#[derive(Debug)]
pub struct Handover(watch::Sender<bool>);

impl Default for Handover {
    fn default() -> Self {
        Handover(watch::Sender::new(false))
    }
}

impl Handover {
    /// Is nothing handed over now?
    pub fn is_held(&self) -> bool {
        *self.0.borrow()
    }

    /// Holds or lets go; was it otherwise before?
    pub fn set(&self, held: bool) -> bool {
        self.0.send_replace(held) != held
    }

    /// Returns at once, or when it is let go. May be dropped without loss.
    pub async fn let_go(&self) {
        // The sender is ours, so that it cannot be gone.
        let _ = self.0.subscribe().wait_for(|held| !held).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_goes_on_once_it_is_let_go() {
        let handover = Handover::default();
        handover.let_go().await;
        assert!(handover.set(true) && !handover.set(true) && handover.is_held());
        let (let_go, ()) = tokio::join!(async { handover.set(false) }, handover.let_go());
        assert!(let_go && !handover.is_held());
    }
}
