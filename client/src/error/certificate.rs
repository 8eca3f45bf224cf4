//! What a clerk does about a certificate that was refused, by the centre or by us.

use pki::fault::PeerFault;

/// After the centre refused ours, by the stable name of its reason. A centre's policy has one alert for all its reasons;
/// the exact one stands in the centre's log.
pub(super) fn next_after_refusal(reason: &str) -> &'static str {
    match reason {
        "revoked" => {
            "the certificate under [tls] was withdrawn and never counts again: ask whoever issued it for a new one, with a new key"
        }
        // TLS has one alert for both ends of its time.
        "expired" => {
            "by the centre's clock the certificate under [tls] has ended or does not count yet: renew it; if its dates are good, check this machine's clock"
        }
        "unknown_ca" => {
            "the centre does not know who issued the certificate under [tls]: check that it is the one for this centre, with the authority's own certificate behind it in the file"
        }
        "wrong_eku" => {
            "the certificate under [tls] was issued for something else: name the one for the line, not the one for evidence"
        }
        "bad_signature" | "no_cert" => {
            "certificate and key under [tls] do not prove what they should: check that both are whole and belong together"
        }
        "access_denied" => {
            "the certificate under [tls] is good, but not here: check that it was issued for this environment, this party and this centre"
        }
        "certificate_unknown" => {
            "the centre cannot judge certificates at present, for example because its revocation list has ended: call the contact, and run the same command again later"
        }
        _ => {
            "renew or replace the certificate under [tls]; if it is new, ask the centre which ones it accepts"
        }
    }
}

/// After we refused the centre's.
pub(super) const fn next_after_distrust(fault: PeerFault) -> &'static str {
    match fault {
        PeerFault::Expired | PeerFault::NotYetValid => {
            "nothing was sent; check this machine's clock first; if it is right the centre must renew its certificate: call the contact"
        }
        PeerFault::CrlExpired | PeerFault::CrlMissing => {
            "nothing was sent; fetch the newest revocation lists of the centre's authority and put them under tls.crls"
        }
        PeerFault::Revoked => "do not send; the centre's certificate was withdrawn: call the contact",
        _ => "do not send; check the address, and the anchors and revocation lists under [tls]",
    }
}
