//! What could not be delivered, and when it is tried again. Pure but for the wait; the caller brings the time.

use std::{collections::HashMap, future::pending, time::Duration};

use protocol::transfer_id::TransferKey;
use tokio::time::{Instant, sleep_until};

/// The pause after a delivery that failed: a full or absent inbox is mended by people.
pub const RETRY_AFTER: Duration = Duration::from_secs(10);

/// It. As many transfers as are committed and stuck.
#[derive(Default)]
pub struct Later {
    again: HashMap<TransferKey, Instant>,
    /// Nobody knows what there is: the ledger could not be asked.
    ask: Option<Instant>,
}

impl Later {
    /// A round begins: what is due by now waits no more.
    pub fn begin(&mut self, now: Instant) {
        self.ask = None;
        self.again.retain(|_, at| *at > now);
    }

    /// This one failed now.
    pub fn failed(&mut self, key: &TransferKey, now: Instant) {
        self.again.insert(key.clone(), now + RETRY_AFTER);
    }

    /// The ledger could not be asked now.
    pub fn not_asked(&mut self, now: Instant) {
        self.ask = Some(now + RETRY_AFTER);
    }

    /// Is it left alone in this round?
    pub fn waits(&self, key: &TransferKey) -> bool {
        self.again.contains_key(key)
    }

    /// Until something is due; for ever if nothing is. May be dropped without loss.
    pub async fn due(&self) {
        match self.again.values().chain(&self.ask).min() {
            Some(at) => sleep_until(*at).await,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> TransferKey {
        let now = protocol::moment::Moment::from_unix_ms(1_700_000_000_000);
        TransferKey {
            sender: "institution:1310000018".parse().unwrap(),
            id: protocol::transfer_id::TransferId::new(now, [number; 10]),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_left_alone_until_it_is_due_whatever_comes_in_meanwhile() {
        let (mut later, began) = (Later::default(), Instant::now());
        later.failed(&key(1), began);
        later.begin(began + RETRY_AFTER / 2);
        assert!(later.waits(&key(1)) && !later.waits(&key(2)));
        later.failed(&key(2), began + RETRY_AFTER / 2);
        later.due().await;
        assert_eq!(Instant::now().duration_since(began).as_secs(), RETRY_AFTER.as_secs());
        later.begin(Instant::now());
        assert!(!later.waits(&key(1)) && later.waits(&key(2)));
    }
}
