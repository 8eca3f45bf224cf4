//! What a monitoring system sees: every metric there is, and whether the gateway is alive and ready.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use tests::{
    patience::patiently,
    setting::Setting,
    upkeep::{gateway_does, gateway_refuses},
    wire::get,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The answer to a plain GET: status and body.
async fn plain(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    patiently("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn watched() -> (Setting, String) {
    let setting = Setting::new(100_000, &[("metrics.address", "\"127.0.0.1:0\"")]).await;
    let line = setting.centre.logs(&["metrics and health"]).await;
    let address = line.split("address=").nth(1).unwrap().trim().to_owned();
    (setting, address)
}

#[tokio::test]
async fn every_metric_is_served_with_its_type_and_help() {
    let (setting, address) = watched().await;
    setting.caller.ask(&get("/v1/nothing")).await;
    let (status, text) = plain(&address, "/metrics").await;
    assert_eq!(status, 200);
    for metric in gateway::metrics::ALL {
        assert!(text.contains(&format!("# HELP {}", metric.name)), "{}", metric.name);
        let value = |line: &str| {
            line.strip_prefix(&metric.full_name()).is_some_and(|rest| rest.starts_with([' ', '{']))
        };
        assert!(text.lines().any(value), "{} has no value\n{text}", metric.name);
    }
    assert!(text.contains("sekisho_turned_down_total{stage=\"request\",reason=\"not_found\"} 1"), "{text}");
    assert!(text.contains("sekisho_ready 1") && text.ends_with("# EOF\n"), "{text}");
    for secret in ["BEGIN", "institution:", "1310000"] {
        assert!(!text.contains(secret), "no key and nobody's code: {secret}");
    }
}

#[tokio::test]
async fn ready_says_why_not_and_live_goes_on() {
    let (setting, address) = watched().await;
    assert_eq!(plain(&address, "/ready").await, (200, r#"{"ready":true,"reasons":[]}"#.to_owned()));
    lab::site::change(&setting.centre.site.config, &[("limits.audit_reserve_bytes", "\"1024GiB\"")]).unwrap();
    gateway_does(&setting.centre.site, &["reload"]).await;
    let not_ready = (503, r#"{"ready":false,"reasons":["disk_full"]}"#.to_owned());
    assert_eq!(plain(&address, "/ready").await, not_ready);
    assert_eq!(plain(&address, "/live").await.0, 200);
}

#[tokio::test]
async fn what_changes_anything_is_not_served_there() {
    let (setting, address) = watched().await;
    for path in ["/reload", "/drain", "/status", "/blocked", "/block", "/"] {
        assert_eq!(plain(&address, path).await.0, 404, "{path}");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(b"POST /drain HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    assert!(setting.centre.status().await.accepting);
}

#[tokio::test]
async fn a_gateway_that_is_told_to_drain_ends_and_then_answers_nobody() {
    let (setting, _) = watched().await;
    let Setting { mut centre, lab: _lab, .. } = setting;
    assert!(gateway_does(&centre.site, &["drain"]).await.contains("draining"));
    assert!(patiently("the end", centre.process.ended()).await.unwrap().success());
    let said = gateway_refuses(&centre.site, &["status"], 1).await;
    assert!(said.contains("no gateway answers"), "{said}");
}

#[tokio::test]
async fn what_is_held_is_answered_with_its_receipt_and_handed_over_only_once_it_is_released() {
    let setting = Setting::new(100_000, &[]).await;
    gateway_does(&setting.centre.site, &["hold"]).await;
    let key = setting.offered().await;
    setting.caller.send(&key, &setting.content).await.receipt();
    let status = setting.centre.status().await;
    assert_eq!((status.held, status.undelivered), (true, 1));
    gateway_does(&setting.centre.site, &["release"]).await;
    assert_eq!(setting.centre.delivered(&key).await.content, setting.content);
    assert!(!setting.centre.status().await.held);
    // Each line begins with its time.
    let released = setting.centre.logs(&["what was held is handed over"]).await;
    let delivered = setting.centre.logs(&[" delivered ", &key.to_string()]).await;
    assert!(released < delivered, "{delivered}{released}");
}
