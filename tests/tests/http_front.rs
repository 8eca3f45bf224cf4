//! Requests that two programs on one line could read differently, and those that want a line to become something else. A
//! peer with a good certificate sends them; each line ends, or goes on with exactly the next request.

use protocol::problem::Problem;
use tests::{
    setting::Setting,
    wire::{Answer, get},
};

/// A second request, which must be answered as the second or not at all.
const SECOND: &str = "GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// What is answered to these bytes and to [`SECOND`] right behind them, until the line ends or both are answered.
async fn answers(setting: &Setting, request: &str) -> Vec<Answer> {
    let mut line = setting.caller.line().await;
    line.write(format!("{request}{SECOND}").as_bytes()).await;
    let mut answers = Vec::new();
    while answers.len() < 2
        && let Some(answer) = line.answer().await
    {
        answers.push(answer);
    }
    answers
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status).collect()
}

#[tokio::test]
async fn case_36_a_length_that_two_programs_could_read_differently_is_answered_with_400_and_a_close() {
    let setting = Setting::new(20_000, &[]).await;
    let chunked = "transfer-encoding: chunked";
    for (what, version, framing) in [
        ("a list of lengths", "1.1", "content-length: 2, 2"),
        ("two lengths", "1.1", "content-length: 2\r\ncontent-length: 3"),
        ("a sign", "1.1", "content-length: +2"),
        ("below zero", "1.1", "content-length: -2"),
        ("a space before the colon", "1.1", "content-length : 2"),
        ("hexadecimal", "1.1", "content-length: 0x2"),
        ("nothing", "1.1", "content-length:"),
        ("an encoding of old", "1.1", "transfer-encoding: identity\r\ncontent-length: 2"),
        ("an encoding that almost is one", "1.1", "transfer-encoding: xchunked\r\ncontent-length: 2"),
        ("an empty encoding", "1.1", "transfer-encoding:\r\ncontent-length: 2"),
        ("an encoding behind a tab of its own", "1.1", "transfer-encoding:\x0bchunked\r\ncontent-length: 2"),
        (
            "an encoding and a space before the colon",
            "1.1",
            "transfer-encoding : chunked\r\ncontent-length: 2",
        ),
        ("chunks and then more", "1.1", "transfer-encoding: chunked, gzip\r\ncontent-length: 2"),
        ("chunks in HTTP/1.0", "1.0", chunked),
        ("chunks and a length in HTTP/1.0", "1.0", "transfer-encoding: chunked\r\ncontent-length: 5"),
        ("a head that goes on with a bare CR", "1.1", "content-length: 2\rx: y"),
        ("a NUL", "1.1", "content-length: 2\r\nx: a\0b"),
    ] {
        let request = format!(
            "POST /v1/transfers HTTP/{version}\r\nhost: localhost\r\nconnection: keep-alive\r\ncontent-type: application/json\r\n{framing}\r\n\r\n{{}}"
        );
        let said = answers(&setting, &request).await;
        assert_eq!(statuses(&said), [400], "{what}");
        assert_eq!(said[0].header("connection"), Some("close"), "{what}");
    }
    // Chunks that are well formed are told what is missing, however often they are announced.
    for encoding in [chunked.to_owned(), format!("{chunked}\r\n{chunked}")] {
        let request = format!(
            "POST /v1/transfers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{encoding}\r\n\r\n0\r\n\r\n"
        );
        let said = answers(&setting, &request).await;
        assert_eq!((statuses(&said), said[0].problem()), (vec![411], Problem::LengthRequired), "{encoding}");
    }
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn case_36_neither_upgrade_nor_connect_turns_the_line_into_anything_else() {
    let setting = Setting::new(20_000, &[]).await;
    for (what, request, status) in [
        (
            "HTTP/2 in the clear",
            "GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
            200,
        ),
        (
            "a web socket",
            "GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n",
            200,
        ),
        ("a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: 127.0.0.1:22\r\n\r\n", 404),
        ("a tunnel to an address of ours", "CONNECT /v1/transfers HTTP/1.1\r\nhost: localhost\r\n\r\n", 405),
        ("a proxy's request", "GET http://127.0.0.1:22/v1 HTTP/1.1\r\nhost: localhost\r\n\r\n", 404),
    ] {
        let said = answers(&setting, request).await;
        // What comes behind it is the next request of this very line, and the line's own.
        assert_eq!(statuses(&said), [status, 200], "{what}");
        assert!(said.iter().all(|answer| answer.header("upgrade").is_none()), "{what}");
        assert!(said[1].text().starts_with("sekisho/test/review-agency:113/"), "{what}");
    }
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_the_next_request() {
    let setting = Setting::new(20_000, &[]).await;
    let length = SECOND.len();
    for (what, request, status) in [
        ("with a question", "GET /v1/log/checkpoint HTTP/1.1", 200),
        ("to no address", "POST /v1/nothing HTTP/1.1", 404),
        ("with a method that does not fit", "PUT /v1/transfers HTTP/1.1", 405),
        ("of another type", "POST /v1/transfers HTTP/1.1\r\ncontent-type: text/plain", 415),
        ("that is only announced", "POST /v1/transfers HTTP/1.1\r\nexpect: 100-continue", 415),
    ] {
        let mut line = setting.caller.line().await;
        let request = format!("{request}\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n{SECOND}");
        line.write(request.as_bytes()).await;
        assert_eq!(line.answer().await.map(|answer| answer.status), Some(status), "{what}");
        // An answer to the body would come before the answer to this, which nothing else has.
        line.write(&get("/v1/log/consistency?from=0&to=0")).await;
        if let Some(next) = line.answer().await {
            assert_ne!(next.header("content-type"), Some("text/plain; charset=utf-8"), "{what}");
        }
    }
}

#[tokio::test]
async fn case_43_a_digest_in_a_trailer_is_refused_whatever_it_says() {
    let setting = Setting::new(20_000, &[]).await;
    let key = setting.offered().await;
    let content = String::from_utf8_lossy(&setting.content).into_owned();
    let wanted = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    for digest in [wanted, "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:", "crc32c=:AAAAAA==:", "unknown=:AAAA:", ""] {
        let trailer = if digest.is_empty() { String::new() } else { format!("repr-digest: {digest}\r\n") };
        let mut line = setting.caller.line().await;
        let request = format!(
            "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/partial-upload\r\nupload-offset: 0\r\nupload-complete: ?1\r\nte: trailers\r\ntrailer: repr-digest\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{content}\r\n0\r\n{trailer}\r\n",
            key.location(),
            content.len()
        );
        let answer = line.ask(request.as_bytes()).await;
        assert_eq!((answer.status, answer.problem()), (411, Problem::LengthRequired), "{digest}");
    }
    assert_eq!(setting.caller.state(&key).await.phase, "offered", "nothing of it counts");
}
