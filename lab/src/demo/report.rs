//! What the demo found, as `--json` prints it: one object, its names a contract.

use std::path::PathBuf;

use protocol::{cause::Cause, digest::Sha256, kind::Kind, transfer_id::TransferId};
use serde::{Deserialize, Serialize};

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The three files, in the order in which they were sent.
    pub transfers: Vec<Transfer>,
    /// The stall in the middle of the largest.
    pub cut: Cut,
    /// The centre's log.
    pub audit: Audit,
    /// Where the files were delivered.
    pub inbox: PathBuf,
    /// The root certificate that all evidence verifies with (PEM).
    pub evidence_root: PathBuf,
}

/// One transfer.
#[derive(Debug, Serialize)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// What is in it.
    pub kind: Kind,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Where it stands at its sender.
    pub state: String,
    /// How many it took.
    pub attempts: usize,
    /// The receipt's compact JWS.
    pub receipt: PathBuf,
    /// All evidence of it.
    pub bundle: PathBuf,
}

/// What became of the attempt that stalled.
#[derive(Debug, Serialize)]
pub struct Cut {
    /// Milliseconds from the beginning of the stall until each side had given up.
    pub detected_ms: Sides<u64>,
    /// What each side put on record as the cause.
    pub cause: Sides<Cause>,
    /// Bytes that the centre had made durable; there the next attempt went on.
    pub offset: u64,
    /// What could be seen of the file in the inbox while it was incomplete.
    pub partial_visible: usize,
}

/// One thing on each side.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sides<T> {
    /// At the sender.
    pub sender: T,
    /// At the centre.
    pub receiver: T,
}

/// The centre's log.
#[derive(Debug, Serialize)]
pub struct Audit {
    /// How many.
    pub entries: u64,
    /// Computed afresh, and as they were written.
    pub verified: bool,
}
