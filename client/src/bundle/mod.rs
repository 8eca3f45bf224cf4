//! A bundle: all the evidence of one transfer in one file, so that it verifies years later, when certificates have ended,
//! lists are gone and neither machine exists any more.
//!
//! Nothing in a bundle needs a network or a secret. What must come from elsewhere is only the root certificates that
//! the reader trusts, and, to compare it, the file itself.

mod verdict;
mod verify;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use protocol::{
    checkpoint::LogIdentity,
    wire::{Consistency, Inclusion, ReceiptAnswer},
};
use serde::{Deserialize, Serialize};

pub use verdict::{Place, Verified, VerifyFault};
pub use verify::{Believed, verify_bundle};
#[cfg(test)]
pub(crate) use verify::{judge, read};

/// The version written here.
pub const VERSION: u32 = 1;

/// The evidence of one transfer, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// [`VERSION`].
    pub version: u32,
    /// What the sender said it sends: compact JWS, exact text.
    pub manifest: String,
    /// 受領確認データ: compact JWS, exact text.
    pub receipt: String,
    /// The sender's statement that it holds the receipt; absent until the receiver took it.
    pub acknowledgement: Option<String>,
    /// The revocation lists that the judgements relied on: DER in base64.
    pub crls: Vec<String>,
    /// That the receipt stands in the receiver's log.
    pub centre_log: CentreProof,
    /// That manifest and receipt stand in the sender's log.
    pub sender_log: SenderProof,
    /// Place of an RFC 3161 time-stamp token over the receipt; none is asked for yet.
    pub timestamp_token: Option<String>,
}

/// The receipt's place in the receiver's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentreProof {
    /// Which log; the receipt names the same.
    pub log: LogIdentity,
    /// Its head when the receipt came: a signed note.
    pub checkpoint: String,
    /// The receipt's entry under that head.
    pub inclusion: Inclusion,
    /// That this head continues the one the sender had seen before, if there was one.
    pub continues: Option<Continues>,
}

/// An earlier head of a log, with the proof that a later one continues it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continues {
    /// The earlier head: a signed note.
    pub earlier: String,
    /// Proof from its size; absent when both heads have the same size.
    pub consistency: Option<Consistency>,
}

/// The transfer's place in the sender's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SenderProof {
    /// Which log; the manifest names the same.
    pub log: LogIdentity,
    /// Its head when the bundle was written: a signed note.
    pub checkpoint: String,
    /// The entry of the manifest.
    pub offered: Inclusion,
    /// The entry of the receipt.
    pub received: Inclusion,
}

impl CentreProof {
    /// From the answer that brought the receipt, and what proves that it continues an earlier head.
    pub(crate) fn of(answer: &ReceiptAnswer, log: &LogIdentity, continues: Option<Continues>) -> Self {
        CentreProof {
            log: log.clone(),
            checkpoint: answer.checkpoint.clone(),
            inclusion: answer.inclusion.clone(),
            continues,
        }
    }
}

impl Bundle {
    pub(crate) fn of(
        manifest: String,
        receipt: String,
        acknowledgement: Option<String>,
        crls: &[Vec<u8>],
        centre_log: CentreProof,
        sender_log: SenderProof,
    ) -> Self {
        let crls = crls.iter().map(|der| STANDARD.encode(der)).collect();
        Bundle {
            version: VERSION,
            manifest,
            receipt,
            acknowledgement,
            crls,
            centre_log,
            sender_log,
            timestamp_token: None,
        }
    }
}
