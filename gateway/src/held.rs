//! Whether committed content is handed over, or kept in the spool until the operator says so: the system behind the inbox
//! may be closed for a while. A restart lets go, so that no hold is forgotten for longer.

use tokio::sync::watch;

/// The operator's word on it.
#[derive(Debug)]
pub struct Held(watch::Sender<bool>);

impl Default for Held {
    fn default() -> Self {
        Held(watch::Sender::new(false))
    }
}

impl Held {
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
        let held = Held::default();
        held.let_go().await;
        assert!(held.set(true) && !held.set(true) && held.is_held());
        let (let_go, waited) = tokio::join!(async { held.set(false) }, held.let_go());
        assert!(let_go && !held.is_held());
        waited
    }
}
