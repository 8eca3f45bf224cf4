//! The kinds of key a lab makes.

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

use crate::fault::LabFault;

/// The kinds of key a lab makes. Both fit TLS and evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum KeyType {
    /// ECDSA on P-256; statements are signed with ES256.
    #[default]
    P256,
    /// ECDSA on P-384; statements are signed with ES384.
    P384,
}

impl KeyType {
    pub(crate) fn generate(self) -> Result<KeyPair, LabFault> {
        let algorithm = match self {
            KeyType::P256 => &PKCS_ECDSA_P256_SHA256,
            KeyType::P384 => &PKCS_ECDSA_P384_SHA384,
        };
        KeyPair::generate_for(algorithm).map_err(LabFault::Make)
    }
}
