//! Times as the certificate libraries write them, and the system's clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::moment::Moment;
use rustls_pki_types::UnixTime;
use x509_parser::time::ASN1Time;

/// The time now, by the system's clock.
pub fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Moment::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// To whole seconds, the unit of certificates.
pub(crate) fn unix_time(moment: Moment) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(moment.unix_seconds()))
}

/// From the form that TLS and webpki use.
pub(crate) fn moment_of_unix(time: UnixTime) -> Moment {
    Moment::from_unix_ms(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// From a date in a certificate or list; dates before 1970 count as 1970.
pub(crate) fn moment_of_asn1(time: ASN1Time) -> Moment {
    Moment::from_unix_ms(time.timestamp().saturating_mul(1000))
}
