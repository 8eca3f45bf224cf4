//! What is told of a transfer: that it arrived, or where it stands.

use std::path::{Path, PathBuf};

use protocol::{
    digest::Sha256,
    kind::{ClaimMonth, Kind},
    moment::Moment,
    party::Party,
    sender::Phase,
    transfer_id::TransferId,
};

use crate::{
    store::{Attempt, BUNDLE, RECEIPT, StoreFault, Transfer, transfers_in},
    times::ClockOff,
};

/// A file that arrived, with the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The transfer.
    pub id: TransferId,
    /// What the file was sent as.
    pub kind: Kind,
    /// In whose name.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Every attempt, of earlier runs too.
    pub attempts: Vec<Attempt>,
    /// The receipt's exact text.
    pub receipt_path: PathBuf,
    /// All the evidence in one file.
    pub bundle_path: PathBuf,
    /// The centre knows that we hold the receipt.
    pub acknowledged: bool,
    /// Milliseconds that this machine's clock was ahead of the centre's, at least; negative if behind.
    pub clock_off_ms: Option<ClockOff>,
    /// It had arrived in an earlier run; nothing was sent now.
    pub already: bool,
}

/// Where a transfer stands, as far as this machine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferStatus {
    /// The transfer.
    pub id: TransferId,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Moment,
    /// The file's own name.
    pub file_name: String,
    /// Where it stood when it was examined.
    pub source: String,
    /// What it was sent as.
    pub kind: Kind,
    /// 請求年月.
    pub claim_month: Option<ClaimMonth>,
    /// In whose name.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Bytes that the centre last said it durably holds.
    pub offset: u64,
    /// When it was made.
    pub created_at: Moment,
    /// Every attempt that brought content.
    pub attempts: Vec<Attempt>,
    /// When the centre took our acknowledgement.
    pub acknowledged_at: Option<Moment>,
    /// Milliseconds that this machine's clock was ahead of the centre's, at least, when the centre's last word came;
    /// negative if behind.
    pub clock_off_ms: Option<ClockOff>,
    /// All the evidence in one file, once it arrived.
    pub bundle_path: Option<PathBuf>,
}

impl Sent {
    pub(crate) fn of(transfer: &Transfer, already: bool) -> Self {
        let (manifest, record) = (&transfer.manifest, &transfer.record);
        Sent {
            id: transfer.id(),
            kind: manifest.kind,
            sender: manifest.sender.clone(),
            receiver: manifest.receiver.clone(),
            bytes: manifest.length,
            sha256: manifest.sha256,
            attempts: record.attempts.clone(),
            receipt_path: transfer.file(RECEIPT),
            bundle_path: transfer.file(BUNDLE),
            acknowledged: record.acknowledged_at.is_some(),
            clock_off_ms: record.clock_off_ms,
            already,
        }
    }
}

impl TransferStatus {
    pub(crate) fn of(transfer: &Transfer) -> Self {
        let (manifest, record) = (&transfer.manifest, &transfer.record);
        TransferStatus {
            id: transfer.id(),
            phase: transfer.phase(),
            since: record.since,
            file_name: manifest.file_name.clone(),
            source: record.source.clone(),
            kind: manifest.kind,
            claim_month: manifest.claim_month,
            sender: manifest.sender.clone(),
            receiver: manifest.receiver.clone(),
            bytes: manifest.length,
            sha256: manifest.sha256,
            offset: record.offset,
            created_at: manifest.created_at,
            attempts: record.attempts.clone(),
            acknowledged_at: record.acknowledged_at,
            clock_off_ms: record.clock_off_ms,
            bundle_path: (transfer.phase() == Phase::Received).then(|| transfer.file(BUNDLE)),
        }
    }
}

/// Everything a state directory knows, without opening it for work: another process may be sending from it now.
///
/// # Errors
/// If a file cannot be read, or was altered.
pub fn read_transfers(data: &Path) -> Result<Vec<TransferStatus>, StoreFault> {
    Ok(transfers_in(data)?.iter().map(TransferStatus::of).collect())
}
