//! How something that runs is told to end, and why.

use std::sync::{Arc, OnceLock};

use protocol::cause::Cause;
use tokio_util::sync::CancellationToken;

/// Tells one thing to end. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    token: CancellationToken,
    cause: Arc<OnceLock<Cause>>,
    withdrawn: CancellationToken,
}

impl Stop {
    /// Tells it to end; the first cause counts, unless certificate or right is withdrawn, which counts whenever it comes.
    pub fn stop(&self, cause: Cause) {
        if cause == Cause::Revoked {
            self.withdrawn.cancel();
        }
        // A second cause changes nothing: it is ending already.
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// Waits until it is told to end. Safe to drop and call again.
    pub async fn stopped(&self) -> Cause {
        self.token.cancelled().await;
        self.cause.get().copied().unwrap_or(Cause::Draining)
    }

    /// Cancelled when this is told to end, and by itself if need be.
    pub fn child_token(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Why it was told to end, if it was.
    pub fn told(&self) -> Option<Cause> {
        if self.withdrawn.is_cancelled() {
            return Some(Cause::Revoked);
        }
        self.cause.get().copied()
    }
}
