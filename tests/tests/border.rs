//! Who comes in at all: from allowed networks, through named balancers, and never more than its share, so that nobody can
//! keep the others out.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::net::{IpAddr, Ipv4Addr};

use gateway::limits::BALANCER_HEADERS_MAX;
use protocol::{entry::Event, kind::Kind, problem::Problem};
use tests::{
    lab::institution,
    patience::patiently,
    setting::Setting,
    wire::{Caller, Engine, get, send_head},
};
use tokio::{io::AsyncReadExt as _, net::TcpSocket};

/// A loopback address in another network of 24 bits for each number.
fn network(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, number, 1).into()
}

/// No network is exempt, as at a real centre.
const NOBODY_EXEMPT: (&str, &str) = ("limits.exempt_prefixes", "[\"203.0.113.0/24\"]");

async fn counted(setting: &Setting, reason: &str) -> u64 {
    let status = setting.centre.until(reason, |status| status.turned_down.contains_key(reason)).await;
    status.turned_down[reason]
}

async fn gets_through(caller: &Caller) -> bool {
    caller.try_ask(&get("/v1/log/checkpoint")).await.is_some_and(|answer| answer.status == 200)
}

#[tokio::test]
async fn whoever_does_not_come_from_an_allowed_network_is_closed_before_tls() {
    let setting = Setting::new(100_000, &[("listen.allowed_prefixes", "[\"127.0.7.0/24\"]")]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((network(8), 0).into()).unwrap();
    let mut stranger = socket.connect(setting.centre.address).await.unwrap();
    let said = patiently("the close", stranger.read(&mut [0; 16])).await;
    assert!(matches!(said, Ok(0) | Err(_)), "not a byte is said");
    assert!(!gets_through(&setting.caller.from(network(8))).await);
    assert_eq!(counted(&setting, "connection:not_allowed").await, 2);
    assert!(gets_through(&setting.caller.from(network(7))).await);
}

/// The header of a balancer that says a connection comes from this address.
fn proxy_header(source: [u8; 4]) -> Vec<u8> {
    let signature = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c";
    [&signature[..], &source, &[192, 0, 2, 10], &[0x12, 0x34, 0x01, 0xbb]].concat()
}

#[tokio::test]
async fn a_named_balancer_says_where_a_connection_comes_from_and_nobody_else_does() {
    let changes = [
        ("listen.proxy_protocol_from", "[\"127.0.7.0/24\"]"),
        ("listen.allowed_prefixes", "[\"198.51.100.0/24\", \"127.0.8.0/24\"]"),
    ];
    let setting = Setting::new(100_000, &changes).await;
    let balancer = setting.caller.from(network(7));
    assert!(gets_through(&balancer.behind(&proxy_header([198, 51, 100, 9]))).await);
    // What it says counts: for the networks that may connect, and in the log.
    assert!(!gets_through(&balancer.behind(&proxy_header([203, 0, 113, 9]))).await);
    counted(&setting, "connection:not_allowed").await;
    let line = balancer.behind(&proxy_header([198, 51, 100, 9]));
    assert_eq!(line.ask(&get("/v1/nothing")).await.problem(), Problem::NotFound);
    let offered = line.offer("not.a.manifest").await;
    assert_eq!(offered.problem(), Problem::BadStatement);
    let entries = setting.centre.entries().await;
    let denied = entries.iter().find(|entry| entry.event == Event::Denied).unwrap();
    assert_eq!(denied.subject.as_ref().unwrap().address, "198.51.100.9:4660");
    // It must say it, and nobody else may.
    assert!(!gets_through(&balancer).await);
    counted(&setting, "connection:balancer_header_malformed").await;
    assert!(!gets_through(&setting.caller.from(network(8)).behind(&proxy_header([198, 51, 100, 9]))).await);
    assert!(gets_through(&setting.caller.from(network(8))).await);
}

#[tokio::test]
async fn connections_through_a_balancer_are_bound_by_the_places_of_those_they_come_from() {
    let changes = [
        NOBODY_EXEMPT,
        ("listen.proxy_protocol_from", "[\"127.0.7.0/24\"]"),
        ("limits.connections_per_prefix_max", "2"),
        ("link.header_max", "\"60s\""),
    ];
    let setting = Setting::new(100_000, &changes).await;
    let balancer = setting.caller.from(network(7));
    let clinic = balancer.behind(&proxy_header([198, 51, 100, 9]));
    let held = (clinic.line().await, clinic.line().await);
    assert!(!gets_through(&balancer.behind(&proxy_header([198, 51, 100, 10]))).await);
    assert_eq!(counted(&setting, "connection:prefix_full").await, 1);
    assert!(gets_through(&balancer.behind(&proxy_header([203, 0, 113, 9]))).await);
    drop(held);
    setting.centre.until("places", |status| status.connections == 0).await;
    assert!(gets_through(&clinic).await);
}

#[tokio::test]
async fn a_balancer_that_says_nothing_on_its_connections_leaves_the_others_theirs() {
    let changes = [("listen.proxy_protocol_from", "[\"127.0.7.0/24\"]"), ("link.header_max", "\"60s\"")];
    let setting = Setting::new(100_000, &changes).await;
    let mut held = Vec::new();
    for _ in 0..BALANCER_HEADERS_MAX {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((network(7), 0).into()).unwrap();
        held.push(socket.connect(setting.centre.address).await.unwrap());
    }
    let balancer = setting.caller.from(network(7)).behind(&proxy_header([198, 51, 100, 9]));
    assert!(!gets_through(&balancer).await);
    assert_eq!(counted(&setting, "connection:balancer_headers_full").await, 1);
    assert!(gets_through(&setting.caller.from(network(8))).await, "who comes without a balancer has a place");
    drop(held);
    counted(&setting, "connection:balancer_header_malformed").await;
    assert!(gets_through(&balancer).await);
}

#[tokio::test]
async fn case_40_a_source_that_takes_all_the_places_it_can_leaves_the_others_theirs() {
    let changes = [
        NOBODY_EXEMPT,
        ("limits.connections_per_prefix_max", "20"),
        ("limits.connections_max", "40"),
        ("limits.handshakes_max", "30"),
        ("link.handshake_max", "\"60s\""),
    ];
    let setting = Setting::new(100_000, &changes).await;
    let mut held = Vec::new();
    for _ in 0..200 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((network(66), 0).into()).unwrap();
        held.push(socket.connect(setting.centre.address).await.unwrap());
    }
    for _ in 0..10 {
        assert!(gets_through(&setting.caller.from(network(7))).await);
    }
    assert_eq!(counted(&setting, "connection:prefix_full").await, 180);
    // From many networks at once: the slowest handshakes give way, and an honest one gets through.
    for number in 70..90 {
        for _ in 0..10 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind((network(number), 0).into()).unwrap();
            held.push(socket.connect(setting.centre.address).await.unwrap());
        }
    }
    for _ in 0..10 {
        assert!(gets_through(&setting.caller.from(network(7))).await);
    }
    counted(&setting, "connection:handshake_gave_way").await;
}

#[tokio::test]
async fn handshakes_that_begin_too_fast_are_closed_before_tls_and_others_go_on() {
    let setting =
        Setting::new(100_000, &[NOBODY_EXEMPT, ("limits.handshakes_per_prefix_per_second_max", "1")]).await;
    let eager = setting.caller.from(network(66));
    let mut through = 0;
    for _ in 0..40 {
        through += u32::from(gets_through(&eager).await);
    }
    assert!((10..40).contains(&through), "{through} of 40 got through");
    counted(&setting, "connection:handshakes_too_fast").await;
    assert!(gets_through(&setting.caller.from(network(7))).await);
}

#[tokio::test]
async fn one_identity_holds_no_more_connections_than_it_may() {
    let setting = Setting::new(100_000, &[("limits.connections_per_identity_max", "3")]).await;
    let mut held = Vec::new();
    // Whichever engine serves them.
    for engine in [Engine::Hyper, Engine::Bulk, Engine::Hyper] {
        held.push(setting.caller.with(engine).line().await);
    }
    setting.centre.until("all of them", |status| status.connections == 3).await;
    for engine in Engine::ALL {
        assert!(
            setting.caller.with(engine).try_ask(&get("/v1/log/checkpoint")).await.is_none(),
            "{engine:?}"
        );
    }
    counted(&setting, "connection:identity_full").await;
    held.pop();
    setting.centre.until("a place", |status| status.connections == 2).await;
    assert!(gets_through(&setting.caller).await);
}

#[tokio::test]
async fn one_identity_sends_no_more_at_a_time_than_it_may() {
    Engine::each(async |engine| {
        let setting = Setting::new(
            300_000,
            &[("limits.transfers_per_identity_max", "1"), ("link.stall_max", "\"60s\"")],
        )
        .await;
        let (_, mut line) = setting.begun(engine, 50_000).await;
        let (second, length) = (setting.offered().await, setting.content.len() as u64);
        let answer = setting.caller.with(engine).ask(&send_head(&second, 0, length)).await;
        assert_eq!((answer.status, answer.problem()), (429, Problem::TooMany), "{engine:?}");
        assert_eq!(line.ask(&setting.content[50_000..]).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_sender_that_has_offered_enough_for_a_day_is_told_when_to_come_back() {
    let setting = Setting::new(100_000, &[("limits.transfers_per_sender_per_day_max", "2")]).await;
    setting.offered().await;
    setting.offered().await;
    let third = setting.manifest();
    let answer = setting.caller.offer(&setting.papers.sign(&third)).await;
    assert_eq!((answer.status, answer.problem()), (429, Problem::OverQuota));
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=24 * 60 * 60).contains(&seconds), "{seconds}");
    let ask = get(&third.key().location());
    assert_eq!(setting.caller.ask(&ask).await.problem(), Problem::NotFound, "nothing of it is stored");
    let entries = setting.centre.entries().await;
    let refused: Vec<_> = entries.iter().filter(|entry| entry.problem == Some(Problem::OverQuota)).collect();
    assert_eq!(refused.iter().map(|entry| entry.event).collect::<Vec<_>>(), [Event::Denied]);
    assert_eq!(refused[0].subject.as_ref().unwrap().identity, setting.papers.identity);
    // The id stays usable: with more room the same offer is taken.
    let more = [("limits.transfers_per_sender_per_day_max", "3")];
    lab::site::change(&setting.centre.site.config, &more).unwrap();
    setting.centre.until("the new settings", |status| status.generation == 2).await;
    assert_eq!(setting.caller.offer(&setting.papers.sign(&third)).await.status, 201);
}

#[tokio::test]
async fn the_part_of_the_disk_that_belongs_to_the_log_is_not_given_to_content() {
    let setting = Setting::new(100_000, &[]).await;
    let key = setting.offered().await;
    lab::site::change(&setting.centre.site.config, &[("limits.audit_reserve_bytes", "\"1024GiB\"")]).unwrap();
    let status = setting.centre.until("the new settings", |status| status.generation == 2).await;
    assert_eq!(status.not_ready, ["disk_full"]);
    for engine in Engine::ALL {
        let answer = setting.caller.with(engine).send(&key, &setting.content).await;
        assert_eq!((answer.status, answer.problem()), (503, Problem::StorageFull), "{engine:?}");
        assert!(answer.header("retry-after").is_some(), "{engine:?}");
    }
    let answer = setting.caller.offer(&setting.papers.sign(&setting.manifest())).await;
    assert_eq!((answer.status, answer.problem()), (503, Problem::StorageFull));
    // What was offered before can go on as soon as there is room.
    lab::site::change(&setting.centre.site.config, &[("limits.audit_reserve_bytes", "\"1MiB\"")]).unwrap();
    setting.centre.until("room", |status| status.not_ready.is_empty()).await;
    assert_eq!(setting.caller.send(&key, &setting.content).await.status, 200);
}

/// Changes settings, and waits until they count.
async fn change(setting: &Setting, generation: u64, changes: &[(&str, &str)]) {
    lab::site::change(&setting.centre.site.config, changes).unwrap();
    setting.centre.until("the new settings", |status| status.generation == generation).await;
}

#[tokio::test]
async fn exactly_the_bytes_of_a_day_may_be_offered_and_not_one_more() {
    let setting = Setting::new(100_000, &[]).await;
    let length = setting.content.len() as u64;
    let (file, short) = (format!("{length}"), format!("{}", 2 * length - 1));
    let limits = [("limits.file_bytes_max", file.as_str()), ("limits.bytes_per_sender_per_day_max", &short)];
    change(&setting, 2, &limits).await;
    setting.offered().await;
    let second = setting.papers.sign(&setting.manifest());
    let answer = setting.caller.offer(&second).await;
    assert_eq!((answer.status, answer.problem()), (429, Problem::OverQuota), "one byte is missing");
    change(&setting, 3, &[("limits.bytes_per_sender_per_day_max", &format!("{}", 2 * length))]).await;
    assert_eq!(setting.caller.offer(&second).await.status, 201, "exactly the maximum");
    let answer = setting.caller.offer(&setting.papers.sign(&setting.manifest())).await;
    assert_eq!((answer.status, answer.problem()), (429, Problem::OverQuota));
}

#[tokio::test]
async fn a_sender_that_begins_attempts_too_fast_is_told_when_to_come_back_and_leaves_few_traces() {
    Engine::each(async |engine| {
        let limit = [("limits.attempts_per_sender_per_minute_max", "3")];
        let setting = Setting::new(100_000, &limit).await;
        let key = setting.offered().await;
        let caller = setting.caller.with(engine);
        // A minute may end meanwhile: six at most begin.
        let mut refused = None;
        for _ in 0..7 {
            let answer = caller.ask(&send_head(&key, 0, 0)).await;
            if answer.problem() == Problem::TooManyAttempts {
                refused = Some(answer);
                break;
            }
            assert_eq!(answer.problem(), Problem::LengthMismatch);
        }
        let refused = refused.unwrap();
        assert_eq!(refused.status, 429);
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
        let entries = setting.centre.entries().await;
        assert!(entries.iter().any(|entry| entry.problem == Some(Problem::TooManyAttempts)));
        // Questions are no attempts.
        assert_eq!(setting.caller.ask(&get(&key.location())).await.status, 200, "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn an_identity_that_asks_too_fast_waits_is_told_when_to_come_back_and_holds_up_nobody_else() {
    Engine::each(async |engine| {
        let setting = Setting::new(100_000, &[("limits.requests_per_identity_per_second_max", "1")]).await;
        let request = match engine {
            Engine::Hyper => get("/v1/log/checkpoint"),
            // Of a transfer that there is not.
            Engine::Bulk => send_head(&setting.manifest().key(), 0, 0),
        };
        let mut lines = Vec::new();
        for _ in 0..12 {
            lines.push(setting.caller.with(engine).line().await);
        }
        for line in &mut lines {
            line.write(&request).await;
        }
        let (party, address) = (institution(Kind::Medical, 2), setting.centre.address);
        let other = Caller::new(&setting.lab.sender("other", &party, address, &[]), address);
        assert!(gets_through(&other).await);
        let mut refused = Vec::new();
        for line in &mut lines {
            let answer = line.answer().await.unwrap();
            if answer.status != 200 && answer.status != 404 {
                refused.push(answer);
            }
        }
        // Two come at once, the third waits; more than these three only if this machine takes seconds to ask.
        assert!((1..=9).contains(&refused.len()), "{engine:?}: {}", refused.len());
        for answer in &refused {
            assert_eq!((answer.status, answer.problem()), (429, Problem::TooManyRequests), "{engine:?}");
            assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        }
        let entries = setting.centre.entries().await;
        assert!(entries.iter().any(|entry| entry.problem == Some(Problem::TooManyRequests)));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_does_not_take_the_part_of_the_disk_that_belongs_to_the_log() {
    let setting = Setting::new(100_000, &[("link.stall_max", "\"60s\"")]).await;
    let (key, mut line) = setting.begun(Engine::Hyper, 50_000).await;
    change(&setting, 2, &[("limits.audit_reserve_bytes", "\"1024GiB\"")]).await;
    // What was promised is kept, but the copy for the inbox has to wait.
    assert_eq!(line.ask(&setting.content[50_000..]).await.status, 200);
    setting.centre.logs(&["not delivered yet", &key.to_string(), "no room"]).await;
    assert_eq!(setting.centre.inbox(), []);
    change(&setting, 3, &[("limits.audit_reserve_bytes", "\"1MiB\"")]).await;
    setting.centre.until("the delivery", |status| status.undelivered == 0).await;
    assert_eq!(setting.centre.inbox()[0].content, setting.content);
}
