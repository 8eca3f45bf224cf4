//! `[crypto]`, and how much older or weaker the other side may be: what both programs read alike.

use std::time::Duration;

use crate::{
    limits,
    reader::{Choice, Fault, Key, Section, Word},
};

/// Which algorithms count, on the line and under evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// The choice of algorithms.
    pub profile: CryptoProfile,
    /// Certificates and signatures with ML-DSA.
    pub ml_dsa: Acceptance,
}

/// A choice of algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CryptoProfile {
    /// The hybrid key exchange first, then what the guideline names; certificates with ECDSA, Ed25519 and RSA.
    Usual,
    /// Only what the TLS暗号設定ガイドライン names.
    GuidelineStrict,
}

impl Word for CryptoProfile {
    const WORDS: &[(&str, Self)] =
        &[("usual", CryptoProfile::Usual), ("guideline-strict", CryptoProfile::GuidelineStrict)];
}

/// Whether something that is left out by default is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// It is not.
    Refuse,
    /// It is.
    Accept,
}

impl Word for Acceptance {
    const WORDS: &[(&str, Self)] = &[("refuse", Acceptance::Refuse), ("accept", Acceptance::Accept)];
}

impl Crypto {
    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("crypto", "Which algorithms count, on the line and under evidence.");
        let profile = section.choice(&Choice {
            name: "profile",
            meaning: "\"guideline-strict\" leaves out what the TLS暗号設定ガイドライン does not name: the hybrid key \
                      exchange X25519MLKEM768, and certificates with Ed25519.",
            default: CryptoProfile::Usual,
            reason: "the hybrid key exchange is never weaker than X25519 alone, and what is recorded today stays secret",
        });
        let ml_dsa = section.choice(&Choice {
            name: "ml_dsa",
            meaning: "Certificates, lists and handshakes signed with ML-DSA (FIPS 204).",
            default: Acceptance::Refuse,
            reason: "most programs at the other side and in an auditor's hands cannot read them yet",
        });
        let crypto = Crypto { profile: profile?, ml_dsa: ml_dsa? };
        if crypto == (Crypto { profile: CryptoProfile::GuidelineStrict, ml_dsa: Acceptance::Accept }) {
            section.refuse("ml_dsa", Fault::new("is not named by the guideline", "keep one of the two"));
            return None;
        }
        Some(crypto)
    }
}

/// Reads `listen.tls12`.
pub(crate) fn read_tls12(listen: &Section<'_>) -> Option<Acceptance> {
    listen.choice(&Choice {
        name: "tls12",
        meaning: "TLS 1.2 beside TLS 1.3, with ephemeral keys, AEAD suites and the extended master secret only \
                  (高セキュリティ型), for senders that cannot do better.",
        default: Acceptance::Refuse,
        reason: "the MHLW guideline asks for TLS 1.3 and bears 1.2 only where 1.3 is hard",
    })
}

/// Leave to use one authority's revocation list after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlGrace {
    /// The authority's distinguished name.
    pub issuer: String,
    /// For how long after the list's end; more than nothing.
    pub length: Duration,
}

/// Reads `danger_crl_grace` and its issuer; the outer `None` is a mistake.
pub(crate) fn read_crl_grace(section: &Section<'_>) -> Option<Option<CrlGrace>> {
    let length = section.limit(&limits::DANGER_CRL_GRACE);
    let issuer = section.optional(&Key::new(
        "danger_crl_grace_issuer",
        "The distinguished name of the one authority that danger_crl_grace is for, as `sekisho-certs inspect` shows it.",
        "\"C=JP, O=…, CN=…\"",
    ));
    match (length?, issuer?) {
        (Duration::ZERO, None) => Some(None),
        (Duration::ZERO, Some(_)) => {
            let next_step = "add: danger_crl_grace = \"6h\", or remove the issuer";
            section.refuse("danger_crl_grace_issuer", Fault::new("has no grace", next_step));
            None
        }
        (_, None) => {
            let fault = Fault::new("is for nobody", "add: danger_crl_grace_issuer = \"C=JP, O=…, CN=…\"");
            section.refuse("danger_crl_grace", fault);
            None
        }
        (length, Some(issuer)) => Some(Some(CrlGrace { issuer, length })),
    }
}
