//! Every limit an operator may set: name, unit, default, bounds, and why. Their one home.

use std::time::Duration;

use crate::reader::{Limit, Size};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The shortest `detect_max` in production: below it a slow disk sync or a lossy line is taken for a dead one.
pub const DETECT_MAX_PRODUCTION_LOW: Duration = Duration::from_secs(5);

/// `link.detect_max` of both programs.
pub const DETECT_MAX: Limit<Duration> = Limit {
    name: "detect_max",
    meaning: "Within this time a dead line is noticed and the transfer stopped. In production at least \"5s\".",
    default: Duration::from_secs(10),
    low: Duration::from_secs(2),
    high: Duration::from_secs(600),
    reason: "rides over a slow disk sync and lost packets, and still tells the sender before a person would ask",
};

/// `tls.danger_crl_grace` and `evidence.danger_crl_grace` of both programs.
pub const DANGER_CRL_GRACE: Limit<Duration> = Limit {
    name: "danger_crl_grace",
    meaning: "How long the ended revocation list of one authority is still used. Meanwhile certificates revoked since \
              count; each use is counted.",
    default: Duration::ZERO,
    low: Duration::ZERO,
    high: Duration::from_secs(24 * 60 * 60),
    reason: "nobody passes without a list in force; a day of grace is for an authority whose publication broke down",
};

/// The shortest `crl.refresh` in production: authorities publish by the hour, and every client asks the same server.
pub const CRL_REFRESH_PRODUCTION_LOW: Duration = Duration::from_secs(60);

/// `crl.refresh` of both programs.
pub const CRL_REFRESH: Limit<Duration> = Limit {
    name: "refresh",
    meaning: "How often a revocation list is fetched again; one that is missing, has ended or soon ends is tried every \
              minute. In production at least \"1m\".",
    default: Duration::from_secs(60 * 60),
    low: Duration::from_secs(1),
    high: Duration::from_secs(24 * 60 * 60),
    reason: "a revocation counts within the hour, and a server is asked by all no more often than it publishes",
};

/// `crl.fetch_max` of both programs.
pub const CRL_FETCH_MAX: Limit<Duration> = Limit {
    name: "fetch_max",
    meaning: "How long fetching one list may take, from the name's address to its last byte; also how long a start \
              waits for lists that are missing.",
    default: Duration::from_secs(30),
    low: Duration::from_secs(1),
    high: Duration::from_secs(600),
    reason: "a list of 100,000 revoked certificates (4 MB) comes in it at 1.1 Mbit/s, and no start seems to hang",
};

/// `link.stall_max` of both programs.
pub const STALL_MAX: Limit<Duration> = Limit {
    name: "stall_max",
    meaning: "A peer that is there but moves no byte for this time is given up.",
    default: Duration::from_secs(60),
    low: Duration::from_secs(2),
    high: Duration::from_secs(3600),
    reason: "longer than any pause of a healthy program, shorter than the patience of the person waiting",
};

/// `link.min_rate_bytes_per_second` of the gateway.
pub const MIN_RATE: Limit<Size> = Limit {
    name: "min_rate_bytes_per_second",
    meaning: "A transfer slower than this, averaged over stall_max, is given up.",
    default: Size(KIB),
    low: Size(1),
    high: Size(GIB),
    reason: "an eighth of a 64 kbit/s line: slower is no line but a place held for days",
};

/// `link.handshake_max` of the gateway.
pub const HANDSHAKE_MAX: Limit<Duration> = Limit {
    name: "handshake_max",
    meaning: "From the accepted connection to the finished TLS handshake.",
    default: Duration::from_secs(10),
    low: Duration::from_secs(1),
    high: Duration::from_secs(120),
    reason: "some four packets on the slowest line; a stranger holds a connection no longer",
};

/// `link.header_max` of the gateway.
pub const HEADER_MAX: Limit<Duration> = Limit {
    name: "header_max",
    meaning: "From the first byte of a request to the end of its headers.",
    default: Duration::from_secs(10),
    low: Duration::from_secs(1),
    high: Duration::from_secs(120),
    reason: "headers fit into one packet or two",
};

/// `link.receipt_wait` of the gateway.
pub const RECEIPT_WAIT: Limit<Duration> = Limit {
    name: "receipt_wait",
    meaning: "After the last byte, how long the sender is kept waiting for its receipt before it is told to ask again.",
    default: Duration::from_secs(5),
    low: Duration::from_millis(100),
    high: Duration::from_secs(60),
    reason: "checks and commit take less, even of a large file; it stays below detect_max",
};

/// `link.drain_max` of the gateway.
pub const DRAIN_MAX: Limit<Duration> = Limit {
    name: "drain_max",
    meaning: "On shutdown, how long running transfers may go on before they are aborted, resumable.",
    default: Duration::from_secs(30),
    low: Duration::from_secs(1),
    high: Duration::from_secs(3600),
    reason: "most transfers end in it, and it fits into the 90 s systemd waits before it kills",
};

/// `limits.file_bytes_max` of the gateway.
pub const FILE_BYTES_MAX: Limit<Size> = Limit {
    name: "file_bytes_max",
    meaning: "The largest file taken; a larger one is refused at its offer, before its first byte.",
    default: Size(10 * GIB),
    low: Size(KIB),
    high: Size(1024 * GIB),
    reason: "over thirty times the largest claims file of a big hospital (300 MB)",
};

/// `limits.connections_max` of the gateway.
pub const CONNECTIONS_MAX: Limit<u32> = Limit {
    name: "connections_max",
    meaning: "Connections open at the same time, those still in their handshake included.",
    default: 2000,
    low: 1,
    high: 100_000,
    reason: "the peak on the last claim day needs a few hundred; each costs up to 256 KiB, and up to three on a core 1 MiB while they bring a streamed request",
};

/// `limits.connections_per_identity_max` of the gateway.
pub const CONNECTIONS_PER_IDENTITY_MAX: Limit<u32> = Limit {
    name: "connections_per_identity_max",
    meaning: "Connections that one identity may hold at the same time, with any of its certificates.",
    default: 32,
    low: 1,
    high: 100_000,
    reason: "a hospital's terminals with some transfers each; a runaway program leaves the places to others",
};

/// `limits.connections_per_prefix_max` of the gateway.
pub const CONNECTIONS_PER_PREFIX_MAX: Limit<u32> = Limit {
    name: "connections_per_prefix_max",
    meaning: "Connections from one source prefix at the same time, those still in their handshake included; one more \
              is closed at once.",
    default: 256,
    low: 1,
    high: 100_000,
    reason: "an eighth of connections_max: no network alone can hold the places of all others",
};

/// `limits.prefix_bits_v4` of the gateway.
pub const PREFIX_BITS_V4: Limit<u32> = Limit {
    name: "prefix_bits_v4",
    meaning: "Bits of an IPv4 address that make one source prefix.",
    default: 24,
    low: 8,
    high: 32,
    reason: "whoever has one address of a small network mostly has them all",
};

/// `limits.prefix_bits_v6` of the gateway.
pub const PREFIX_BITS_V6: Limit<u32> = Limit {
    name: "prefix_bits_v6",
    meaning: "Bits of an IPv6 address that make one source prefix.",
    default: 56,
    low: 16,
    high: 128,
    reason: "what a provider gives to one customer",
};

/// `limits.handshakes_max` of the gateway.
pub const HANDSHAKES_MAX: Limit<u32> = Limit {
    name: "handshakes_max",
    meaning: "Connections whose handshake is under way at the same time. For one more, one of the source prefix that \
              has most of them is closed, the one that has taken longest.",
    default: 512,
    low: 8,
    high: 100_000,
    reason: "a handshake takes some 50 ms on a real line: the peak of 300 in a second has 15 under way",
};

/// `limits.handshakes_per_prefix_per_second_max` of the gateway.
pub const HANDSHAKES_PER_PREFIX_PER_SECOND_MAX: Limit<u32> = Limit {
    name: "handshakes_per_prefix_per_second_max",
    meaning: "Handshakes that one source prefix may begin in a second, ten seconds' worth at once; one more is closed \
              before TLS.",
    default: 50,
    low: 1,
    high: 100_000,
    reason: "ten terminals with five connections each; what is more costs the processor time of everybody else",
};

/// `limits.connection_life_max` of the gateway.
pub const CONNECTION_LIFE_MAX: Limit<Duration> = Limit {
    name: "connection_life_max",
    meaning: "The longest life of a connection; then the running request is finished and it closes.",
    default: Duration::from_secs(24 * 60 * 60),
    low: Duration::from_secs(10),
    high: Duration::from_secs(7 * 24 * 60 * 60),
    reason: "the largest file over a slow line fits into a day, and nobody stays for ever on one handshake",
};

/// `limits.transfers_per_identity_max` of the gateway.
pub const TRANSFERS_PER_IDENTITY_MAX: Limit<u32> = Limit {
    name: "transfers_per_identity_max",
    meaning: "Transfers of one identity receiving content at the same time; one more is told to come back later.",
    default: 16,
    low: 1,
    high: 100_000,
    reason: "all kinds of a hospital at once, and an agent's; one identity cannot take every place",
};

/// `limits.requests_per_identity_per_second_max` of the gateway.
pub const REQUESTS_PER_IDENTITY_PER_SECOND_MAX: Limit<u32> = Limit {
    name: "requests_per_identity_per_second_max",
    meaning: "Requests of one identity in a second, on all its connections, two seconds' worth at once. What comes faster \
              waits for up to a second; then it is told when to come back.",
    default: 50,
    low: 1,
    high: 1_000_000,
    reason: "sixteen small files in a second, or a hospital's counters with questions; a runaway program leaves the \
             processor to others. An agent or vendor for many may need more",
};

/// `limits.attempts_per_sender_per_minute_max` of the gateway.
pub const ATTEMPTS_PER_SENDER_PER_MINUTE_MAX: Limit<u32> = Limit {
    name: "attempts_per_sender_per_minute_max",
    meaning: "Attempts to send content that one sender may begin in a minute, at all its transfers; one more is told \
              when to come back.",
    default: 60,
    low: 1,
    high: 100_000,
    reason: "five transfers at once over a line that breaks every five seconds; each attempt costs ledger, log and disk",
};

/// `limits.transfers_per_sender_per_day_max` of the gateway.
pub const TRANSFERS_PER_SENDER_PER_DAY_MAX: Limit<u32> = Limit {
    name: "transfers_per_sender_per_day_max",
    meaning: "Transfers that one sender may offer in a day (Japanese time); one more is told when to come back.",
    default: 500,
    low: 1,
    high: 1_000_000,
    reason: "some ten are usual in a month; a program in a loop must not fill ledger and log",
};

/// `limits.bytes_per_sender_per_day_max` of the gateway.
pub const BYTES_PER_SENDER_PER_DAY_MAX: Limit<Size> = Limit {
    name: "bytes_per_sender_per_day_max",
    meaning: "Bytes of content that one sender may offer in a day (Japanese time).",
    default: Size(50 * GIB),
    low: Size(KIB),
    high: Size(1024 * 1024 * GIB),
    reason: "five of the largest files; more from one sender is a mistake or an attack",
};

/// `limits.audit_reserve_bytes` of the gateway.
pub const AUDIT_RESERVE_BYTES: Limit<Size> = Limit {
    name: "audit_reserve_bytes",
    meaning: "Bytes of the disk that holds the data directory which only ledger and log may use: what would leave less \
              free is not taken in.",
    default: Size(512 * 1024 * KIB),
    low: Size(1024 * KIB),
    high: Size(1024 * GIB),
    reason: "some hundred thousand entries: enough to put on record what is refused until somebody has made room",
};

/// `limits.transfers_max` of the gateway.
pub const TRANSFERS_MAX: Limit<u32> = Limit {
    name: "transfers_max",
    meaning: "Transfers receiving content at the same time; one more is told to come back later.",
    default: 1000,
    low: 1,
    high: 100_000,
    reason: "half of the connections, so that offers, questions and acknowledgements always find room",
};

/// `limits.open_transfers_per_sender_max` of the gateway.
pub const OPEN_TRANSFERS_PER_SENDER_MAX: Limit<u32> = Limit {
    name: "open_transfers_per_sender_max",
    meaning: "Transfers of one sender that are offered and not yet ended, running or waiting to be resumed.",
    default: 32,
    low: 1,
    high: 10_000,
    reason: "five kinds, first and repeated claims and corrections of a month, with room; a runaway program stops",
};

/// `limits.body_bytes_max` of the gateway.
pub const BODY_BYTES_MAX: Limit<Size> = Limit {
    name: "body_bytes_max",
    meaning: "The largest body of a request that carries no file: offers and acknowledgements.",
    default: Size(144 * KIB),
    low: Size(16 * KIB),
    high: Size(144 * KIB),
    reason: "the longest signed statement: an acknowledgement of 256 receipts by an agent for many institutions",
};

/// `link.answer_max` of the client.
pub const ANSWER_MAX: Limit<Duration> = Limit {
    name: "answer_max",
    meaning: "How long one answer of the centre may take; then the client asks what became of the transfer.",
    default: Duration::from_secs(30),
    low: Duration::from_secs(1),
    high: Duration::from_secs(600),
    reason: "the centre answers within its receipt_wait of 5 s; the rest is for a slow line",
};

/// `sending.parallel` of the client.
pub const PARALLEL: Limit<u32> = Limit {
    name: "parallel",
    meaning: "Files sent at the same time. Of several places, files of 8 MiB and more never take the last: those below do not wait for them.",
    default: 4,
    low: 1,
    high: 16,
    reason: "the kinds of a month side by side, and room for the other terminals of an institution, which a centre lets \
             run 16 in all",
};

/// `retry.attempts` of the client.
pub const RETRY_ATTEMPTS: Limit<u32> = Limit {
    name: "attempts",
    meaning: "Attempts at one transfer, the first included, before a person has to decide.",
    default: 5,
    low: 1,
    high: 100,
    reason: "with the default waits over a minute of broken line; then somebody must know",
};

/// `retry.first_wait` of the client.
pub const RETRY_FIRST_WAIT: Limit<Duration> = Limit {
    name: "first_wait",
    meaning: "The wait before the second attempt; it doubles with each further one, and a part of it is random.",
    default: Duration::from_secs(5),
    low: Duration::from_millis(100),
    high: Duration::from_secs(600),
    reason: "a router that starts anew needs about that long, and not all clients come back at once",
};

/// `retry.longest_wait` of the client.
pub const RETRY_LONGEST_WAIT: Limit<Duration> = Limit {
    name: "longest_wait",
    meaning: "No wait between two attempts is longer.",
    default: Duration::from_secs(120),
    low: Duration::from_millis(100),
    high: Duration::from_secs(3600),
    reason: "the person at the screen still sees that work goes on",
};

/// `route.*.body_bytes_max` of the gateway.
pub const ROUTE_BODY_BYTES_MAX: Limit<Size> = Limit {
    name: "body_bytes_max",
    meaning: "The largest content of a request.",
    default: Size(MIB),
    low: Size(0),
    high: Size(1 << 40),
    reason: "a question is some kilobytes; a route that carries files says so",
};

/// `route.*.answer_max` of the gateway.
pub const ROUTE_ANSWER_MAX: Limit<Duration> = Limit {
    name: "answer_max",
    meaning: "From the end of a request to the beginning of the backend's answer.",
    default: Duration::from_secs(30),
    low: Duration::from_millis(100),
    high: Duration::from_secs(3600),
    reason: "somebody stands at a counter and waits; later the answer helps nobody",
};

/// `route.*.requests_max` of the gateway.
pub const ROUTE_REQUESTS_MAX: Limit<u32> = Limit {
    name: "requests_max",
    meaning: "Requests passed on at the same time. Further ones are answered 429 at once.",
    default: 256,
    low: 1,
    high: 100_000,
    reason: "a backend that hangs holds this many connections and no more; other routes and transfers go on",
};

/// `process.cores` of the gateway.
pub const CORES: Limit<u32> = Limit {
    name: "cores",
    meaning: "Cores that carry connections, each with a thread of its own. 0: all that the process may use.",
    default: 0,
    low: 0,
    high: 1024,
    reason: "what systemd or taskset leave to the process is meant for it",
};
