//! How often something may happen in a minute for each key: so that nobody fills the log, known or unknown.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
};

use protocol::moment::Moment;

const MINUTE_MS: i64 = 60_000;

/// Counts by key within the current minute.
pub struct PerMinute<K> {
    max: u32,
    keys_max: usize,
    minute: Mutex<(i64, HashMap<K, u32>)>,
}

impl<K: Eq + Hash> PerMinute<K> {
    /// `max` times for each key, for `keys_max` keys; the keys beyond them have to wait for the next minute.
    pub fn new(max: u32, keys_max: usize) -> Self {
        PerMinute { max, keys_max, minute: Mutex::new((0, HashMap::new())) }
    }

    /// Counts once more; may it happen?
    pub fn may(&self, key: K, now: Moment) -> bool {
        self.may_up_to(self.max, key, now)
    }

    /// As [`PerMinute::may`], for what an operator sets.
    pub fn may_up_to(&self, max: u32, key: K, now: Moment) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let current = now.unix_ms() / MINUTE_MS;
        if minute.0 != current {
            *minute = (current, HashMap::new());
        }
        if minute.1.len() >= self.keys_max && !minute.1.contains_key(&key) {
            return false;
        }
        let count = minute.1.entry(key).or_default();
        *count = count.saturating_add(1);
        *count <= max
    }

    /// Seconds from now until the next minute begins.
    pub fn next_in(now: Moment) -> u64 {
        u64::try_from(MINUTE_MS - now.unix_ms().rem_euclid(MINUTE_MS)).unwrap_or_default().div_ceil(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_more_than_its_share_and_the_next_minute_is_a_new_one() {
        let denials = PerMinute::new(60, 10);
        let now = Moment::from_unix_ms(0);
        assert_eq!((0..1000).filter(|_| denials.may("greedy", now)).count(), 60);
        assert!(denials.may("other", now));
        assert_eq!(PerMinute::<&str>::next_in(Moment::from_unix_ms(1)), 60);
        assert!(denials.may("greedy", Moment::from_unix_ms(MINUTE_MS)));
    }

    #[test]
    fn keys_beyond_the_limit_do_not_start_the_count_anew() {
        let denials = PerMinute::new(1, 2);
        let now = Moment::from_unix_ms(0);
        assert!(denials.may(1, now) && denials.may(2, now));
        assert!(!denials.may(3, now));
        assert!(!denials.may(1, now));
    }
}
