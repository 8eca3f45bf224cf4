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

/// Identities that may cause such entries in a minute; those beyond are only counted.
pub const DENIED_IDENTITIES_MAX: usize = 10_000;

/// Audit entries about forks of its log that one identity may cause in a minute: the first says it all.
pub const FORKS_PER_MINUTE_MAX: u32 = 10;

/// Lines that one identity may cause in a minute by coming in under an ended revocation list.
pub const GRACES_PER_MINUTE_MAX: u32 = 1;

/// Identities that may cause such lines in a minute; each is counted besides.
pub const GRACED_IDENTITIES_MAX: usize = 100;

/// Senders that may begin attempts in a minute, some 60 bytes each: five times as many as come on the last claim day.
pub const ATTEMPTING_SENDERS_MAX: usize = 100_000;

/// Peers that are blocked by hand at the same time: beyond it their certificates should be revoked.
pub const BLOCKED_MAX: usize = 10_000;

/// Characters of the reason for a block.
pub const BLOCK_REASON_CHARACTERS_MAX: usize = 200;

/// Reasons that are counted. They are words of this program: problems, faults of certificates, and a few more.
pub const COUNTED_REASONS_MAX: usize = 256;

/// Sources by reason that are counted in a minute, some 60 bytes each; those beyond are summed up.
pub const COUNTED_SOURCES_MAX: usize = 10_000;

/// Lines about refused certificates that one source network may cause in a minute; the rest are only counted.
pub const REFUSALS_PER_MINUTE_MAX: u32 = 10;

/// Source networks that may cause such lines in a minute.
pub const REFUSED_SOURCES_MAX: usize = 30;

/// The time whose worth of handshakes a source prefix may begin at once: whoever comes back after a cut line brings all its
/// connections together.
pub const HANDSHAKE_BURST: Duration = Duration::from_secs(10);

/// The time whose worth of requests an identity may make at once: a transfer needs three or four, one after the other, and
/// somebody may send a whole month's.
pub const REQUEST_BURST: Duration = Duration::from_secs(2);

/// How long a request waits for its turn before it is answered that it came too fast. Whoever asks too fast on a
/// connection has to wait that long for its no, too, and one of its connections costs no more than one request a second.
pub const REQUEST_WAIT_MAX: Duration = Duration::from_secs(1);

/// Identities without a connection whose requests of just now are remembered, for seconds: 200 bytes
/// each, 15 KB with a thousand codes. Those beyond begin anew.
pub const RESTING_IDENTITIES_MAX: usize = 10_000;

/// The time that a handshake has to itself even where every place is taken: some round trips over a slow line. After it,
/// whoever waits for a place gets its.
pub const HANDSHAKE_FAIR: Duration = Duration::from_secs(1);

/// Source prefixes that are remembered at a time, some 100 bytes each; whoever comes beyond them waits for a place.
pub const SOURCES_MAX: usize = 65_536;

/// Sources that are named in the log each minute of those that were turned down; the others are summed up.
pub const SOURCES_NAMED_MAX: usize = 20;

/// Headers of one request; ours need eight.
pub const HEADERS_MAX: usize = 32;

/// Characters of the causes in the log for which a certificate was refused: some sentences, with two long names.
pub const CAUSES_SHOWN_MAX: usize = 1000;

/// Hexadecimal digits of a serial number in the log: those of the longest that RFC 5280 allows, and some.
pub const SERIAL_SHOWN_MAX: usize = 64;

/// Connections that wait in the kernel to be accepted.
pub const ACCEPT_QUEUE: i32 = 1024;

/// Connections of balancers whose header has not come yet.
pub const BALANCER_HEADERS_MAX: usize = 1024;

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

/// Revocation lists that are fetched at the same time: each may take the memory of a list of a million entries.
pub const CRL_FETCHES_AT_ONCE: usize = 4;

/// Milliseconds before the end of a fetched list at which a newer one is asked for again and again, unless it lives for so
/// short a time that more than a quarter of its life is left: from the last alarm on.
pub const CRL_SOON_MS: i64 = 6 * 60 * 60 * 1000;

/// How often a list is asked for that is missing, has ended or soon ends.
pub const CRL_SOON_EVERY: Duration = Duration::from_secs(60);

/// Connections that are served revocation lists at a time; the list itself is in memory once for all of them.
pub const SERVED_LISTS_CONNECTIONS_MAX: u32 = 256;

/// Of these, from one source prefix: a quarter.
pub const SERVED_LISTS_CONNECTIONS_PER_PREFIX_MAX: u32 = 64;

/// The time that one request for a list may take with its answer: 4 MB at 64 kbit/s, and some.
pub const SERVED_LIST_ANSWER_MAX: Duration = Duration::from_secs(600);

/// Connections to the admin socket, or to the metrics address, that are served at a time.
pub const ADMIN_CONNECTIONS_MAX: usize = 16;

/// Bytes of a request to the admin socket: one name and one reason.
pub const ADMIN_BODY_BYTES_MAX: usize = 4096;

/// How long whoever holds back what is to be handed over waits for what was begun: well within [`ADMIN_ANSWER_MAX`].
pub const HOLD_WAIT_MAX: Duration = Duration::from_secs(30);

/// The time that one request to the admin socket may take; a reload that takes longer goes on without its caller.
pub const ADMIN_ANSWER_MAX: Duration = Duration::from_secs(60);

/// Bytes of an answer of the admin socket: the longest is a full list of blocked peers, a thousand bytes each.
pub const ADMIN_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The time that whoever asks waits for an answer: somewhat longer than a gateway that works may take.
pub const ADMIN_ASK_MAX: Duration = Duration::from_secs(75);

/// Lists of one fetched file that the audit log names; the others are counted. A file holds few.
pub const LISTS_NAMED_MAX: usize = 8;

/// The time that connections of the admin socket and of the metrics address have left when the centre ends: enough for an
/// answer that is on its way.
pub const ADMIN_END_MAX: Duration = Duration::from_secs(1);

/// Transfers that are handed over together, at the cost of one sync: enough to hide it, few enough that one which the reader
/// waits for does not wait long for the others.
pub const DELIVERED_TOGETHER_MAX: usize = 64;

/// Bytes of content in them, which may all be in memory; one that is longer is handed over alone.
pub const DELIVERED_TOGETHER_BYTES_MAX: u64 = 4 * 1024 * 1024;
