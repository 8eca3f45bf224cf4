//! Signing statements with the evidence key, and judging who signed one.

mod signer;
mod verifier;

pub use signer::{EvidenceSigner, EvidenceSignerFault};
pub use verifier::{EvidenceVerifier, EvidenceVerifierFault, Freshness};

#[cfg(test)]
mod tests;
