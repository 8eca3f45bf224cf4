//! What is signed: manifest, receipt, refusal and acknowledgement, version 1.
//!
//! Every statement begins with its version; unknown and repeated keys are refused, because two readers that see two
//! different statements in one text are worse than none.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    checkpoint::LogIdentity,
    claims::ClaimsFacts,
    digest::Sha256,
    kind::{ClaimMonth, Class, Kind, System},
    limits::{ACKNOWLEDGED_RECEIPTS_MAX, FILE_NAME_BYTES_MAX},
    moment::{ClockState, Moment},
    party::{Environment, Identity, Party},
    problem::Problem,
    transfer_id::{TransferId, TransferKey},
};

/// The version of every statement made here.
pub const VERSION: u32 = 1;

/// The versions that are understood.
pub const VERSIONS: &[u32] = &[VERSION];

/// A kind of signed statement.
pub trait Statement: Serialize + DeserializeOwned {
    /// `typ` of its JWS header; the media type is `application/` followed by this.
    const TYP: &'static str;

    /// Reads the payload of a JWS, strictly.
    fn from_json(bytes: &[u8]) -> Result<Self, StatementFault> {
        check_version(bytes)?;
        let statement: Self = serde_json::from_slice(bytes).map_err(|_| StatementFault::Malformed)?;
        statement.check()?;
        Ok(statement)
    }

    /// What the types alone do not say.
    fn check(&self) -> Result<(), StatementFault>;
}

fn check_version(bytes: &[u8]) -> Result<(), StatementFault> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let versioned: Versioned = serde_json::from_slice(bytes).map_err(|_| StatementFault::Malformed)?;
    if VERSIONS.contains(&versioned.version) { Ok(()) } else { Err(StatementFault::UnsupportedVersion) }
}

/// Why a payload is no statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementFault {
    /// Not the documented JSON; unknown, repeated or missing keys included.
    #[error("the statement is not the documented JSON")]
    Malformed,
    /// A version not in [`VERSIONS`].
    #[error("the statement's version is not spoken here")]
    UnsupportedVersion,
    /// A kind not in [`Kind::ALL`].
    #[error("the kind of file is not known")]
    UnknownKind,
    /// A name that is no plain file name.
    #[error("the file name is not a plain file name")]
    BadFileName,
    /// Parts that contradict each other.
    #[error("the statement contradicts itself")]
    Contradiction,
}

impl StatementFault {
    /// The problem this fault is answered with.
    pub const fn problem(self) -> Problem {
        match self {
            StatementFault::Malformed | StatementFault::Contradiction => Problem::BadStatement,
            StatementFault::UnsupportedVersion => Problem::UnsupportedVersion,
            StatementFault::UnknownKind => Problem::UnknownKind,
            StatementFault::BadFileName => Problem::BadFileName,
        }
    }
}

/// What the sender says it sends. Signed before the first byte leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`].
    pub version: u32,
    /// The sender's name for the transfer.
    pub transfer_id: TransferId,
    /// Where it belongs.
    pub environment: Environment,
    /// The system the kind belongs to.
    pub system: System,
    /// What is in the file.
    pub kind: Kind,
    /// The identity of the TLS certificate that offers it.
    pub acting: Identity,
    /// In whose name.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// The file's own name; it identifies nothing.
    pub file_name: String,
    /// Bytes of content.
    pub length: u64,
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// Class of information; the receiver may raise it, never lower it.
    pub class: Class,
    /// 請求年月, for kinds that have one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claim_month: Option<ClaimMonth>,
    /// The transfer this one is to be counted instead of.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<TransferId>,
    /// The transfer some claims of which this one corrects.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub corrects: Option<TransferId>,
    /// The transfer of the same content that is sent once more on purpose.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resubmission_of: Option<TransferId>,
    /// By the sender's clock.
    pub created_at: Moment,
    /// The sender's log.
    pub log: LogIdentity,
    /// The newest signed checkpoint of the sender's log.
    pub checkpoint: String,
}

impl Manifest {
    /// What the receiver knows the transfer by.
    pub fn key(&self) -> TransferKey {
        TransferKey { sender: self.sender.clone(), id: self.transfer_id }
    }
}

impl Statement for Manifest {
    const TYP: &'static str = "sekisho-manifest+jws";

    fn from_json(bytes: &[u8]) -> Result<Self, StatementFault> {
        check_version(bytes)?;
        // The kind alone is looked at first, so that an unknown one is told from a malformed statement.
        #[derive(Deserialize)]
        struct KindOnly {
            kind: String,
        }
        let kind: KindOnly = serde_json::from_slice(bytes).map_err(|_| StatementFault::Malformed)?;
        kind.kind.parse::<Kind>().map_err(|_| StatementFault::UnknownKind)?;
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|_| StatementFault::Malformed)?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<(), StatementFault> {
        if !is_plain_file_name(&self.file_name) {
            return Err(StatementFault::BadFileName);
        }
        let claims = self.kind.system() == System::Claims;
        if self.system != self.kind.system()
            || self.acting.environment() != self.environment
            || claims != self.claim_month.is_some()
        {
            return Err(StatementFault::Contradiction);
        }
        Ok(())
    }
}

/// A name without path, control characters or characters that change the direction of writing.
pub fn is_plain_file_name(name: &str) -> bool {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    !name.is_empty()
        && name.len() <= FILE_NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && !name.chars().any(harmful)
}

/// 受領確認データ: the receiver's statement that it durably holds the bytes. It says 受領 and nothing of 請求確定.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`VERSION`].
    pub version: u32,
    /// The sender's name for the transfer.
    pub transfer_id: TransferId,
    /// Where it belongs.
    pub environment: Environment,
    /// SHA-256 of the manifest's exact text.
    pub manifest_sha256: Sha256,
    /// Bytes held.
    pub length: u64,
    /// SHA-256 of the bytes held, computed by the receiver.
    pub sha256: Sha256,
    /// Who sent.
    pub sender: Party,
    /// Who holds.
    pub receiver: Party,
    /// Class of information it is held under.
    pub class: Class,
    /// When the manifest was accepted.
    pub offered_at: Moment,
    /// When the last byte came in.
    pub received_at: Moment,
    /// When content and its name were durable.
    pub stored_at: Moment,
    /// What the receiver's clock was worth.
    pub clock: ClockState,
    /// What the claims check found, for claims files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claims: Option<ClaimsFacts>,
    /// The receiver's log, in which this receipt's hash stands.
    pub log: LogIdentity,
}

impl Statement for Receipt {
    const TYP: &'static str = "sekisho-receipt+jws";

    fn check(&self) -> Result<(), StatementFault> {
        Ok(())
    }
}

/// The receiver's final no. The id it names never commits later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// [`VERSION`].
    pub version: u32,
    /// The sender's name for the transfer.
    pub transfer_id: TransferId,
    /// Where it belongs.
    pub environment: Environment,
    /// SHA-256 of the manifest's exact text.
    pub manifest_sha256: Sha256,
    /// Who offered.
    pub sender: Party,
    /// Who refuses.
    pub receiver: Party,
    /// Why.
    pub reason: Problem,
    /// A stable word on the place of the fault, from the claims check; never content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// For [`Problem::AlreadyHeld`]: the receipt of the transfer that brought the same content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub earlier_receipt: Option<String>,
    /// When.
    pub refused_at: Moment,
    /// What the receiver's clock was worth.
    pub clock: ClockState,
    /// The receiver's log, in which this refusal's hash stands.
    pub log: LogIdentity,
}

impl Statement for Refusal {
    const TYP: &'static str = "sekisho-refusal+jws";

    fn check(&self) -> Result<(), StatementFault> {
        Ok(())
    }
}

/// The sender's statement that it holds these receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// [`VERSION`].
    pub version: u32,
    /// Where it belongs.
    pub environment: Environment,
    /// The identity that holds the receipts.
    pub acting: Identity,
    /// Whose receipts.
    pub receiver: Party,
    /// One to [`ACKNOWLEDGED_RECEIPTS_MAX`].
    pub receipts: Vec<HeldReceipt>,
    /// By the sender's clock.
    pub acknowledged_at: Moment,
}

/// One receipt that is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldReceipt {
    /// The transfer's sender.
    pub sender: Party,
    /// The transfer's id.
    pub transfer_id: TransferId,
    /// SHA-256 of the receipt's exact text.
    pub receipt_sha256: Sha256,
}

impl HeldReceipt {
    /// What the receiver knows the transfer by.
    pub fn key(&self) -> TransferKey {
        TransferKey { sender: self.sender.clone(), id: self.transfer_id }
    }
}

impl Statement for Acknowledgement {
    const TYP: &'static str = "sekisho-acknowledgement+jws";

    fn check(&self) -> Result<(), StatementFault> {
        let bounded = (1..=ACKNOWLEDGED_RECEIPTS_MAX).contains(&self.receipts.len());
        if bounded && self.acting.environment() == self.environment {
            Ok(())
        } else {
            Err(StatementFault::Contradiction)
        }
    }
}
