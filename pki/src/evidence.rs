//! Signing statements with the evidence key, and judging who signed one.

mod signer;
mod signer_key;
mod verifier;

pub use signer::{EvidenceSigner, EvidenceSignerFault};
pub use verifier::{EvidenceVerifier, EvidenceVerifierFault, Freshness};

use protocol::jws::SignerFault;

use crate::fault::PeerFault;

fn untrusted(fault: PeerFault) -> SignerFault {
    SignerFault::Untrusted(fault.code().to_owned())
}

#[cfg(test)]
mod tests;
