//! Days as the senders count them: by Japanese time, which has no summer time.

use crate::moment::Moment;

const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Japanese time is nine hours ahead of UTC.
const AHEAD_MS: i64 = 9 * HOUR_MS;

/// One day, from midnight to midnight in Japan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// Its first millisecond.
    pub began: Moment,
    /// The first millisecond of the next.
    pub ends: Moment,
}

/// The day that this moment belongs to.
pub fn day_of(moment: Moment) -> Day {
    let began = (moment.unix_ms() + AHEAD_MS).div_euclid(DAY_MS) * DAY_MS - AHEAD_MS;
    Day { began: Moment::from_unix_ms(began), ends: Moment::from_unix_ms(began + DAY_MS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        for (moment, began, ends) in [
            ("2026-11-09T14:59:59.999Z", "2026-11-08T15:00:00.000Z", "2026-11-09T15:00:00.000Z"),
            ("2026-11-09T15:00:00.000Z", "2026-11-09T15:00:00.000Z", "2026-11-10T15:00:00.000Z"),
        ] {
            let day = day_of(moment.parse().unwrap());
            assert_eq!((day.began.to_string(), day.ends.to_string()), (began.to_owned(), ends.to_owned()));
        }
    }
}
