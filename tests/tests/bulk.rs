//! The engine for what moves much: what it does not take, and requests that two programs could read differently. A peer with a
//! good certificate sends them; each line ends, and nothing that stood behind is answered.

use std::collections::BTreeMap;

use protocol::problem::Problem;
use tests::{
    backend::Backend,
    setting::Setting,
    wire::{Caller, Engine, get, post, send_head},
};

/// A second request, which must not be answered.
const SECOND: &str = "GET /inside/second HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// A centre with a streamed route, and who calls it.
async fn routed() -> (Setting, Backend, Caller) {
    let backend = Backend::start().await;
    let quoted = backend.quoted();
    let route = [
        ("route.inside.path", "\"/inside/\""),
        ("route.inside.right", "\"claims:send\""),
        ("route.inside.backend", quoted.as_str()),
    ];
    let setting = Setting::new(300_000, &route).await;
    let caller = setting.caller.with(Engine::Bulk);
    (setting, backend, caller)
}

/// How many requests and connections were turned down, once it is so many: each is counted when its line has ended.
async fn turned_down(setting: &Setting, at_least: u64) -> u64 {
    let sum = |turned_down: &BTreeMap<String, u64>| turned_down.values().sum::<u64>();
    let counted = setting.centre.until("the counts", |status| sum(&status.turned_down) >= at_least).await;
    sum(&counted.turned_down)
}

#[tokio::test]
async fn content_of_a_transfer_is_taken_request_by_request_on_one_line() {
    let (setting, _backend, caller) = routed().await;
    let (key, other) = (setting.offered().await, setting.offered().await);
    let mut line = caller.line().await;
    let length = setting.content.len() as u64;
    let whole = [&send_head(&key, 0, length), setting.content.as_slice()].concat();
    // The second one comes before the first is answered.
    line.write(&[whole.as_slice(), &send_head(&other, 0, length)].concat()).await;
    line.answer().await.unwrap().receipt();
    let answer = line.ask(&setting.content).await;
    assert_eq!((answer.status, answer.problem()), (409, Problem::AlreadyHeld));
    assert_eq!(setting.centre.delivered(&key).await.content, setting.content);
}

#[tokio::test]
async fn content_goes_on_where_a_cut_of_either_engine_left_it() {
    for (cut, resumed) in [(Engine::Hyper, Engine::Bulk), (Engine::Bulk, Engine::Hyper)] {
        let setting = Setting::new(3_000_000, &[]).await;
        let (key, length) = (setting.offered().await, setting.content.len() as u64);
        let mut line = setting.caller.with(cut).line().await;
        line.write(&[&send_head(&key, 0, length), &setting.content[..2_500_000]].concat()).await;
        line.end(tests::wire::Ending::Fin, 0).await;
        setting.centre.until("the end of the attempt", |status| status.attempts_running == 0).await;
        let offset = setting.caller.state(&key).await.offset;
        assert_eq!(offset, 2 * 1024 * 1024, "{cut:?}");
        let rest = &setting.content[usize::try_from(offset).unwrap()..];
        let mut line = setting.caller.with(resumed).line().await;
        line.write(&send_head(&key, offset, rest.len() as u64)).await;
        line.ask(rest).await.receipt();
        assert_eq!(setting.centre.delivered(&key).await.content, setting.content);
    }
}

#[tokio::test]
async fn who_waits_for_leave_to_send_gets_it_when_its_content_is_wanted() {
    let (setting, backend, caller) = routed().await;
    let key = setting.offered().await;
    let length = setting.content.len();
    let head = String::from_utf8(send_head(&key, 0, length as u64)).unwrap();
    let mut line = caller.line().await;
    line.write(head.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n").as_bytes()).await;
    assert!(line.until(b"100 Continue\r\n\r\n").await.is_some());
    line.ask(&setting.content).await.receipt();
    let head =
        "POST /inside/ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n";
    line.write(head.as_bytes()).await;
    let mut inside = backend.accept().await;
    assert!(!inside.head().await.iter().any(|line| line.starts_with("expect")));
    assert!(line.until(b"100 Continue\r\n\r\n").await.is_some());
    line.write(b"abc").await;
    assert_eq!(inside.content(3).await, b"abc");
    inside.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(line.answer().await.unwrap().status, 204);
    // Who may not send is told so, and does not.
    let refused = head.replace("content-length: 3", "content-length: 3000000000");
    let answer = line.ask(refused.as_bytes()).await;
    assert_eq!((answer.status, answer.problem()), (413, Problem::BodyTooLarge));
}

#[tokio::test]
async fn what_is_not_for_this_engine_is_answered_with_its_problem_and_a_close() {
    let (setting, _backend, caller) = routed().await;
    let key = setting.offered().await;
    let manifest = setting.papers.sign(&setting.manifest());
    for (what, request, status, problem) in [
        ("an offer", tests::wire::offer(&manifest), 405, Problem::MethodNotAllowed),
        ("a question", get(&key.location()), 405, Problem::MethodNotAllowed),
        ("the log", get("/v1/log/checkpoint"), 405, Problem::MethodNotAllowed),
        (
            "an acknowledgement",
            post("/v1/acknowledgements", "application/jose", b"x"),
            405,
            Problem::MethodNotAllowed,
        ),
        ("nothing", get("/v1/nothing"), 404, Problem::NotFound),
        (
            "another host",
            b"GET /inside/x HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n".to_vec(),
            421,
            Problem::Misdirected,
        ),
        ("no host", b"GET /inside/x HTTP/1.1\r\n\r\n".to_vec(), 400, Problem::BadHost),
    ] {
        let mut line = caller.line().await;
        let answer = line.ask(&[request.as_slice(), SECOND.as_bytes()].concat()).await;
        assert_eq!((answer.status, answer.problem()), (status, problem), "{what}");
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
        assert_eq!(line.closed().await, b"", "{what}");
    }
    assert_eq!(setting.caller.state(&key).await.phase, "offered");
}

#[tokio::test]
async fn case_36_what_two_programs_could_read_differently_ends_the_line_here_too() {
    let (setting, backend, caller) = routed().await;
    let key = setting.offered().await;
    let before: u64 = setting.centre.status().await.turned_down.values().sum();
    let mut count = 0;
    let patch = format!(
        "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/partial-upload\r\nupload-offset: 0\r\nupload-complete: ?1",
        key.location()
    );
    for (what, framing, status) in [
        ("a list of lengths", "content-length: 2, 2", 400),
        ("two lengths", "content-length: 2\r\ncontent-length: 3", 400),
        ("a length twice", "content-length: 2\r\ncontent-length: 2", 400),
        ("a sign", "content-length: +2", 400),
        ("below zero", "content-length: -2", 400),
        ("a space before the colon", "content-length : 2", 400),
        ("hexadecimal", "content-length: 0x2", 400),
        ("nothing", "content-length:", 400),
        ("more than there are", "content-length: 99999999999999999999999", 400),
        ("a folded line", "content-length: 2\r\n x: y", 400),
        ("a bare LF", "content-length: 2\nx: y", 400),
        ("a bare CR", "content-length: 2\rx: y", 400),
        ("a NUL", "content-length: 2\r\nx: a\0b", 400),
        ("chunks", "transfer-encoding: chunked", 411),
        ("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 2", 411),
        ("a length and chunks", "content-length: 2\r\ntransfer-encoding: chunked", 411),
        ("an encoding of old", "transfer-encoding: identity\r\ncontent-length: 2", 411),
        ("an encoding that almost is one", "transfer-encoding: xchunked\r\ncontent-length: 2", 411),
        ("chunks and then more", "transfer-encoding: chunked, gzip\r\ncontent-length: 2", 411),
        ("an empty encoding", "transfer-encoding:\r\ncontent-length: 2", 411),
    ] {
        for request in ["POST /inside/ask HTTP/1.1\r\nhost: localhost", &patch] {
            let mut line = caller.line().await;
            line.write(format!("{request}\r\n{framing}\r\n\r\n{{}}{SECOND}").as_bytes()).await;
            let answer = line.answer().await.unwrap();
            assert_eq!(answer.status, status, "{what}");
            assert_eq!(answer.header("connection"), Some("close"), "{what}");
            assert_eq!(line.closed().await, b"", "nothing of what stood behind it is answered: {what}");
            count += 1;
        }
    }
    assert!(backend.is_untouched());
    assert_eq!(setting.caller.state(&key).await.phase, "offered");
    assert_eq!(turned_down(&setting, before + count).await, before + count);
}

#[tokio::test]
async fn a_head_that_is_none_is_answered_with_a_bare_4xx_and_counted() {
    let (setting, backend, caller) = routed().await;
    let before: u64 = setting.centre.status().await.turned_down.values().sum();
    let requests = [
        "\r\n\r\n\x16\x03\x01garbage\r\n\r\n".to_owned(),
        "GET /inside/x HTTP/9.9\r\n\r\n".to_owned(),
        "GET  /inside/x HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "GET http://localhost/inside/x HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1:22\r\n\r\n".to_owned(),
        format!("GET /inside/x HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(40)),
        format!("GET /inside/x HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1_000_000)),
    ];
    for request in &requests {
        let mut line = caller.line().await;
        line.write(request.as_bytes()).await;
        if let Some(answer) = line.answer().await {
            assert!((400..500).contains(&answer.status), "{} to {:?}", answer.status, request.get(..60));
            assert_eq!(answer.body, b"", "to {:?}", request.get(..60));
        }
        line.closed().await;
    }
    let count = requests.len() as u64;
    assert_eq!(turned_down(&setting, before + count).await, before + count);
    assert!(backend.is_untouched());
}

#[tokio::test]
async fn an_answer_that_comes_before_its_request_is_whole_is_passed_on_and_ends_the_line() {
    let (_setting, backend, caller) = routed().await;
    let mut line = caller.line().await;
    line.write(b"POST /inside/ask HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n01234").await;
    let mut inside = backend.accept().await;
    inside.head().await;
    assert_eq!(inside.content(5).await, b"01234");
    inside.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\nno").await;
    let answer = line.answer().await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (400, &b"no"[..]));
    assert_eq!(answer.header("connection"), Some("close"));
    line.write(format!("56789{SECOND}").as_bytes()).await;
    assert_eq!(line.closed().await, b"");
}
