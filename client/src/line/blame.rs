//! Who or what is to blame for an error of a connection.

use std::error::Error;

use pki::tls::{alert_reason, own_refusal};
use protocol::cause::of_connection_error;

use super::{Break, pulse::Pulse};

/// The refusal of a certificate, if that is somewhere below this error.
pub(super) fn refusal_in(error: &(dyn Error + 'static)) -> Option<Break> {
    let ours = alert_reason(error).map(Break::OurCertificate);
    ours.or_else(|| own_refusal(error).map(Break::TheirCertificate))
}

/// What an error of the connection means. The socket's own word goes before the library's.
pub(super) fn explain(error: &(dyn Error + Send + Sync + 'static), pulse: &Pulse) -> Break {
    if let Some(refusal) = refusal_in(error) {
        return refusal;
    }
    if error.is::<http_body_util::LengthLimitError>() {
        return Break::BadAnswer("it is longer than any answer of this protocol");
    }
    let beat = pulse.beat();
    let cause = beat.socket_cause().unwrap_or_else(|| of_connection_error(error));
    Break::Cut { cause, detected_after: beat.still_for() }
}
