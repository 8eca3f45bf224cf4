//! How fast content leaves: one measure for all transfers of a client.
//!
//! Each transfer asks for a sip when the last one has left, and sips leave in the order in which they were asked for: so all
//! have the same share. Sips are small beside every deadline, so that nobody takes a slow transfer for one that stands still.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use config::sending::Rate;

use crate::limits::{BLOCK_BYTES, CATCH_UP_MAX, SIPS_PER_SECOND};

/// When what may leave. Pure.
#[derive(Debug)]
struct Schedule {
    bytes_per_second: u64,
    /// When the next sip may leave, if all before it had come in time.
    next: Option<Instant>,
}

impl Schedule {
    /// When so many bytes may leave that are asked for now.
    fn take(&mut self, bytes: u64, now: Instant) -> Instant {
        // What was not used is gone, but for a little: whoever waits is woken late.
        let earliest = now.checked_sub(CATCH_UP_MAX).unwrap_or(now);
        let at = self.next.map_or(now, |next| next.max(earliest));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        self.next = Some(at + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)));
        at
    }
}

/// Shared by all transfers.
#[derive(Debug)]
pub(crate) struct Pace {
    schedule: Mutex<Schedule>,
    sip: usize,
}

impl Pace {
    pub fn new(rate: Rate) -> Self {
        let bytes_per_second = rate.bytes_per_second().get();
        let sip = usize::try_from(bytes_per_second / SIPS_PER_SECOND).unwrap_or(BLOCK_BYTES);
        let schedule = Schedule { bytes_per_second, next: None };
        Pace { schedule: Mutex::new(schedule), sip: sip.clamp(1, BLOCK_BYTES) }
    }

    /// Bytes that leave at once.
    pub fn sip(&self) -> usize {
        self.sip
    }

    /// When so many bytes may leave.
    pub fn take(&self, bytes: usize) -> Instant {
        let mut schedule = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        schedule.take(bytes as u64, Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 1 << 20;
    const SIP: u64 = 32 << 10;

    /// What transfers get in so many milliseconds that ask from the beginning, each for the next sip as soon as the last one
    /// has left; a clock of the test's own, in milliseconds, wakes them.
    fn drunk(transfers: usize, millis: u64) -> Vec<u64> {
        let mut schedule = Schedule { bytes_per_second: RATE, next: None };
        let begin = Instant::now();
        let mut waiting: Vec<Instant> = (0..transfers).map(|_| schedule.take(SIP, begin)).collect();
        let mut drunk = vec![0; transfers];
        for milli in 0..millis {
            let now = begin + Duration::from_millis(milli);
            for (at, drunk) in waiting.iter_mut().zip(&mut drunk) {
                while *at <= now {
                    *drunk += SIP;
                    *at = schedule.take(SIP, now);
                }
            }
        }
        drunk
    }

    #[test]
    fn no_more_leaves_than_the_rate_allows_and_hardly_less() {
        for transfers in [1, 3, 16] {
            let total: u64 = drunk(transfers, 10_000).iter().sum();
            assert!((10 * RATE - SIP..=10 * RATE + SIP).contains(&total), "{transfers} got {total}");
        }
    }

    #[test]
    fn all_have_the_same_share() {
        let drunk = drunk(7, 10_000);
        let (least, most) = (drunk.iter().min().unwrap(), drunk.iter().max().unwrap());
        assert!(most - least <= SIP, "{drunk:?}");
    }

    #[test]
    fn a_pause_is_not_made_up_for() {
        let mut schedule = Schedule { bytes_per_second: RATE, next: None };
        let begin = Instant::now();
        schedule.take(RATE, begin);
        let later = begin + Duration::from_secs(60);
        let mut at_once = 0;
        while schedule.take(SIP, later) <= later {
            at_once += SIP;
        }
        let allowed = RATE * u64::try_from(CATCH_UP_MAX.as_millis()).unwrap() / 1000 + SIP;
        assert!(at_once <= allowed, "{at_once} at once, {allowed} allowed");
    }

    #[test]
    fn at_the_least_rate_each_of_the_most_transfers_moves_well_within_every_deadline() {
        let pace = Pace::new("32KiB".parse().unwrap());
        let transfers = u64::from(config::limits::PARALLEL.high);
        let millis = transfers * pace.sip() as u64 * 1000 / config::sending::RATE_LOW;
        let shortest = config::limits::ANSWER_MAX.low.min(config::limits::STALL_MAX.low);
        assert!(u128::from(millis) * 2 <= shortest.as_millis(), "{millis} ms between two sips");
    }
}
