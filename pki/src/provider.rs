//! The one cryptographic provider and what it offers, written out.
//!
//! Order of suites and groups by the TLS暗号設定ガイドライン (IPA/CRYPTREC GL-3001, 高セキュリティ型); before them the hybrid
//! group, which is never weaker than X25519 alone. Every builder gets its provider and its versions from here, because
//! another crate's features may switch more on in the library.

use std::sync::Arc;

use rustls::{
    SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, KeyProvider, SupportedKxGroup,
        aws_lc_rs::{self, cipher_suite, kx_group},
    },
};

use crate::signatures::Signatures;

/// What one listener, or one client, offers and takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsPolicy {
    /// Protocol versions.
    pub versions: Versions,
    /// Key exchange groups.
    pub groups: Groups,
}

/// Protocol versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.3.
    #[default]
    Tls13,
    /// And TLS 1.2, with ECDHE and AEAD suites and the extended master secret (RFC 7627) only, for peers that cannot do
    /// better.
    Tls13AndTls12,
}

/// Key exchange groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// X25519MLKEM768 first, then X25519, P-256, P-384.
    #[default]
    HybridFirst,
    /// X25519, P-256, P-384: what the guideline names.
    Guideline,
}

impl TlsPolicy {
    /// The protocol versions, for a builder.
    pub(crate) fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self.versions {
            Versions::Tls13 => TLS13,
            Versions::Tls13AndTls12 => TLS13_AND_TLS12,
        }
    }

    /// The provider, for a builder.
    pub(crate) fn provider(self, signatures: Signatures) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider {
            cipher_suites: match self.versions {
                Versions::Tls13 => TLS13_SUITES.to_vec(),
                Versions::Tls13AndTls12 => [TLS13_SUITES, TLS12_SUITES].concat(),
            },
            kx_groups: match self.groups {
                Groups::HybridFirst => [HYBRID, CLASSIC].concat(),
                Groups::Guideline => CLASSIC.to_vec(),
            },
            signature_verification_algorithms: *signatures.algorithms(),
            ..aws_lc_rs::default_provider()
        })
    }
}

static TLS13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
static TLS13_AND_TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

const TLS13_SUITES: &[SupportedCipherSuite] = &[
    cipher_suite::TLS13_AES_256_GCM_SHA384,
    cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS13_AES_128_GCM_SHA256,
];

const TLS12_SUITES: &[SupportedCipherSuite] = &[
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

const HYBRID: &[&dyn SupportedKxGroup] = &[kx_group::X25519MLKEM768];
const CLASSIC: &[&dyn SupportedKxGroup] = &[kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// Reads private keys.
pub(crate) fn key_provider() -> &'static dyn KeyProvider {
    aws_lc_rs::default_provider().key_provider
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, NamedGroup, ProtocolVersion};

    use super::*;

    fn suites(policy: TlsPolicy) -> Vec<CipherSuite> {
        policy.provider(Signatures::Usual).cipher_suites.iter().map(|suite| suite.suite()).collect()
    }

    fn groups(policy: TlsPolicy) -> Vec<NamedGroup> {
        policy.provider(Signatures::Usual).kx_groups.iter().map(|group| group.name()).collect()
    }

    fn versions(policy: TlsPolicy) -> Vec<ProtocolVersion> {
        policy.versions().iter().map(|version| version.version).collect()
    }

    const NEW: [CipherSuite; 3] = [
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ];

    #[test]
    fn unless_told_otherwise_only_tls_1_3_with_three_aead_suites_and_four_groups_hybrid_first_is_offered() {
        let policy = TlsPolicy::default();
        assert_eq!(suites(policy), NEW);
        assert_eq!(
            groups(policy),
            [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1]
        );
        assert_eq!(versions(policy), [ProtocolVersion::TLSv1_3]);
    }

    #[test]
    fn by_the_guideline_the_hybrid_group_is_left_out() {
        let policy = TlsPolicy { groups: Groups::Guideline, ..TlsPolicy::default() };
        assert_eq!(groups(policy), [NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1]);
    }

    #[test]
    fn tls_1_2_comes_with_ephemeral_keys_and_aead_suites_only() {
        let policy = TlsPolicy { versions: Versions::Tls13AndTls12, ..TlsPolicy::default() };
        let older = [
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ];
        assert_eq!(suites(policy), [&NEW[..], &older].concat());
        assert_eq!(versions(policy), [ProtocolVersion::TLSv1_3, ProtocolVersion::TLSv1_2]);
    }
}
