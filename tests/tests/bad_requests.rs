//! Requests that are not of the documented form, from a peer with a good certificate: each gets its documented code, and
//! leaves nothing behind.

use std::collections::BTreeMap;

use protocol::problem::Problem;
use tests::{
    setting::Setting,
    wire::{get, post},
};

#[tokio::test]
async fn requests_that_are_not_of_the_documented_form_are_turned_down_with_their_codes() {
    let setting = Setting::new(20_000, &[]).await;
    let good = setting.papers.sign(&setting.manifest());
    let json = |body: &str| post("/v1/transfers", "application/json", body.as_bytes());
    let body = serde_json::json!({ "manifest": good }).to_string();
    let head = |request: &str| format!("{request}\r\nhost: localhost\r\n\r\n").into_bytes();
    let with_length = |path: &str, length: &str| {
        let text = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        text.into_bytes()
    };
    let duplicate = format!("{{\"manifest\":\"{good}\",\"manifest\":\"{good}\"}}");
    setting
        .caller
        .expect_all(vec![
            (
                "no length",
                head("POST /v1/transfers HTTP/1.1\r\ncontent-type: application/json"),
                Problem::LengthRequired,
            ),
            ("body over its limit", with_length("/v1/transfers", "10000000"), Problem::BodyTooLarge),
            ("HTTP/1.0", head("GET /v1/log/checkpoint HTTP/1.0"), Problem::HttpVersion),
            ("no such address", get("/v1/nothing"), Problem::NotFound),
            ("no such address of all", get("/"), Problem::NotFound),
            ("a path out of the tree", get("/v1/transfers/../../etc/passwd"), Problem::NotFound),
            ("no transfer id", get("/v1/transfers/institution:1310000018/1"), Problem::NotFound),
            ("PUT", head("PUT /v1/transfers HTTP/1.1"), Problem::MethodNotAllowed),
            ("GET on offers", get("/v1/transfers"), Problem::MethodNotAllowed),
            ("a method nobody knows", head("BREW /v1/transfers HTTP/1.1"), Problem::MethodNotAllowed),
            (
                "other content type",
                post("/v1/transfers", "text/plain", body.as_bytes()),
                Problem::UnsupportedMediaType,
            ),
            ("not JSON", json("manifest"), Problem::BadRequest),
            (
                "not UTF-8",
                post("/v1/transfers", "application/json", b"{\"manifest\":\"\xff\xfe\"}"),
                Problem::BadRequest,
            ),
            ("not an object", json("[]"), Problem::BadRequest),
            ("an unknown key", json("{\"manifest\":\"a.b.c\",\"x\":1}"), Problem::BadRequest),
            ("a key twice", json(&duplicate), Problem::BadRequest),
            ("a number for the manifest", json("{\"manifest\":1}"), Problem::BadRequest),
            ("something behind the object", json(&format!("{body}x")), Problem::BadRequest),
        ])
        .await;
    setting.expect_no_transfer().await;
}

#[tokio::test]
async fn any_transfer_encoding_is_answered_with_411_and_a_close() {
    let setting = Setting::new(20_000, &[]).await;
    let key = setting.offered().await;
    let path = key.location();
    let smuggled = "GET /v1/log/checkpoint HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for framing in [
        "transfer-encoding: chunked",
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "transfer-encoding: gzip, chunked",
    ] {
        for request in [
            format!(
                "PATCH {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/partial-upload\r\nupload-offset: 0\r\nupload-complete: ?1\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            format!(
                "POST /v1/transfers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{framing}\r\n\r\n0\r\n\r\n{smuggled}"),
        ] {
            let mut line = setting.caller.line().await;
            let answer = line.ask(request.as_bytes()).await;
            assert_eq!((answer.status, answer.problem()), (411, Problem::LengthRequired), "{framing}");
            assert_eq!(answer.header("connection"), Some("close"), "{framing}");
            assert_eq!(line.closed().await, b"", "nothing of what stood behind it is answered");
        }
    }
    assert_eq!(setting.caller.state(&key).await.phase, "offered");
}

#[tokio::test]
async fn what_the_http_engine_rejects_ends_as_a_bare_4xx_or_a_close_and_is_counted() {
    let setting = Setting::new(20_000, &[]).await;
    let before: u64 = setting.centre.status().await.turned_down.values().sum();
    let requests = [
        "\r\n\r\n\x16\x03\x01garbage\r\n\r\n".to_owned(),
        "GET /v1 HTTP/9.9\r\n\r\n".to_owned(),
        "GET  /v1 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n"
            .to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: localhost\r\ncontent-length: five\r\n\r\n".to_owned(),
        "POST /v1/transfers HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99999999999999999999999\r\n\r\n"
            .to_owned(),
        "GET /v1 HTTP/1.1\r\nhost: localhost\r\n bad: fold\r\n\r\n".to_owned(),
        "GET /v1 HTTP/1.1\r\nho st: c\r\n\r\n".to_owned(),
        format!("GET /v1 HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "a: b\r\n".repeat(40)),
        format!("GET /v1 HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(1_000_000)),
    ];
    for request in &requests {
        let mut line = setting.caller.line().await;
        line.write(request.as_bytes()).await;
        if let Some(answer) = line.answer().await {
            assert!((400..500).contains(&answer.status), "{} to {:?}", answer.status, request.get(..60));
            assert_eq!(answer.body, b"", "to {:?}", request.get(..60));
        }
        line.closed().await;
    }
    // Each is counted when its line has ended.
    let all = before + requests.len() as u64;
    let sum = |turned_down: &BTreeMap<String, u64>| turned_down.values().sum::<u64>();
    let counted = setting.centre.until("the counts", |status| sum(&status.turned_down) >= all).await;
    assert_eq!(sum(&counted.turned_down), all, "{:?}", counted.turned_down);
    setting.expect_no_transfer().await;
}
