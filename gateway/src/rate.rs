//! How fast something may happen: so often in a second, with a second's worth or some at once. Pure; the caller brings the
//! time.
//!
//! Kept is the one moment at which all that happened would be paid for at that rate (the generic cell rate algorithm, ITU-T
//! I.371): whoever is further ahead of the time than its burst has to wait.

use std::time::{Duration, Instant};

/// The rate of one thing that happens.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    paid_until: Instant,
}

/// It happens too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// When it may be asked for again.
    pub again_in: Duration,
}

impl Rate {
    /// Of what did not happen yet.
    pub fn new(now: Instant) -> Self {
        Rate { paid_until: now }
    }

    /// Takes the next turn: says how long to wait for it, or that the wait would be longer than `wait_max`; then nothing
    /// is taken. `per_second` at the lowest 1; `burst` is how far ahead it may be without waiting.
    pub fn take(
        &mut self,
        per_second: u32,
        burst: Duration,
        wait_max: Duration,
        now: Instant,
    ) -> Result<Duration, TooFast> {
        let paid_until = self.paid_until.max(now) + Duration::from_secs(1) / per_second.max(1);
        let wait = paid_until.duration_since(now).saturating_sub(burst);
        if wait > wait_max {
            return Err(TooFast { again_in: wait - wait_max });
        }
        self.paid_until = paid_until;
        Ok(wait)
    }

    /// Is it as good as new?
    pub fn is_rested(&self, now: Instant) -> bool {
        self.paid_until <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BURST: Duration = Duration::from_secs(2);

    #[test]
    fn a_burst_comes_at_once_and_the_next_at_the_rate() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        for _ in 0..20 {
            assert_eq!(rate.take(10, BURST, Duration::ZERO, now), Ok(Duration::ZERO));
        }
        let again_in = Duration::from_millis(100);
        assert_eq!(rate.take(10, BURST, Duration::ZERO, now), Err(TooFast { again_in }));
        assert_eq!(rate.take(10, BURST, Duration::ZERO, now + again_in), Ok(Duration::ZERO));
        assert!(rate.take(10, BURST, Duration::ZERO, now + again_in).is_err());
    }

    #[test]
    fn whoever_may_wait_is_given_turns_at_the_rate_and_no_more_than_fit_into_its_wait() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        let turns: Vec<_> = (0..100).map_while(|_| rate.take(10, Duration::ZERO, BURST, now).ok()).collect();
        assert_eq!(turns.len(), 20);
        assert!(turns.iter().enumerate().all(|(n, wait)| wait.as_millis() == 100 * (n as u128 + 1)));
    }

    #[test]
    fn a_pause_earns_no_more_than_a_burst() {
        let now = Instant::now();
        let mut rate = Rate::new(now);
        assert!(rate.take(10, BURST, Duration::ZERO, now).is_ok() && !rate.is_rested(now));
        let later = now + Duration::from_secs(3600);
        assert!(rate.is_rested(later));
        let taken = (0..100).filter(|_| rate.take(10, BURST, Duration::ZERO, later).is_ok());
        assert_eq!(taken.count(), 20);
    }
}
