//! Every way a request can be turned down: the stable code, its HTTP status, and what the sender should do.
//!
//! Errors travel as `application/problem+json` (RFC 9457) with the code; detail is for the log.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a sender does after a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Try again later, under the same id.
    Retry,
    /// Ask what the receiver holds, then go on from there.
    Ask,
    /// Do not try again with the same request; the title says what must change.
    GiveUp,
}

macro_rules! problems {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:literal, $advice:ident, $title:literal;)+) => {
        /// A stable code for every way a request can be turned down.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Problem { $($(#[doc = $doc])+ $variant,)+ }

        impl Problem {
            /// Every problem, in the order of the documentation.
            pub const ALL: &'static [Problem] = &[$(Problem::$variant,)+];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Problem::$variant => $code,)+ }
            }

            /// The HTTP status it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Problem::$variant => $status,)+ }
            }

            /// What the sender does next.
            pub const fn advice(self) -> Advice {
                match self { $(Problem::$variant => Advice::$advice,)+ }
            }

            /// One sentence for people, without any detail of the request.
            pub const fn title(self) -> &'static str {
                match self { $(Problem::$variant => $title,)+ }
            }
        }
    };
}

problems! {
    /// Not the JSON this request asks for.
    BadRequest = "bad_request", 400, GiveUp, "The request is not of the documented form.";
    /// The signed statement is not a compact JWS as documented.
    BadStatement = "bad_statement", 400, GiveUp, "The signed statement is malformed, or has unknown or repeated keys.";
    /// Statement over the size limit.
    StatementTooLarge = "statement_too_large", 413, GiveUp, "The signed statement is larger than allowed.";
    /// Version not spoken here.
    UnsupportedVersion = "unsupported_version", 400, GiveUp, "This version of the protocol is not spoken here; the answer lists those that are.";
    /// Kind unknown to this version.
    UnknownKind = "unknown_kind", 400, GiveUp, "The kind of file is not known.";
    /// File name that could do harm.
    BadFileName = "bad_file_name", 400, GiveUp, "The file name is empty, too long, or holds a path, control or direction characters.";
    /// HTTP/1.0 or older.
    HttpVersion = "http_version", 505, GiveUp, "Only HTTP/1.1 is spoken here.";
    /// Host is missing or no host.
    BadHost = "bad_host", 400, GiveUp, "The request needs exactly one Host that names a host.";
    /// Host unlike the name of the handshake.
    Misdirected = "misdirected", 421, GiveUp, "The request is for another host than the connection was made to.";
    /// Method not for this address.
    MethodNotAllowed = "method_not_allowed", 405, GiveUp, "This address does not take this method.";
    /// No Content-Length, or a Transfer-Encoding.
    LengthRequired = "length_required", 411, GiveUp, "The request needs a Content-Length and no Transfer-Encoding.";
    /// JSON body too large.
    BodyTooLarge = "body_too_large", 413, GiveUp, "The request's body is larger than allowed.";
    /// Content type not for this request.
    UnsupportedMediaType = "unsupported_media_type", 415, GiveUp, "The request's Content-Type is not the documented one.";
    /// Upload headers absent or contradictory.
    BadUploadHeader = "bad_upload_header", 400, GiveUp, "Upload-Offset or Upload-Complete is missing, repeated or not as documented.";
    /// No such transfer of this sender.
    NotFound = "not_found", 404, Ask, "Nothing is known under this address.";
    /// Statement's signature or signer does not count.
    BadSigner = "bad_signer", 403, GiveUp, "The statement's signature does not fit, or its signer is not trusted here.";
    /// Acting identity, sender and signer do not belong together.
    NotYours = "not_yours", 403, GiveUp, "The certificate, the signer and the sender named in the request do not belong together.";
    /// Role has no such right.
    NotPermitted = "not_permitted", 403, GiveUp, "This role may not do that here.";
    /// The operator keeps the sender out.
    Blocked = "blocked", 403, GiveUp, "The receiver's operator keeps this sender out; call the receiver.";
    /// Withdrawn while the connection was open.
    Revoked = "revoked", 403, GiveUp, "The certificate or the right behind this connection was withdrawn while it was open.";
    /// Other environment.
    WrongEnvironment = "wrong_environment", 403, GiveUp, "The statement belongs to another environment.";
    /// Not the receiver named.
    WrongReceiver = "wrong_receiver", 422, GiveUp, "The manifest names another receiver.";
    /// Kind is not taken in here.
    KindNotAccepted = "kind_not_accepted", 422, GiveUp, "This kind of file is not accepted here.";
    /// Class below that of the route.
    ClassTooLow = "class_too_low", 422, GiveUp, "The manifest's class of information is below the one this kind of file has here.";
    /// created_at too far from the receiver's clock.
    CreatedAtOutOfRange = "created_at_out_of_range", 422, GiveUp, "The manifest was made too long ago or in the future; check the sender's clock.";
    /// File too large.
    TooLarge = "too_large", 413, GiveUp, "The file is larger than this receiver accepts.";
    /// Same content held already.
    AlreadyHeld = "already_held", 409, GiveUp, "The same file was received before; the refusal carries its receipt.";
    /// Same id, other manifest.
    ManifestConflict = "manifest_conflict", 409, GiveUp, "Another manifest was offered under this id before.";
    /// Wrong offset.
    WrongOffset = "wrong_offset", 409, Ask, "The content must go on at the offset given in Upload-Offset.";
    /// A newer attempt took over.
    Superseded = "superseded", 409, Ask, "A newer attempt at the same transfer took over.";
    /// Check and commit are under way.
    Busy = "busy", 409, Ask, "The content is whole and being checked; ask for the outcome.";
    /// Committed, refused, cancelled or expired.
    AlreadyFinal = "already_final", 409, Ask, "The transfer has ended and can no longer be changed.";
    /// Body longer or shorter than declared.
    LengthMismatch = "length_mismatch", 400, Ask, "The content's length is not the one the manifest declares.";
    /// Digest differs.
    DigestMismatch = "digest_mismatch", 422, Ask, "The content is not the one the manifest declares.";
    /// Truncated or malformed claims file.
    ClaimsIncomplete = "claims_incomplete", 422, GiveUp, "The claims file is not complete or not well formed.";
    /// The institution code in the file is not the sender's.
    ClaimsCodeMismatch = "claims_code_mismatch", 422, GiveUp, "The institution code in the claims file is not the sender's.";
    /// The payer in the file is not the receiver.
    ClaimsPayerMismatch = "claims_payer_mismatch", 422, GiveUp, "The claims file is for another review agency.";
    /// The kind in the file is not that of the manifest.
    ClaimsKindMismatch = "claims_kind_mismatch", 422, GiveUp, "The claims file is of another kind than the manifest says.";
    /// The claim month in the file is not that of the manifest.
    ClaimsMonthMismatch = "claims_month_mismatch", 422, GiveUp, "The claim month in the claims file is not that of the manifest.";
    /// The resume deadline passed.
    Expired = "expired", 410, GiveUp, "The transfer was not finished in time.";
    /// The sender cancelled it.
    Cancelled = "cancelled", 410, GiveUp, "The transfer was cancelled by its sender.";
    /// Two views of a log contradict each other.
    LogForked = "log_forked", 409, GiveUp, "The sender's log is not the one seen before; no transfer until people have looked into it.";
    /// The manifest's checkpoint is newer than the last one seen, and the proof does not begin there.
    LogProofNeeded = "log_proof_needed", 409, Ask, "The offer needs a proof that the sender's log continues the head given in log_size.";
    /// Nothing came for too long.
    Stalled = "stalled", 408, Ask, "No content arrived for too long.";
    /// Content below the minimum rate.
    TooSlow = "too_slow", 408, Ask, "Content arrived below the minimum rate.";
    /// Too much at once.
    TooMany = "too_many", 429, Retry, "Too many transfers are open or running; try again later.";
    /// Requests of one identity too fast.
    TooManyRequests = "too_many_requests", 429, Retry, "Requests with this certificate's identity come too fast; try again at the time given.";
    /// Attempts begun too fast.
    TooManyAttempts = "too_many_attempts", 429, Retry, "The sender begins attempts too fast; try again at the time given.";
    /// Enough for one sender and day.
    OverQuota = "over_quota", 429, Retry, "The sender has offered as much as it may in a day; try again at the time given.";
    /// What is left of the disk belongs to the log.
    StorageFull = "storage_full", 503, Retry, "The receiver has no room for this file at present; nothing was accepted.";
    /// Shutting down.
    Draining = "draining", 503, Retry, "The gateway is being shut down; try again later.";
    /// Could not write fast enough.
    StorageStalled = "storage_stalled", 503, Retry, "The receiver could not store the content fast enough; try again later.";
    /// The system behind did not answer in time.
    BackendTimeout = "backend_timeout", 504, Retry, "The system behind the gateway did not answer in time; whether it did what was asked is not known.";
    /// The system behind could not be reached, or answered nonsense.
    BackendFailed = "backend_failed", 502, Retry, "The system behind the gateway cannot be reached, or its answer is broken.";
    /// Could not make durable.
    StorageFailed = "storage_failed", 503, Retry, "The receiver cannot store anything at present; nothing was accepted.";
}

impl Problem {
    /// The problem of this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Problem::ALL.iter().copied().find(|problem| problem.code() == code)
    }

    /// The `type` member of RFC 9457.
    pub fn type_uri(self) -> String {
        format!("urn:sekisho:problem:{}", self.code())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_the_serialised_name_and_stands_once() {
        for problem in Problem::ALL {
            assert_eq!(serde_json::to_value(problem).unwrap(), problem.code());
            assert_eq!(Problem::from_code(problem.code()), Some(*problem));
        }
    }
}
