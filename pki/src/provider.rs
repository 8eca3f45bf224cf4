//! The one cryptographic provider and what it offers, written out.
//!
//! Order of suites by the TLS暗号設定ガイドライン (IPA/CRYPTREC GL-3001, 高セキュリティ型). Groups: the hybrid first, which is
//! never weaker than X25519 alone, then those the guideline names. TLS 1.3 is named in every builder, because another
//! crate's features may switch 1.2 on in the library.

use std::sync::{Arc, LazyLock};

use rustls::{
    SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, cipher_suite, kx_group},
    },
};

/// The only protocol version.
pub const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        // Signatures: ECDSA, Ed25519, ML-DSA, RSA from 2048 bits; none with SHA-1.
        ..aws_lc_rs::default_provider()
    })
});

/// aws-lc-rs with our suites and groups.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

#[cfg(test)]
mod tests {
    use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

    use super::*;

    #[test]
    fn only_tls_1_3_with_three_aead_suites_and_four_groups_is_offered_hybrid_first() {
        let provider = provider();
        let suites: Vec<CipherSuite> = provider.cipher_suites.iter().map(|suite| suite.suite()).collect();
        assert_eq!(
            suites,
            [
                CipherSuite::TLS13_AES_256_GCM_SHA384,
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                CipherSuite::TLS13_AES_128_GCM_SHA256
            ]
        );
        let groups: Vec<NamedGroup> = provider.kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(
            groups,
            [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::secp256r1, NamedGroup::secp384r1]
        );
        assert_eq!(VERSIONS.iter().map(|v| v.version).collect::<Vec<_>>(), [ProtocolVersion::TLSv1_3]);
    }

    #[test]
    fn no_signature_scheme_uses_sha_1() {
        let schemes = provider().signature_verification_algorithms.supported_schemes();
        for weak in [SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy] {
            assert!(!schemes.contains(&weak));
        }
    }
}
