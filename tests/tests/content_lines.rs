//! Which line and which engine the content of a sender goes by.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::net::SocketAddr;

use lab::site::change;
use tests::{
    older::OlderCentre,
    sender::{Sending, Told, status},
    setting::Setting,
};

/// Bytes of content that has a line of its own, and of content that does not.
const LARGE: u64 = 9_000_000;
const SMALL: u64 = 3_000_000;

/// A setting whose centre tells of every connection.
async fn setting(bytes: u64) -> Setting {
    Setting::new(bytes, &[("log.level", "\"debug\"")]).await
}

/// Sends the file to the centre at this address: the only transfer, which has arrived.
async fn send_to(setting: &Setting, address: SocketAddr) -> Told {
    let file = setting.lab.file("RECEIPTC.UKE", &setting.content);
    change(&setting.site.settings, &[("centre.address", &format!("\"{address}\""))]).unwrap();
    let ended = Sending::start(&setting.site, &file).ended().await;
    assert!(ended.success(), "{ended}");
    let told = status(&setting.site).await;
    let [transfer] = told.as_slice() else { panic!("one transfer, not {told:?}") };
    assert_eq!((transfer.phase.as_str(), transfer.attempts.len()), ("received", 1));
    setting.centre.logs(&["delivered", &transfer.id.to_string()]).await;
    assert!(setting.centre.inbox()[0].content == setting.content);
    transfer.clone()
}

/// For each connection that the centre took, in their order: was it for content alone?
fn connections(setting: &Setting) -> Vec<bool> {
    let log = setting.centre.process.err.text();
    let opened = log.lines().filter(|line| line.contains("connection open"));
    opened.map(|line| line.contains("\"is_bulk\":true") || line.contains("is_bulk=true")).collect()
}

#[tokio::test]
async fn large_content_has_a_line_of_its_own_by_the_engine_for_content() {
    let setting = setting(LARGE).await;
    send_to(&setting, setting.centre.address).await;
    assert_eq!(connections(&setting), [false, true, false], "offer, content, acknowledgement");
}

#[tokio::test]
async fn small_content_goes_on_the_line_of_its_offer() {
    let setting = setting(SMALL).await;
    send_to(&setting, setting.centre.address).await;
    assert_eq!(connections(&setting), [false]);
}

#[tokio::test]
async fn a_centre_without_an_engine_for_content_gets_it_as_before() {
    let setting = setting(LARGE).await;
    let older = OlderCentre::before(&setting).await;
    send_to(&setting, older.address).await;
    assert_eq!(connections(&setting), [false, false], "offer, content and acknowledgement");
}
