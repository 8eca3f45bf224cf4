//! Limits of this program that nobody sets, each with unit and reason. Those an operator sets stand in the
//! configuration, those both ends must know in `protocol::limits`.

use std::time::Duration;

/// Milliseconds within which a transfer must be finished after its offer: longer than a month's sending window, so
/// that a cut on the last day can be mended by whoever comes back from holidays.
pub const FINISH_WITHIN_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// How often an offer is tried again when another offer of the same sender moved the sender's log meanwhile.
pub const LOG_MOVES_MAX: u32 = 16;

/// Audit entries about refusals that one identity may cause in a minute; the rest are only counted.
pub const DENIALS_PER_MINUTE_MAX: u32 = 60;

/// Identities whose refusals are counted at a time; when more come within a minute, the table starts anew.
pub const DENIED_IDENTITIES_MAX: usize = 10_000;

/// Reasons that are counted. They are words of this program: problems, faults of certificates, and a few more.
pub const COUNTED_REASONS_MAX: usize = 256;

/// Headers of one request; ours need eight.
pub const HEADERS_MAX: usize = 32;

/// The longest pause after a failed accept: out of file descriptors, mostly, which passes.
pub const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The time that attempts have to make durable what came, once they were told to end.
pub const ABORT_GRACE: Duration = Duration::from_secs(10);

/// The time that the last log entry, the ledger's end and threads that wait for a disk may take at the end of the
/// process. What hangs longer is left to the next start.
pub const CLOSE_GRACE: Duration = Duration::from_secs(10);

/// Threads that may block, beside the one that each running attempt needs: delivery, start-up, cancelled content.
pub const BLOCKING_THREADS_SPARE: usize = 64;

/// Bytes of a resumed prefix that are hashed again before new content is taken. A longer one is hashed after the last
/// byte: meanwhile nothing is read from the line, and on a slow or busy machine the sender's kernel would take it for
/// dead after three quarters of `detect_max`, on every attempt again.
pub const PREFIX_HASHED_FIRST_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of an answer of the admin socket.
pub const ADMIN_ANSWER_BYTES_MAX: usize = 1024 * 1024;
