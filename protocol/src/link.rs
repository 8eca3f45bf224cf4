//! How soon a dead line is noticed (guideline II.5(8)): the timers that both ends derive from one figure.

use std::time::Duration;

/// Kernel timers that, together, notice a dead line within `detect_max`, whichever way data flows.
///
/// Unanswered data ends a connection after `user_timeout`; on an idle one probes start after `keepalive_idle` and go
/// out every `keepalive_interval`. Neither sees a peer whose kernel answers while its program stalls: that is the task
/// of deadlines in the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTimers {
    /// TCP_USER_TIMEOUT: ¾ of `detect_max`, so that the last retransmission has time to be noticed.
    pub user_timeout: Duration,
    /// TCP_KEEPIDLE: ⅓ of `detect_max`, at least the kernel's unit of one second.
    pub keepalive_idle: Duration,
    /// TCP_KEEPINTVL: ⅕ of `detect_max`, at least one second.
    pub keepalive_interval: Duration,
    /// TCP_KEEPCNT, for systems without TCP_USER_TIMEOUT.
    pub keepalive_probes: u32,
}

/// The shortest `detect_max` a lab may ask for.
pub const DETECT_MAX_LOWEST: Duration = Duration::from_secs(2);

impl LinkTimers {
    /// The timers for a line that must be known dead within `detect_max`.
    pub fn for_detect_max(detect_max: Duration) -> Self {
        let second = Duration::from_secs(1);
        LinkTimers {
            user_timeout: detect_max * 3 / 4,
            keepalive_idle: (detect_max / 3).max(second),
            keepalive_interval: (detect_max / 5).max(second),
            keepalive_probes: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timers_of_ten_seconds_are_those_of_the_design() {
        let timers = LinkTimers::for_detect_max(Duration::from_secs(10));
        assert_eq!(timers.user_timeout, Duration::from_millis(7500));
        assert_eq!(timers.keepalive_idle.as_millis(), 3333);
        assert_eq!(timers.keepalive_interval, Duration::from_secs(2));
    }

    #[test]
    fn no_timer_falls_below_the_unit_of_the_kernel() {
        let timers = LinkTimers::for_detect_max(DETECT_MAX_LOWEST);
        assert_eq!(
            (timers.keepalive_idle, timers.keepalive_interval),
            (Duration::from_secs(1), Duration::from_secs(1))
        );
        assert!(timers.user_timeout < DETECT_MAX_LOWEST);
    }
}
