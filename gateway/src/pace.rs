//! Is content coming fast enough? Pure: the caller brings the time.

use std::time::{Duration, Instant};

/// Watches the minimum rate over consecutive windows.
pub struct Pace {
    bytes_per_second_min: u64,
    window: Duration,
    window_began: Instant,
    bytes_in_window: u64,
}

impl Pace {
    /// A watch that begins now and judges each `window` as a whole.
    pub fn new(bytes_per_second_min: u64, window: Duration, now: Instant) -> Self {
        Pace { bytes_per_second_min, window, window_began: now, bytes_in_window: 0 }
    }

    /// Counts bytes that came; `false` once a whole window stayed below the rate.
    pub fn fast_enough(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes_in_window = self.bytes_in_window.saturating_add(bytes as u64);
        let elapsed = now.duration_since(self.window_began);
        if elapsed < self.window {
            return true;
        }
        let wanted = self.bytes_per_second_min.saturating_mul(elapsed.as_secs());
        let enough = self.bytes_in_window >= wanted;
        (self.window_began, self.bytes_in_window) = (now, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_found_after_one_window_and_a_burst_after_a_pause_is_not() {
        let start = Instant::now();
        let mut pace = Pace::new(1000, Duration::from_secs(30), start);
        assert!(pace.fast_enough(1, start + Duration::from_secs(29)));
        assert!(!pace.fast_enough(1, start + Duration::from_secs(30)));
        let mut pace = Pace::new(1000, Duration::from_secs(30), start);
        assert!(pace.fast_enough(30_000, start + Duration::from_secs(30)));
    }
}
