//! What comes of judging a bundle: all that it proves, or the first place that does not hold.

use std::{error::Error, iter};

use pki::fault::PeerFault;
use protocol::{
    digest::Sha256,
    jws::SignerFault,
    kind::{ClaimMonth, Kind},
    moment::{ClockState, Moment},
    one_line::in_one_line,
    party::{Environment, Party},
    transfer_id::TransferId,
};
use serde::Serialize;

use crate::times::ClockOff;

/// The parts of a bundle, in the order they are judged; the signature under the receipt comes before the manifest, since the
/// receipt says when the manifest was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The bundle itself: not the documented JSON, or of an unknown version.
    Bundle,
    /// The reader's root certificates, or the bundle's revocation lists.
    Anchors,
    /// The manifest's form or signature.
    Manifest,
    /// The receipt's form or signature.
    Receipt,
    /// Manifest and receipt do not belong together.
    ReceiptContent,
    /// The receipt's times are out of order, or too far from the manifest's or from now.
    ReceiptTimes,
    /// The receipt's entry in the receiver's log.
    CentreLogEntry,
    /// The head of the receiver's log.
    CentreLogCheckpoint,
    /// The head of the receiver's log does not continue the earlier one.
    CentreLogConsistency,
    /// The head of the sender's log.
    SenderLogCheckpoint,
    /// The entries in the sender's log.
    SenderLogEntry,
    /// The acknowledgement.
    Acknowledgement,
    /// The file cannot be read.
    File,
    /// The file's length.
    FileLength,
    /// The file's digest.
    FileDigest,
}

impl Place {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Bundle => "bundle",
            Place::Anchors => "anchors",
            Place::Manifest => "manifest",
            Place::Receipt => "receipt",
            Place::ReceiptContent => "receipt_content",
            Place::ReceiptTimes => "receipt_times",
            Place::CentreLogEntry => "centre_log_entry",
            Place::CentreLogCheckpoint => "centre_log_checkpoint",
            Place::CentreLogConsistency => "centre_log_consistency",
            Place::SenderLogCheckpoint => "sender_log_checkpoint",
            Place::SenderLogEntry => "sender_log_entry",
            Place::Acknowledgement => "acknowledgement",
            Place::File => "file",
            Place::FileLength => "file_length",
            Place::FileDigest => "file_digest",
        }
    }
}

/// The first bad place of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", .place.name())]
pub struct VerifyFault {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub reason: String,
    /// By the identity rules the signer's certificate names nobody: all else may be well, and only the rules of its
    /// authority be missing.
    pub names_nobody: bool,
}

pub(super) fn fault(place: Place, reason: impl Into<String>) -> VerifyFault {
    VerifyFault { place, reason: reason.into(), names_nobody: false }
}

/// The fault of a statement, with all that the error says of its signer.
pub(super) fn statement_fault(place: Place, error: &(dyn Error + 'static)) -> VerifyFault {
    let unnamed = SignerFault::Untrusted(PeerFault::BadIdentity.code().to_owned());
    let names_nobody = iter::successors(Some(error), |&error| error.source())
        .any(|error| error.downcast_ref::<SignerFault>() == Some(&unnamed));
    let reason = match in_one_line(error) {
        reason if names_nobody => format!("{reason}: {}", PeerFault::BadIdentity.in_words()),
        reason => reason,
    };
    VerifyFault { place, reason, names_nobody }
}

/// What a bundle proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The transfer.
    pub transfer_id: TransferId,
    /// Real claims, or a lab's.
    pub environment: Environment,
    /// Who sent.
    pub sender: Party,
    /// Who holds, or held, the file.
    pub receiver: Party,
    /// What is in it.
    pub kind: Kind,
    /// 請求年月.
    pub claim_month: Option<ClaimMonth>,
    /// Its name at the sender.
    pub file_name: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// When the last byte had come in, by the receiver's clock.
    pub received_at: Moment,
    /// When it was durably stored, by the receiver's clock.
    pub stored_at: Moment,
    /// What that clock was worth.
    pub clock: ClockState,
    /// Milliseconds that the sender's clock was ahead of the receiver's, at least; negative if behind; nothing if what
    /// the statements show is not worth a remark.
    pub clock_off_ms: Option<ClockOff>,
    /// The receiver's log, in which the receipt stands.
    pub centre_log: String,
    /// The sender's log, in which manifest and receipt stand.
    pub sender_log: String,
    /// The bundle holds the sender's acknowledgement.
    pub acknowledged: bool,
    /// The file was there and is the one that was received.
    pub file_checked: bool,
}
