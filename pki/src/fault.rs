//! Why a peer's certificate does not count: one stable code per reason, for metrics, logs, audit entries and run books.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error as TlsError, OtherError};
use webpki::Error as PathError;

/// Why a peer's certificate does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerFault {
    /// The peer showed no certificate.
    NoCert,
    /// Not a certificate that can be read: bad DER, an old version, a serial number out of shape (RFC 5280 section 4.1).
    Malformed,
    /// Past its notAfter, or an issuer above it is.
    Expired,
    /// Before its notBefore, or an issuer above it is.
    NotYetValid,
    /// No path to a configured anchor.
    UnknownCa,
    /// Signed by another key than its issuer's, or the peer does not hold the certificate's key.
    BadSignature,
    /// A signature with SHA-1 or another algorithm that is not accepted.
    WeakSignature,
    /// A key that is not accepted: RSA below 2048 bits, or a curve that the guideline does not name.
    WeakKey,
    /// A revocation list of its issuer names it, or one above it.
    Revoked,
    /// No revocation list of an issuer in the path.
    CrlMissing,
    /// The revocation list of an issuer in the path is past its nextUpdate.
    CrlExpired,
    /// The extended key usage does not name this use (RFC 5280 section 4.2.1.12), or names one that excludes it.
    WrongEku,
    /// The key usage does not allow this use (RFC 5280 section 4.2.1.3).
    WrongKu,
    /// An authority's certificate used as a peer's, or a peer's as an authority's (RFC 5280 section 4.2.1.9).
    WrongBasicConstraints,
    /// A critical extension that is not understood (RFC 5280 section 4.2).
    CriticalExtension,
    /// Valid for longer than [`crate::leaf::LIFETIME_MAX_DAYS`].
    LifetimeTooLong,
    /// More certificates, or a deeper path, than allowed.
    ChainTooLong,
    /// The host name does not stand in the certificate, or a name constraint forbids it.
    NameNotAllowed,
    /// By the identity rules it names nobody, or more than one holder, or has a name that cannot be read safely.
    BadIdentity,
    /// An identity of the other environment, or a lab's certificate where production is wanted.
    WrongEnvironment,
    /// An identity of another role than the one expected.
    WrongRole,
    /// The right role, but the certificate does not name the expected code.
    WrongParty,
    /// None of these.
    Other,
}

impl PeerFault {
    /// Every reason.
    pub const ALL: [PeerFault; 23] = [
        PeerFault::NoCert,
        PeerFault::Malformed,
        PeerFault::Expired,
        PeerFault::NotYetValid,
        PeerFault::UnknownCa,
        PeerFault::BadSignature,
        PeerFault::WeakSignature,
        PeerFault::WeakKey,
        PeerFault::Revoked,
        PeerFault::CrlMissing,
        PeerFault::CrlExpired,
        PeerFault::WrongEku,
        PeerFault::WrongKu,
        PeerFault::WrongBasicConstraints,
        PeerFault::CriticalExtension,
        PeerFault::LifetimeTooLong,
        PeerFault::ChainTooLong,
        PeerFault::NameNotAllowed,
        PeerFault::BadIdentity,
        PeerFault::WrongEnvironment,
        PeerFault::WrongRole,
        PeerFault::WrongParty,
        PeerFault::Other,
    ];

    /// The stable name.
    pub const fn code(self) -> &'static str {
        match self {
            PeerFault::NoCert => "no_cert",
            PeerFault::Malformed => "malformed",
            PeerFault::Expired => "expired",
            PeerFault::NotYetValid => "not_yet_valid",
            PeerFault::UnknownCa => "unknown_ca",
            PeerFault::BadSignature => "bad_signature",
            PeerFault::WeakSignature => "weak_signature",
            PeerFault::WeakKey => "weak_key",
            PeerFault::Revoked => "revoked",
            PeerFault::CrlMissing => "crl_missing",
            PeerFault::CrlExpired => "crl_expired",
            PeerFault::WrongEku => "wrong_eku",
            PeerFault::WrongKu => "wrong_ku",
            PeerFault::WrongBasicConstraints => "wrong_basic_constraints",
            PeerFault::CriticalExtension => "critical_extension",
            PeerFault::LifetimeTooLong => "lifetime_too_long",
            PeerFault::ChainTooLong => "chain_too_long",
            PeerFault::NameNotAllowed => "name_not_allowed",
            PeerFault::BadIdentity => "bad_identity",
            PeerFault::WrongEnvironment => "wrong_environment",
            PeerFault::WrongRole => "wrong_role",
            PeerFault::WrongParty => "wrong_party",
            PeerFault::Other => "other",
        }
    }

    /// The reason in words, to stand after the name of what is wrong.
    pub const fn in_words(self) -> &'static str {
        match self {
            PeerFault::NoCert => "no certificate was shown",
            PeerFault::Malformed => "it cannot be read, or is not as RFC 5280 has it",
            PeerFault::Expired => "it has ended",
            PeerFault::NotYetValid => "it is not valid yet",
            PeerFault::UnknownCa => "no path leads from it to a configured anchor",
            PeerFault::BadSignature => {
                "it is not signed by its issuer's key, or its holder does not hold its key"
            }
            PeerFault::WeakSignature => "it is signed with an algorithm that is not accepted",
            PeerFault::WeakKey => "its key is too weak, or of a kind that is not accepted",
            PeerFault::Revoked => "it is revoked",
            PeerFault::CrlMissing => "there is no revocation list that covers it",
            PeerFault::CrlExpired => "the revocation list that covers it has ended",
            PeerFault::WrongEku => "its extended key usages do not fit",
            PeerFault::WrongKu => "its key usage does not allow this",
            PeerFault::WrongBasicConstraints => {
                "an authority's certificate stands in a peer's place, or the reverse"
            }
            PeerFault::CriticalExtension => "it holds a critical extension that is not understood",
            PeerFault::LifetimeTooLong => "it is valid for longer than any certificate may be",
            PeerFault::ChainTooLong => "it is longer than allowed, or its path is",
            PeerFault::NameNotAllowed => {
                "it does not bear the name that was dialled, or one that its authority may give"
            }
            PeerFault::BadIdentity => "it names nobody, by the identity rules",
            PeerFault::WrongEnvironment => "it belongs to the other environment, or to a lab",
            PeerFault::WrongRole => "it names a holder of another role",
            PeerFault::WrongParty => "it names another party",
            PeerFault::Other => "the path could not be built",
        }
    }

    /// The reason of this name.
    pub fn from_code(code: &str) -> Option<Self> {
        PeerFault::ALL.into_iter().find(|fault| fault.code() == code)
    }

    /// What the TLS library is told, which decides the alert that the peer sees (RFC 8446 section 6.2): revoked →
    /// `certificate_revoked`, expired → `certificate_expired`, our policy → `access_denied`. A revocation list that is
    /// missing or too old is our own fault and not the peer's: `certificate_unknown`.
    pub(crate) fn to_tls(self) -> TlsError {
        match self {
            PeerFault::NoCert => TlsError::NoCertificatesPresented,
            PeerFault::Malformed => CertificateError::BadEncoding.into(),
            PeerFault::Expired => CertificateError::Expired.into(),
            PeerFault::NotYetValid => CertificateError::NotValidYet.into(),
            PeerFault::UnknownCa => CertificateError::UnknownIssuer.into(),
            PeerFault::BadSignature => CertificateError::BadSignature.into(),
            PeerFault::Revoked => CertificateError::Revoked.into(),
            PeerFault::WrongEku => CertificateError::InvalidPurpose.into(),
            PeerFault::CriticalExtension => CertificateError::UnhandledCriticalExtension.into(),
            PeerFault::CrlMissing | PeerFault::CrlExpired | PeerFault::Other => self.to_tls_exactly(),
            PeerFault::WeakSignature
            | PeerFault::WeakKey
            | PeerFault::WrongKu
            | PeerFault::WrongBasicConstraints
            | PeerFault::LifetimeTooLong
            | PeerFault::ChainTooLong
            | PeerFault::NameNotAllowed
            | PeerFault::BadIdentity
            | PeerFault::WrongEnvironment
            | PeerFault::WrongRole
            | PeerFault::WrongParty => CertificateError::ApplicationVerificationFailure.into(),
        }
    }

    /// The name of the alert that a client sees which is refused for this; `None` for what only a client refuses.
    pub fn alert(self) -> Option<&'static str> {
        let alert = match self.to_tls() {
            TlsError::InvalidCertificate(error) => AlertDescription::from(error),
            TlsError::NoCertificatesPresented => AlertDescription::CertificateRequired,
            _ => return None,
        };
        Some(match alert {
            AlertDescription::CertificateRequired => "certificate_required",
            AlertDescription::BadCertificate => "bad_certificate",
            AlertDescription::UnsupportedCertificate => "unsupported_certificate",
            AlertDescription::CertificateRevoked => "certificate_revoked",
            AlertDescription::CertificateExpired => "certificate_expired",
            AlertDescription::CertificateUnknown => "certificate_unknown",
            AlertDescription::UnknownCA => "unknown_ca",
            AlertDescription::AccessDenied => "access_denied",
            AlertDescription::DecodeError => "decode_error",
            AlertDescription::DecryptError => "decrypt_error",
            _ => return None,
        })
    }

    /// As [`PeerFault::to_tls`], but the error that comes back to our own side names the reason itself. For a client:
    /// the text of its own error matters more than the alert a server will see.
    pub(crate) fn to_tls_exactly(self) -> TlsError {
        CertificateError::Other(OtherError(std::sync::Arc::new(self))).into()
    }

    /// Why we refused the peer, if that is what this TLS error says. A server's own policy arrives as
    /// [`PeerFault::Other`]: TLS has one alert for all of it, the exact reason goes to the observer of refusals.
    pub fn of_tls(error: &TlsError) -> Option<Self> {
        let fault = match error {
            TlsError::NoCertificatesPresented => PeerFault::NoCert,
            TlsError::InvalidCertificate(error) => match error {
                CertificateError::BadEncoding => PeerFault::Malformed,
                CertificateError::Expired => PeerFault::Expired,
                CertificateError::NotValidYet => PeerFault::NotYetValid,
                CertificateError::UnknownIssuer => PeerFault::UnknownCa,
                CertificateError::BadSignature => PeerFault::BadSignature,
                CertificateError::Revoked => PeerFault::Revoked,
                CertificateError::InvalidPurpose => PeerFault::WrongEku,
                CertificateError::UnhandledCriticalExtension => PeerFault::CriticalExtension,
                CertificateError::Other(OtherError(inner)) => {
                    inner.downcast_ref::<PeerFault>().copied().unwrap_or(PeerFault::Other)
                }
                _ => PeerFault::Other,
            },
            _ => return None,
        };
        Some(fault)
    }

    /// The same reason in the words of the path building library.
    pub(crate) fn of_path(error: &PathError) -> Self {
        match error {
            PathError::CertExpired { .. } => PeerFault::Expired,
            PathError::CertNotValidYet { .. } => PeerFault::NotYetValid,
            PathError::UnknownIssuer | PathError::CertDistrusted => PeerFault::UnknownCa,
            PathError::InvalidSignatureForPublicKey => PeerFault::BadSignature,
            PathError::UnsupportedSignatureAlgorithmContext(_)
            | PathError::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
            | PathError::SignatureAlgorithmMismatch => PeerFault::WeakSignature,
            PathError::RequiredEkuNotFoundContext(_) | PathError::EmptyEkuExtension => PeerFault::WrongEku,
            PathError::CaUsedAsEndEntity | PathError::EndEntityUsedAsCa => PeerFault::WrongBasicConstraints,
            PathError::UnsupportedCriticalExtension => PeerFault::CriticalExtension,
            PathError::MaximumPathDepthExceeded
            | PathError::PathLenConstraintViolated
            | PathError::MaximumSignatureChecksExceeded
            | PathError::MaximumPathBuildCallsExceeded
            | PathError::MaximumNameConstraintComparisonsExceeded => PeerFault::ChainTooLong,
            PathError::NameConstraintViolation
            | PathError::CertNotValidForName(_)
            | PathError::InvalidNetworkMaskConstraint
            | PathError::MalformedNameConstraint
            | PathError::UnsupportedNameType => PeerFault::NameNotAllowed,
            PathError::BadDer
            | PathError::BadDerTime
            | PathError::TrailingData(_)
            | PathError::InvalidCertValidity
            | PathError::InvalidSerialNumber
            | PathError::MalformedExtensions
            | PathError::ExtensionValueInvalid
            | PathError::MalformedDnsIdentifier
            | PathError::UnsupportedCertVersion => PeerFault::Malformed,
            _ => PeerFault::Other,
        }
    }
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for PeerFault {}

/// The stable name of what a peer's alert says of *our* certificate; `None` for alerts about other matters.
pub(crate) fn code_of_alert(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::CertificateRequired => "no_cert",
        AlertDescription::CertificateRevoked => "revoked",
        AlertDescription::CertificateExpired => "expired",
        AlertDescription::UnknownCA => "unknown_ca",
        AlertDescription::UnsupportedCertificate => "wrong_eku",
        AlertDescription::DecryptError => "bad_signature",
        AlertDescription::AccessDenied => "access_denied",
        AlertDescription::BadCertificate => "bad_certificate",
        AlertDescription::CertificateUnknown => "certificate_unknown",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_distinct_and_reads_back() {
        for fault in PeerFault::ALL {
            assert_eq!(PeerFault::from_code(fault.code()), Some(fault));
        }
    }

    #[test]
    fn each_kind_of_refusal_has_the_alert_that_tells_it_to_a_peer() {
        for (fault, alert) in [
            (PeerFault::Revoked, AlertDescription::CertificateRevoked),
            (PeerFault::Expired, AlertDescription::CertificateExpired),
            (PeerFault::WrongEnvironment, AlertDescription::AccessDenied),
            (PeerFault::BadIdentity, AlertDescription::AccessDenied),
            (PeerFault::CrlExpired, AlertDescription::CertificateUnknown),
        ] {
            let TlsError::InvalidCertificate(error) = fault.to_tls() else {
                panic!("{fault}: another error")
            };
            assert_eq!(AlertDescription::from(error), alert, "{fault}");
        }
    }

    /// The name of an alert (RFC 8446 section 6) as documents write it.
    fn alert_name(fault: PeerFault) -> String {
        let alert = match fault.to_tls() {
            TlsError::NoCertificatesPresented => AlertDescription::CertificateRequired,
            TlsError::InvalidCertificate(error) => AlertDescription::from(error),
            other => panic!("{fault}: another error, {other}"),
        };
        let mut name = String::new();
        for c in format!("{alert:?}").chars() {
            if c.is_uppercase() && !name.is_empty() && !name.ends_with(|c: char| c.is_uppercase()) {
                name.push('_');
            }
            name.push(c);
        }
        name.to_lowercase()
    }

    #[test]
    fn every_reason_stands_in_the_manual_with_its_words_and_its_alert() {
        let page = include_str!("../../docs/certificates.md");
        for fault in PeerFault::ALL {
            let row = format!("| `{fault}` | {} | `{}` |", fault.in_words(), alert_name(fault));
            assert!(page.contains(&row), "docs/certificates.md lacks {row}");
        }
    }

    #[test]
    fn a_fault_comes_back_out_of_its_exact_tls_error() {
        for fault in PeerFault::ALL {
            assert_eq!(PeerFault::of_tls(&fault.to_tls_exactly()), Some(fault));
        }
    }
}
