//! Times as people write them: RFC 3339, or a signed span from now.

use std::{fmt, str::FromStr};

use protocol::moment::Moment;
use time::{Date, Month, OffsetDateTime, util::days_in_month};

/// A time, or a span to add to another: `2027-01-31T00:00:00Z`, `+39mo`, `-5m`, `+7d`, `+12h`, `+90s`, `+2y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// This time.
    At(Moment),
    /// Calendar months from the start.
    Months(i32),
    /// Milliseconds from the start.
    Milliseconds(i64),
}

impl When {
    /// The time that is meant, counted from `start`; `None` beyond the years 1970 to 9999.
    pub fn from(self, start: Moment) -> Option<Moment> {
        match self {
            When::At(moment) => Some(moment),
            When::Milliseconds(ms) => {
                let ms = start.unix_ms().checked_add(ms)?;
                let moment = Moment::from_unix_ms(ms);
                (moment.unix_ms() == ms).then_some(moment)
            }
            When::Months(months) => add_months(start, months),
        }
    }
}

/// The same day and time so many months on; the last day of the month where there is no such day.
fn add_months(start: Moment, months: i32) -> Option<Moment> {
    let from = OffsetDateTime::from_unix_timestamp_nanos(i128::from(start.unix_ms()) * 1_000_000).ok()?;
    let count = from.year().checked_mul(12)?.checked_add(i32::from(u8::from(from.month())) - 1)?;
    let count = count.checked_add(months)?;
    let year = count.div_euclid(12);
    let month = Month::try_from(u8::try_from(count.rem_euclid(12) + 1).ok()?).ok()?;
    let day = from.day().min(days_in_month(month, year));
    let date = Date::from_calendar_date(year, month, day).ok()?;
    let ms = i64::try_from(from.replace_date(date).unix_timestamp_nanos() / 1_000_000).ok()?;
    let moment = Moment::from_unix_ms(ms);
    (moment.unix_ms() == ms).then_some(moment)
}

impl FromStr for When {
    type Err = NotATime;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sign = match text.bytes().next() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return text.parse().map(When::At).map_err(|_| NotATime),
        };
        let span = text.get(1..).ok_or(NotATime)?;
        let digits = span.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = span.split_at(digits);
        let number: i64 = number.parse().map_err(|_| NotATime)?;
        let months = |each: i64| {
            let months = number.checked_mul(each).and_then(|count| i32::try_from(count * sign).ok());
            months.map(When::Months).ok_or(NotATime)
        };
        let ms = |each: i64| number.checked_mul(each * sign).map(When::Milliseconds).ok_or(NotATime);
        match unit {
            "s" => ms(1000),
            "m" => ms(60 * 1000),
            "h" => ms(60 * 60 * 1000),
            "d" => ms(24 * 60 * 60 * 1000),
            "mo" => months(1),
            "y" => months(12),
            _ => Err(NotATime),
        }
    }
}

/// Neither a time nor a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "write a time as 2027-01-31T00:00:00Z, or a span as +39mo, +7d, +12h, -5m, +90s or +2y (mo = months, m = minutes)",
        )
    }
}

impl std::error::Error for NotATime {}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: &str, span: &str) -> String {
        let when: When = span.parse().unwrap();
        when.from(start.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        assert_eq!(after("2026-11-22T01:02:03Z", "+39mo"), "2030-02-22T01:02:03.000Z");
        assert_eq!(after("2026-11-30T00:00:00Z", "+3mo"), "2027-02-28T00:00:00.000Z");
        assert_eq!(after("2026-01-15T00:00:00Z", "-1mo"), "2025-12-15T00:00:00.000Z");
    }

    #[test]
    fn spans_and_times_are_told_apart() {
        assert_eq!(after("2026-11-22T00:00:00Z", "-5m"), "2026-11-21T23:55:00.000Z");
        assert_eq!(after("2026-11-22T00:00:00Z", "2030-01-01T00:00:00+09:00"), "2029-12-31T15:00:00.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in
            ["", "+", "39mo", "+mo", "+7", "+7 d", "+99999999999999999999d", "+9223372036854775807mo", "+1é"]
        {
            assert!(bad.parse::<When>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_span_beyond_the_calendar_yields_nothing() {
        let start: Moment = "2026-11-22T00:00:00Z".parse().unwrap();
        for far in ["+9000y", "-60y", "+2147483647mo", "-9223372036854775s"] {
            assert_eq!(far.parse::<When>().unwrap().from(start), None, "{far}");
        }
    }
}
