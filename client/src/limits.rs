//! Limits of the sending side that nobody configures, each with its unit and its reason.

use std::time::Duration;

/// Bytes read from the file at a time, for hashing and for sending: large enough that system calls do not count.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// Blocks of content read ahead of the line. With the one being sent, the one being read and what TLS holds of one, 1.5 MiB of memory for a
/// running transfer.
pub const BLOCKS_AHEAD: usize = 3;

/// Bytes of content from which on it has a line of its own, by the engine that is made for it. That takes two handshakes more:
/// a few milliseconds of processor time and some round trips, which smaller content does not win back.
pub const OWN_LINE_BYTES_MIN: u64 = 8 * 1024 * 1024;

/// Sips in a second that a limited rate is handed out in: so few bytes at once that each of the most transfers that may run side
/// by side still gets one within half of the shortest deadline of 1 s.
pub const SIPS_PER_SECOND: u64 = 32;

/// So much of a rate that was not used is made up for: a busy machine wakes who waits some milliseconds late.
pub const CATCH_UP_MAX: Duration = Duration::from_millis(100);

/// Bytes of one line of the send log: an entry has some twenty short fields.
pub const LOG_LINE_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a file of the state directory: a signed statement is the longest.
pub const STATE_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of a bundle: three statements, proofs, and the revocation lists of a national authority (35 MB each).
pub const BUNDLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Between two looks at the line while nothing moves: short beside the least `detect_max` of 2 s.
pub const WATCH_EVERY: Duration = Duration::from_millis(100);

/// A line on which nothing moved for this long is asked whether its far end still answers.
pub const SAMPLE_AFTER: Duration = Duration::from_millis(100);

/// What the kernel said of the far end counts for this long: a few looks.
pub const SAMPLE_COUNTS_FOR: Duration = Duration::from_millis(700);

/// From a try to connect to one address of the centre to the try at its next one, while the first is still unanswered: the
/// pause that RFC 8305 section 5 recommends.
pub const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Revocation lists that are fetched at the same time: each may take the memory of a list of a million entries.
pub const LISTS_AT_ONCE: usize = 4;

/// How long a line that takes no requests any more is given to say why: its task has no more to do than that.
pub const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);

/// The longest check and commit at the centre that is waited for. A national review agency takes seconds; after this
/// the transfer is left as it is, and the next run asks.
pub const RECEIPT_WAIT_MAX: Duration = Duration::from_secs(10 * 60);

/// Between two questions for a receipt, when the centre names no time.
pub const ASK_EVERY: Duration = Duration::from_secs(1);

/// The longest time that a centre may ask us to stay away before the person at the screen is told instead.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);

/// Receipts of earlier runs that one run acknowledges beside its own: they must not hold up whoever waits.
pub const ACKNOWLEDGE_AT_ONCE: usize = 16;

/// Between two questions while the centre has not noticed yet that an attempt is over: a small part of the shortest
/// `detect_max`.
pub const NOTICE_PAUSE: Duration = Duration::from_millis(200);

/// Proofs about the centre's log that one receipt may need: other transfers of ours move what is known of it meanwhile.
pub const LOG_PROOFS_MAX: usize = 16;

/// Milliseconds that a time in a statement may lie in the future of whoever judges it: a day, since the commonest clock
/// that is wrong is set to another time zone (14 hours at most), and refusing the receipt of a file that arrived does more
/// harm than such a date.
pub const FUTURE_MS_MAX: i64 = 24 * 60 * 60 * 1000;

/// Milliseconds between two clocks that are worth a remark: below this nobody sets a clock.
pub const CLOCK_REMARK_MS: i64 = 5_000;
