//! When to try again: waits that double up to a limit, a part of each random, so that all the clients of a centre that
//! was down do not come back at once.

use std::time::Duration;

use config::client::Retry;

/// The wait before try number `next` (the second is 2). `random` is any number; half of the wait is of its choosing.
pub(crate) fn wait_before(next: u32, retry: &Retry, random: u64) -> Duration {
    let doublings = next.saturating_sub(2).min(31);
    let longest = retry.first_wait.saturating_mul(1 << doublings).min(retry.longest_wait);
    let half = longest / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(random % millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_at_least_half_is_certain() {
        let retry =
            Retry { attempts: 5, first_wait: Duration::from_secs(4), longest_wait: Duration::from_secs(20) };
        for (next, longest) in [(2, 4), (3, 8), (4, 16), (5, 20), (90, 20)] {
            for random in [0, 1, 12_345, u64::MAX] {
                let wait = wait_before(next, &retry, random);
                let longest = Duration::from_secs(longest);
                assert!((longest / 2..=longest).contains(&wait), "try {next}: {wait:?}");
            }
        }
    }
}
