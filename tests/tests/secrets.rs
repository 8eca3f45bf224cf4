//! What strangers bring, and what we keep secret, stands in no log and in no metric.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::collections::BTreeSet;

use rcgen::{DnType, DnValue};
use tests::{
    centre::files_below,
    forger::{Forger, client},
    lenient::Lenient,
    patience::patiently,
    setting::Setting,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// Every series of the centre's metrics: name and labels.
async fn series(setting: &Setting) -> BTreeSet<String> {
    let socket = setting.centre.site.data.join(gateway::admin::SOCKET_FILE);
    let mut stream = UnixStream::connect(socket).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    patiently("the metrics", stream.read_to_string(&mut answer)).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[tokio::test]
async fn case_49_no_key_no_certificate_and_nothing_a_stranger_chose_is_in_logs_or_labels() {
    let setting = Setting::new(20_000, &[("log.level", "\"trace\"")]).await;
    let key = setting.offered().await;
    setting.caller.send(&key, &setting.content).await.receipt();
    setting.centre.delivered(&key).await;
    let forger = Forger::of(&setting.lab);
    let stranger = async |common_name: &str| {
        let mut params = client("urn:sekisho:test:institution:1310000018");
        params.custom_extensions.clear();
        params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(common_name.to_owned()));
        let client = Lenient::new(Some(forger.forge(&params)));
        client.ask(setting.centre.address).await.unwrap_err();
    };
    stranger("somebody").await;
    setting.centre.logs(&["certificate refused", "somebody"]).await;
    let before = series(&setting).await;
    assert!(before.iter().any(|series| series.contains("wrong_eku")), "{before:#?}");
    let names = [
        "\"} sekisho_ready 0\n",
        "two\nlines",
        "\u{1b}[2Jerased",
        "\u{202e}backwards",
        "nul\0nul",
        "issuer=\"none\" reason=\"none\"",
        "レセプト",
        &"long".repeat(5_000),
    ];
    for name in names {
        stranger(name).await;
    }
    assert_eq!(series(&setting).await, before, "strangers make no series");
    setting.centre.logs(&["certificate refused", "longlong"]).await;
    let log = setting.centre.process.err.text();
    assert!(log.lines().count() > 20, "the log was as talkative as it can be");
    for line in log.lines() {
        assert!(line.chars().all(|c| !c.is_control() && !('\u{202a}'..='\u{2069}').contains(&c)), "{line:?}");
        assert!(line.len() < 2_000, "{} bytes in one line", line.len());
        assert!(line.starts_with("20"), "a line that is not the centre's own: {line:?}");
    }
    let mut secrets = 0;
    for file in files_below(setting.lab.path()) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        for line in text.lines().filter(|line| text.contains("-----BEGIN") && line.len() == 64) {
            assert!(!log.contains(line), "a line of {} is in the log", file.display());
            secrets += 1;
        }
    }
    assert!(secrets > 100, "there was something to look for");
    let spool_key = std::fs::read_to_string(setting.centre.site.directory.join("spool.key")).unwrap();
    let (_, digits) = spool_key.trim_end().split_once(':').unwrap();
    assert!(digits.len() == 64 && !log.contains(digits), "the key of the spool is in the log");
}
