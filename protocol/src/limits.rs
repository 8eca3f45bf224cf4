//! Limits that both ends must know, each with its unit and its reason. Limits that one side may choose stand in its
//! configuration.

/// Bytes of one compact JWS. A manifest is about 4 KiB; with a chain of post-quantum certificates over 15 KiB, with an
/// agent of a thousand codes some more.
pub const JWS_BYTES_MAX: usize = 128 * 1024;

/// Certificates in one `x5c`: a leaf and up to three issuers below the anchor.
pub const JWS_CHAIN_MAX: usize = 4;

/// Bytes of a JSON body of a request: a manifest with a consistency proof, or an acknowledgement.
pub const REQUEST_JSON_BYTES_MAX: usize = JWS_BYTES_MAX + 16 * 1024;

/// Bytes of a JSON answer: a receipt or refusal (which may carry an earlier receipt), proofs and a checkpoint.
pub const ANSWER_JSON_BYTES_MAX: usize = 4 * JWS_BYTES_MAX;

/// Bytes of a file's name in UTF-8: what common file systems hold.
pub const FILE_NAME_BYTES_MAX: usize = 255;

/// Receipts in one acknowledgement: a busy agent's night in a few statements, each well below the body limit.
pub const ACKNOWLEDGED_RECEIPTS_MAX: usize = 256;

/// Milliseconds that a first offer's `created_at` may lie ahead of the receiver's clock: clocks that nobody set. A
/// receiver that keeps to it dates no statement further back before the manifest that it speaks of.
pub const CREATED_AHEAD_MS_MAX: i64 = 10 * 60 * 1000;

/// Milliseconds that a first offer's `created_at` may lie behind: a sender that was off for some weeks.
pub const CREATED_BEHIND_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1000;

/// Bytes between two durable offsets while content arrives: what a cut costs at most to send again.
pub const DURABLE_OFFSET_EVERY: u64 = 64 * 1024 * 1024;

/// Content is sealed, written and resumed in pieces of this many bytes.
pub const PIECE_BYTES: u64 = 1024 * 1024;

/// Bytes of a log's origin or checkpoint name.
pub const LOG_NAME_BYTES_MAX: usize = 200;

/// Bytes of one signed checkpoint: three short lines and one signature.
pub const CHECKPOINT_BYTES_MAX: usize = 2 * 1024;

/// Hashes in one inclusion or consistency proof: a tree of 2^63 leaves has no longer one.
pub const PROOF_HASHES_MAX: usize = 64;
