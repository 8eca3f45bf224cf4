//! Telling a refused certificate from a broken line.
//!
//! In TLS 1.3 a client's handshake ends before the server has judged its certificate: the refusal arrives as an alert at
//! the first read, or shows as a broken pipe while writing. Whoever meets an error while talking asks here.

use std::{error::Error, io};

use rustls::Error as TlsError;

use crate::fault::{PeerFault, code_of_alert};

/// If the peer refused *our* certificate, the stable name of its reason: `revoked`, `expired`, `unknown_ca`, `no_cert`,
/// `wrong_eku`, `bad_signature`, `access_denied` (its policy), `certificate_unknown` (it cannot judge just now),
/// `bad_certificate`. Looks through the whole chain of causes, so an I/O error or an HTTP library's error will do.
pub fn alert_reason(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match tls_error_in(error)? {
        TlsError::AlertReceived(alert) => code_of_alert(*alert),
        _ => None,
    }
}

/// If *we* refused the peer's certificate, why. On a server its own policy shows as [`PeerFault::Other`]: see
/// [`PeerFault::of_tls`].
pub fn own_refusal(error: &(dyn Error + 'static)) -> Option<PeerFault> {
    PeerFault::of_tls(tls_error_in(error)?)
}

fn tls_error_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsError>() {
            return Some(found);
        }
        // An I/O error's `source` skips the error that it wraps.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
