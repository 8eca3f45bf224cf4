//! Points in time and how far the clock that read them can be trusted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A point in time in UTC, to the millisecond. Written by RFC 3339, as `2026-11-22T04:05:06.789Z`.
///
/// The crate has no clock: whoever calls brings the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

/// The last millisecond of the year 9999, the end of RFC 3339.
const LAST: i64 = 253_402_300_799_999;

impl Moment {
    /// From milliseconds since 1970-01-01T00:00:00Z; held within the years 1970 to 9999.
    pub fn from_unix_ms(ms: i64) -> Self {
        Moment(ms.clamp(0, LAST))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z.
    pub fn unix_seconds(self) -> u64 {
        (self.0 / 1000).unsigned_abs()
    }

    /// Milliseconds from `earlier` to this one; negative when `earlier` is later.
    pub fn ms_since(self, earlier: Moment) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?;
        let text = when.format(time::macros::format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        ));
        f.write_str(&text.map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let when = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotAMoment)?;
        let ms = when.to_offset(UtcOffset::UTC).unix_timestamp_nanos() / 1_000_000;
        let ms = i64::try_from(ms).map_err(|_| NotAMoment)?;
        if (0..=LAST).contains(&ms) { Ok(Moment(ms)) } else { Err(NotAMoment) }
    }
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Not an RFC 3339 time between 1970 and 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time between 1970 and 9999")]
pub struct NotAMoment;

/// What the operating system said of its clock when a time was read. It stands in every receipt and log entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockState {
    /// Disciplined by a time service.
    Synchronised,
    /// The system says that it is not.
    Unsynchronised,
    /// The system does not say.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_back_as_itself_and_offsets_are_brought_to_utc() {
        let moment: Moment = "2026-11-22T13:23:39.007+09:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-11-22T04:23:39.007Z");
        assert_eq!(moment.to_string().parse::<Moment>(), Ok(moment));
    }
}
