//! Names and bodies of protocol version 1 over HTTP, as both ends write them.

use serde::{Deserialize, Serialize};

use crate::{
    cause::Cause,
    digest::Sha256,
    moment::Moment,
    problem::{Advice, Problem},
    statement::VERSIONS,
};

/// Where offers go.
pub const TRANSFERS: &str = "/v1/transfers";
/// Where acknowledgements go.
pub const ACKNOWLEDGEMENTS: &str = "/v1/acknowledgements";
/// The newest checkpoint of the receiver's log.
pub const LOG_CHECKPOINT: &str = "/v1/log/checkpoint";
/// A consistency proof of the receiver's log, `?from=&to=`.
pub const LOG_CONSISTENCY: &str = "/v1/log/consistency";

/// Content type of content sent from an offset on (draft-ietf-httpbis-resumable-upload).
pub const PARTIAL_UPLOAD: &str = "application/partial-upload";
/// Content type of JSON bodies.
pub const JSON: &str = "application/json";
/// Content type of problems (RFC 9457).
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Content type of a bare receipt or refusal, and of an acknowledgement.
pub const JOSE: &str = "application/jose";
/// Content type of a checkpoint.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// First byte of the content in a request; durable bytes in an answer (draft-ietf-httpbis-resumable-upload).
pub const UPLOAD_OFFSET: &str = "upload-offset";
/// `?1`: the request brings the rest of the content; `?0`: there is more to come.
pub const UPLOAD_COMPLETE: &str = "upload-complete";
/// The size of the receiver's log that the sender last verified; answers prove consistency from there.
pub const LOG_SEEN: &str = "sekisho-log-seen";
/// [`State::phase`] in the answer to HEAD.
pub const PHASE: &str = "sekisho-phase";

/// The body of an offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The compact JWS of the manifest.
    pub manifest: String,
    /// Proof that the manifest's checkpoint continues the one the receiver last saw, as far as the sender knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consistency: Option<Consistency>,
}

/// Proof that a log of `from` entries is the beginning of a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// Entries of the earlier log.
    pub from: u64,
    /// RFC 6962 section 2.1.2.
    pub proof: Vec<Sha256>,
}

/// Proof that an entry stands in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Where it stands, from 0.
    pub index: u64,
    /// The entry's exact text.
    pub entry: String,
    /// RFC 6962 section 2.1.1, to the root of the checkpoint beside it.
    pub proof: Vec<Sha256>,
}

/// A receipt with what ties it to the receiver's log. The receipt never changes; the rest may be newer each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptAnswer {
    /// The compact JWS of the receipt.
    pub receipt: String,
    /// A signed checkpoint of the receiver's log.
    pub checkpoint: String,
    /// The receipt's entry in it.
    pub inclusion: Inclusion,
    /// From the size in [`LOG_SEEN`], if the request named one that exists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consistency: Option<Consistency>,
}

/// What the receiver holds of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Name of a [`crate::receiver::Phase`].
    pub phase: String,
    /// Durable bytes.
    pub offset: u64,
    /// Attempts so far.
    pub attempts: u32,
    /// Of the last abort.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
    /// When this state was entered.
    pub since: Moment,
    /// When the content was handed over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivered_at: Option<Moment>,
    /// When the sender's acknowledgement came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged_at: Option<Moment>,
    /// Once committed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<ReceiptAnswer>,
    /// Once refused: the compact JWS of the refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
}

/// RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemBody {
    /// `urn:sekisho:problem:{code}`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// One sentence for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Problem,
    /// What to do.
    pub advice: Advice,
    /// For `unsupported_version`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub versions: Option<Vec<u32>>,
    /// For `wrong_offset`: where to go on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// For `log_proof_needed`: the size of the sender's log that the proof must begin with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log_size: Option<u64>,
    /// The compact JWS of the refusal, when the problem is final and signed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub refusal: Option<String>,
}

impl ProblemBody {
    /// The body for a problem, without its extras.
    pub fn new(problem: Problem) -> Self {
        ProblemBody {
            type_uri: problem.type_uri(),
            title: problem.title().to_owned(),
            status: problem.status(),
            code: problem,
            advice: problem.advice(),
            versions: (problem == Problem::UnsupportedVersion).then(|| VERSIONS.to_vec()),
            offset: None,
            log_size: None,
            refusal: None,
        }
    }
}
