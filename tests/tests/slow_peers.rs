//! Whoever is slow, silent or too many holds no place for long, and keeps nobody else out for ever.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::{io, num::NonZeroU64, ops::RangeInclusive, time::Duration};

use lab::proxy::{Fault, FaultProxy, Plan};
use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    kind::Kind,
    problem::Problem,
    transfer_id::TransferKey,
};
use tests::{
    files::claims_file,
    lab::institution,
    patience::patiently,
    setting::Setting,
    wire::{Engine, Line, send_head},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

/// Milliseconds after which an attempt is to be over where two seconds are allowed.
const IN_TIME: RangeInclusive<u64> = 2_000..=3_000;

async fn setting(changes: &[(&str, &str)]) -> Setting {
    Setting::new(300_000, changes).await
}

/// How the only attempt ended, and after how many milliseconds.
async fn aborted(setting: &Setting) -> (Cause, u64) {
    setting.centre.logs(&["attempt aborted"]).await;
    let entries = setting.centre.entries().await;
    let aborted: Vec<&Entry> = entries.iter().filter(|entry| entry.event == Event::Aborted).collect();
    let [aborted] = aborted.as_slice() else { panic!("one abort, not {aborted:?}") };
    (aborted.cause.unwrap(), aborted.duration_ms.unwrap())
}

/// Waits until the centre has counted this as often.
async fn counted(setting: &Setting, reason: &str, at_least: u64) {
    let counted = |status: &gateway::admin::Status| {
        status.turned_down.iter().any(|(known, count)| known.contains(reason) && *count >= at_least)
    };
    setting.centre.until(reason, counted).await;
}

async fn read_to_end(stream: &mut TcpStream) -> io::Result<usize> {
    patiently("the end of a connection", stream.read_to_end(&mut Vec::new())).await
}

#[tokio::test]
async fn case_38_a_stranger_who_does_not_finish_the_handshake_is_let_go_and_counted() {
    let setting = setting(&[("link.handshake_max", "\"1s\"")]).await;
    // The beginning of a TLS record that never comes whole.
    for said in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stranger = TcpStream::connect(setting.centre.address).await.unwrap();
        stranger.write_all(said).await.unwrap();
        assert!(matches!(read_to_end(&mut stranger).await, Ok(0) | Err(_)));
    }
    counted(&setting, "handshake_timeout", 1).await;
}

#[tokio::test]
async fn a_stranger_who_speaks_no_tls_is_let_go_and_counted() {
    let setting = setting(&[]).await;
    let mut stranger = TcpStream::connect(setting.centre.address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(matches!(read_to_end(&mut stranger).await, Ok(..=100) | Err(_)), "an alert at most");
    counted(&setting, "handshake_failed", 1).await;
}

/// Between two bytes of what trickles. No test's outcome depends on it.
const TRICKLE: Duration = Duration::from_millis(100);

/// Writes byte after byte of a head without an end, until the centre answers or closes; what it said.
async fn trickle(mut line: Line) -> Vec<u8> {
    loop {
        let ends = tokio::select! {
            said = line.next() => said.is_none(),
            () = sleep(TRICKLE) => false,
        };
        if ends {
            return line.closed().await;
        }
        line.write(b"c").await;
    }
}

#[tokio::test]
async fn case_38_a_head_that_does_not_come_whole_ends_the_connection_and_is_counted() {
    Engine::each(async |engine| {
        let setting = setting(&[("link.header_max", "\"1s\"")]).await;
        let caller = setting.caller.with(engine);
        let (mut silent, mut trickling) = (caller.line().await, caller.line().await);
        for line in [&mut silent, &mut trickling] {
            line.write(b"GET /v1/log/checkpoint HTTP/1.1\r\nhost: cen").await;
        }
        let what = format!("the end of a {engine:?} connection that trickles");
        let trickling = patiently(&what, trickle(trickling));
        let (silent, trickling) = tokio::join!(silent.closed(), trickling);
        for said in [silent, trickling] {
            let text = String::from_utf8_lossy(&said);
            assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{engine:?}: {text}");
        }
        counted(&setting, "head_timeout", 2).await;
    })
    .await;
}

#[tokio::test]
async fn content_that_stops_coming_is_given_up_as_stalled_in_time() {
    Engine::each(async |engine| {
        let setting = setting(&[("link.stall_max", "\"2s\"")]).await;
        let key = setting.offered().await;
        let mut line = setting.caller.with(engine).line().await;
        let head = send_head(&key, 0, setting.content.len() as u64);
        line.write(&[&head, &setting.content[..50_000]].concat()).await;
        let answer = line.answer().await.unwrap();
        assert_eq!((answer.status, answer.problem()), (408, Problem::Stalled), "{engine:?}");
        let (cause, after) = aborted(&setting).await;
        assert_eq!(cause, Cause::Stalled, "{engine:?}");
        assert!(IN_TIME.contains(&after), "{engine:?}: after {after} ms");
    })
    .await;
}

#[tokio::test]
async fn case_38_content_that_trickles_is_given_up_as_too_slow_in_time() {
    Engine::each(async |engine| {
        let setting =
            setting(&[("link.stall_max", "\"2s\""), ("link.min_rate_bytes_per_second", "\"64KiB\"")]).await;
        let key = setting.offered().await;
        let slowly = Fault::Throttle { bytes_per_second: NonZeroU64::new(40_000).unwrap() };
        let plan = move |_| Plan::clean().up(slowly);
        let proxy =
            FaultProxy::start("127.0.0.1:0".parse().unwrap(), setting.centre.address, plan).await.unwrap();
        let slow = setting.caller.with(engine).at(proxy.address());
        let answer = slow.send(&key, &setting.content).await;
        assert_eq!((answer.status, answer.problem()), (408, Problem::TooSlow), "{engine:?}");
        let (cause, after) = aborted(&setting).await;
        assert_eq!(cause, Cause::TooSlow, "{engine:?}");
        assert!(IN_TIME.contains(&after), "{engine:?}: after {after} ms");
    })
    .await;
}

/// A transfer of another file, offered and nothing sent; its content.
async fn offered_other(setting: &Setting, number: u64) -> (TransferKey, Vec<u8>) {
    let content = claims_file(Kind::Medical, &institution(Kind::Medical, 1), 30_000, number);
    let manifest = setting.papers.manifest(Kind::Medical, &content);
    assert_eq!(setting.caller.offer(&setting.papers.sign(&manifest)).await.status, 201);
    (manifest.key(), content)
}

#[tokio::test]
async fn more_connections_than_there_are_places_wait_their_turn() {
    Engine::each(async |engine| {
        let setting = setting(&[("limits.connections_max", "4"), ("link.header_max", "\"60s\"")]).await;
        let mut offered = Vec::new();
        for number in 2..=6 {
            offered.push(offered_other(&setting, number).await);
        }
        let caller = setting.caller.with(engine);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(caller.line().await);
        }
        let (key, content) = offered.pop().unwrap();
        let fifth = tokio::spawn(async move { caller.send(&key, &content).await });
        // The others are served meanwhile, and the fifth is not.
        for (line, (key, content)) in held.iter_mut().zip(&offered) {
            let sent = [&send_head(key, 0, content.len() as u64), content.as_slice()].concat();
            assert_eq!(line.ask(&sent).await.status, 200, "{engine:?}");
        }
        assert!(!fifth.is_finished(), "{engine:?}");
        drop(held.pop());
        assert_eq!(patiently("the fifth connection", fifth).await.unwrap().status, 200, "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn more_transfers_than_there_are_places_are_told_to_come_back() {
    Engine::each(async |engine| {
        let setting = setting(&[("limits.transfers_max", "1"), ("link.stall_max", "\"60s\"")]).await;
        let (first, second) = (setting.offered().await, setting.offered().await);
        let caller = setting.caller.with(engine);
        let mut line = caller.line().await;
        let length = setting.content.len() as u64;
        line.write(&[&send_head(&first, 0, length), &setting.content[..50_000]].concat()).await;
        setting.centre.logs(&["attempt began", &first.to_string()]).await;
        let answer = caller.ask(&send_head(&second, 0, length)).await;
        assert_eq!((answer.status, answer.problem()), (429, Problem::TooMany), "{engine:?}");
        assert!(answer.header("retry-after").is_some(), "{engine:?}");
        assert_eq!(line.ask(&setting.content[50_000..]).await.status, 200, "{engine:?}");
        // The second then says that it is the same file.
        let answer = caller.send(&second, &setting.content).await;
        assert_eq!(answer.problem(), Problem::AlreadyHeld, "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn more_open_transfers_of_one_sender_than_allowed_are_told_to_come_back() {
    let setting = setting(&[("limits.open_transfers_per_sender_max", "2")]).await;
    let first = setting.offered().await;
    setting.offered().await;
    let third = setting.papers.sign(&setting.manifest());
    let answer = setting.caller.offer(&third).await;
    assert_eq!((answer.status, answer.problem()), (429, Problem::TooMany));
    let cancel = format!("DELETE {} HTTP/1.1\r\nhost: localhost\r\n\r\n", first.location());
    assert_eq!(setting.caller.ask(cancel.as_bytes()).await.status, 204);
    assert_eq!(setting.caller.offer(&third).await.status, 201, "the id stayed usable");
}

#[tokio::test]
async fn whoever_has_all_it_may_have_open_is_told_before_a_signature_is_looked_at() {
    let setting = setting(&[("limits.open_transfers_per_sender_max", "1")]).await;
    let offer_forged = async || {
        let signed = setting.papers.sign(&setting.manifest());
        let (signed, signature) = signed.rsplit_once('.').unwrap();
        let other = setting.papers.sign(&setting.manifest());
        let (_, other) = other.rsplit_once('.').unwrap();
        assert_ne!(signature, other);
        setting.caller.offer(&format!("{signed}.{other}")).await.problem()
    };
    assert_eq!(offer_forged().await, Problem::BadSigner);
    setting.offered().await;
    assert_eq!(offer_forged().await, Problem::TooMany);
    // What is refused for good is judged as ever: its no is signed, and goes on record.
    let too_large = setting.offer_but(|manifest| manifest.length = u64::MAX >> 12);
    assert_eq!(setting.caller.ask(&too_large).await.problem(), Problem::TooLarge);
}

#[tokio::test]
async fn whoever_has_all_it_may_have_open_is_told_all_the_same_what_was_received_before() {
    let setting = setting(&[("limits.open_transfers_per_sender_max", "1")]).await;
    let first = setting.offered().await;
    assert_eq!(setting.caller.send(&first, &setting.content).await.status, 200);
    let offer_other = async |number| {
        let other = claims_file(Kind::Medical, &institution(Kind::Medical, 1), 30_000, number);
        let manifest = setting.papers.manifest(Kind::Medical, &other);
        setting.caller.offer(&setting.papers.sign(&manifest)).await
    };
    assert_eq!(offer_other(2).await.status, 201);
    let again = setting.papers.sign(&setting.manifest());
    assert_eq!(setting.caller.offer(&again).await.problem(), Problem::AlreadyHeld);
    assert_eq!(offer_other(3).await.problem(), Problem::TooMany);
}
