//! One entry of a log, as both sides write it: who, what, when, with which result, and never any content.

use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    digest::Sha256,
    kind::{Class, Kind},
    moment::{ClockState, Moment},
    party::{Identity, Party},
    problem::Problem,
    transfer_id::TransferId,
};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A log begins; a new one names its predecessor's last checkpoint in `note`.
    LogOpened,
    /// The program started.
    Started,
    /// The program stopped in good order.
    Stopped,
    /// A manifest was signed by the sender, or accepted by the receiver.
    Offered,
    /// An attempt began to bring content. Of small content it may stand beside how the attempt ended, with its own, earlier time.
    AttemptBegan,
    /// An attempt ended early; `cause` says why.
    Aborted,
    /// The receiver holds the content durably; the receipt's hash stands here.
    Committed,
    /// The sender holds the verified receipt.
    Received,
    /// The receiver said no for good; the refusal's hash stands here.
    Refused,
    /// The sender called the transfer off. The receiver's refusal that says so, if it knew of the transfer, has its hash
    /// here.
    Cancelled,
    /// The content stands in the inbox.
    Delivered,
    /// The sender's acknowledgement came, or was sent.
    Acknowledged,
    /// A request was turned down after authentication, without a transfer coming of it.
    Denied,
    /// A counterpart's log contradicts what it showed before.
    LogForked,
    /// Changed settings, certificates, keys or lists count from now on; `note` says which generation they are.
    Reloaded,
    /// They do not, and the old ones stay; `note` is the stable word of the reason.
    ReloadRefused,
    /// An open connection was ended because its certificate or right no longer counts; `note` is the reason.
    ConnectionEnded,
    /// The operator keeps somebody out; `note` says whom.
    Blocked,
    /// The operator keeps somebody out no longer; `note` says whom.
    Unblocked,
    /// What was turned away before anybody was known by name, in the minute before; `note` holds reasons and counts.
    TurnedAway,
    /// A person who looked into that took the head in `note` for the counterpart's log from now on.
    LogAccepted,
}

/// Who was at the other end, by its TLS certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What the certificate proves.
    pub identity: Identity,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The certificate's serial number in hexadecimal.
    pub serial: String,
    /// Address and port it came from.
    pub address: String,
}

/// One entry. Absent parts do not apply to the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// 1.
    pub version: u32,
    /// Position in the log, from 0: the index of its leaf.
    pub seq: u64,
    /// By this side's clock.
    pub time: Moment,
    /// What that clock was worth.
    pub clock: ClockState,
    /// What happened.
    pub event: Event,
    /// 128 random bits in hexadecimal, so that nobody can guess an entry back from its hash.
    pub salt: String,
    /// Who was at the other end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Subject>,
    /// The transfer's sender.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sender: Option<Party>,
    /// The transfer's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub transfer_id: Option<TransferId>,
    /// What is in the file.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kind: Option<Kind>,
    /// Class of information.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Class>,
    /// Bytes of content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<u64>,
    /// SHA-256 of the content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<Sha256>,
    /// SHA-256 of the manifest's exact text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manifest_sha256: Option<Sha256>,
    /// SHA-256 of the exact text of the receipt, refusal or acknowledgement that belongs to the event.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub statement_sha256: Option<Sha256>,
    /// Number of the attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<u32>,
    /// Durable bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// Why an attempt ended early.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
    /// Why something was turned down.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<Problem>,
    /// Milliseconds the event took, for attempts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_ms: Option<u64>,
    /// A fixed word or a checkpoint; never text that came from a peer's content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

impl Entry {
    /// An entry with nothing but the event; the log gives it its place.
    pub fn new(event: Event, time: Moment, clock: ClockState, salt: [u8; 16]) -> Self {
        Entry {
            version: 1,
            seq: 0,
            time,
            clock,
            event,
            salt: format!("{:032x}", u128::from_be_bytes(salt)),
            subject: None,
            sender: None,
            transfer_id: None,
            kind: None,
            class: None,
            length: None,
            sha256: None,
            manifest_sha256: None,
            statement_sha256: None,
            attempt: None,
            offset: None,
            cause: None,
            problem: None,
            duration_ms: None,
            note: None,
        }
    }
}
