//! Whoever loses certificate or right while connected is ended, in the middle of a transfer too, and nothing of it is
//! committed.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::time::{Duration, Instant};

use protocol::{cause::Cause, entry::Event, kind::Kind, problem::Problem};
use tests::{
    files::claims_file,
    lab::institution,
    papers::Papers,
    setting::Setting,
    upkeep::{gateway_does, gateway_refuses},
    wire::{Caller, Line, get, send_head},
};

/// Files are looked after by the tests themselves.
const UNWATCHED: (&str, &str) = ("reload.watch", "false");

/// An idle connection stays for longer than anybody waits, so that only an order ends it.
const PATIENT: (&str, &str) = ("link.header_max", "\"120s\"");

/// The clinic of a setting, in the middle of its transfer.
async fn half_sent(setting: &Setting) -> (protocol::transfer_id::TransferKey, Line) {
    let key = setting.offered().await;
    let mut line = setting.caller.line().await;
    let head = send_head(&key, 0, setting.content.len() as u64);
    line.write(&[&head, &setting.content[..setting.content.len() / 2]].concat()).await;
    setting.centre.logs(&["attempt began", &key.to_string()]).await;
    (key, line)
}

/// The transfer was ended as withdrawn, is nowhere to be seen, and stays uncommitted whatever its sender still does.
async fn expect_ended(setting: &Setting, key: &protocol::transfer_id::TransferKey, mut line: Line) {
    line.write(&setting.content[setting.content.len() / 2..]).await;
    if let Some(answer) = line.answer().await {
        assert_eq!((answer.status, answer.problem()), (403, Problem::Revoked));
    }
    line.closed().await;
    setting.centre.logs(&["attempt aborted", &key.to_string(), "revoked"]).await;
    assert_eq!(setting.centre.inbox(), []);
    let entries = setting.centre.entries().await;
    let aborted = entries.iter().find(|entry| entry.event == Event::Aborted).unwrap();
    assert_eq!((aborted.transfer_id, aborted.cause), (Some(key.id), Some(Cause::Revoked)));
    assert!(!entries.iter().any(|entry| entry.event == Event::Committed));
}

#[tokio::test]
async fn case_29_a_certificate_revoked_in_mid_upload_ends_the_connection_and_nothing_is_committed() {
    let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
    // Another sender is in the middle of its own, and is not touched.
    let other_party = institution(Kind::Medical, 2);
    let other_site = setting.lab.sender("other", &other_party, setting.centre.address, &[]);
    let (other, papers) = (Caller::new(&other_site, setting.centre.address), Papers::of(&other_site));
    let content = claims_file(Kind::Medical, &other_party, 500_000, 2);
    let manifest = papers.manifest(Kind::Medical, &content);
    assert_eq!(other.offer(&papers.sign(&manifest)).await.status, 201);
    let mut other_line = other.line().await;
    other_line
        .write(&[&send_head(&manifest.key(), 0, content.len() as u64), &content[..100_000]].concat())
        .await;
    setting.centre.logs(&["attempt began", &manifest.key().to_string()]).await;

    let (key, line) = half_sent(&setting).await;
    setting.lab.revoke(&setting.site);
    setting.lab.deliver_lists(&setting.centre.site);
    let began = Instant::now();
    let said = gateway_does(&setting.centre.site, &["reload"]).await;
    assert!(said.contains("1 of them ended"), "{said}");
    setting.centre.logs(&["open connection ended", "revoked"]).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    expect_ended(&setting, &key, line).await;
    // Nor does it come in again.
    assert!(setting.caller.try_ask(&get("/v1/log/checkpoint")).await.is_none());
    setting.centre.logs(&["certificate refused", "revoked"]).await;

    assert_eq!(other_line.ask(&content[100_000..]).await.status, 200);
    let ended = setting.centre.entries().await;
    let ended: Vec<_> = ended.iter().filter(|entry| entry.event == Event::ConnectionEnded).collect();
    let [ended] = ended.as_slice() else { panic!("one connection, not {ended:?}") };
    assert_eq!(ended.note.as_deref(), Some("revoked"));
    assert_eq!(ended.subject.as_ref().unwrap().identity, setting.papers.identity);
}

#[tokio::test]
async fn a_right_that_is_withdrawn_ends_what_runs_under_it() {
    let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
    let (key, line) = half_sent(&setting).await;
    let withdrawn = [("permissions.withdraw", "[\"institution:claims:send\"]")];
    lab::site::change(&setting.centre.site.config, &withdrawn).unwrap();
    gateway_does(&setting.centre.site, &["reload"]).await;
    expect_ended(&setting, &key, line).await;
    // Its certificate still counts, and so do its other rights.
    let answer = setting.caller.ask(&get(&key.location())).await;
    assert_eq!(answer.status, 200);
    let answer = setting.caller.send(&key, &setting.content).await;
    assert_eq!(answer.problem(), Problem::NotPermitted);
}

#[tokio::test]
async fn a_blocked_party_is_ended_within_a_second_and_kept_out_even_after_a_restart() {
    let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
    let (key, line) = half_sent(&setting).await;
    let party = setting.papers.party.to_string();
    let site = setting.centre.site.clone();
    let began = Instant::now();
    let said = gateway_does(&site, &["block", &party, "--reason", "key lost"]).await;
    assert!(said.contains("1 connections ended"), "{said}");
    setting.centre.logs(&["open connection ended", "blocked"]).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    expect_ended(&setting, &key, line).await;
    assert!(setting.caller.try_ask(&get("/v1/log/checkpoint")).await.is_none());

    let Setting { centre, caller, lab: _lab, .. } = setting;
    let centre = centre.again_after_kill().await;
    let caller = caller.at(centre.address);
    assert!(caller.try_ask(&get("/v1/log/checkpoint")).await.is_none());
    assert!(gateway_does(&site, &["blocked"]).await.contains("key lost"));
    gateway_does(&site, &["unblock", &party]).await;
    assert_eq!(caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
    let events: Vec<Event> = centre.entries().await.iter().map(|entry| entry.event).collect();
    assert!(events.contains(&Event::Blocked) && events.contains(&Event::Unblocked));
}

#[tokio::test]
async fn a_disconnected_party_may_come_back() {
    let setting = Setting::new(2_000_000, &[UNWATCHED, PATIENT]).await;
    let line = setting.caller.line().await;
    setting.centre.until("a connection", |status| status.connections == 1).await;
    let party = setting.papers.party.to_string();
    let said = gateway_does(&setting.centre.site, &["disconnect", &party]).await;
    assert!(said.contains("1 connections ended"), "{said}");
    assert_eq!(line.closed().await, b"");
    assert_eq!(setting.caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
    let said = gateway_refuses(&setting.centre.site, &["disconnect", "nobody"], 2).await;
    assert!(said.contains("role:code"), "{said}");
}

#[tokio::test]
async fn case_30_a_handshake_that_a_revocation_overtakes_is_not_left_alive() {
    let setting = Setting::new(100_000, &[UNWATCHED, PATIENT]).await;
    setting.lab.revoke(&setting.site);
    setting.lab.deliver_lists(&setting.centre.site);
    // Many handshakes are under way while the list is taken up; each ends before or after it, and none stays.
    let callers: Vec<_> = (0..30)
        .map(|_| {
            let caller = setting.caller.clone();
            tokio::spawn(async move { caller.try_line().await.ok() })
        })
        .collect();
    gateway_does(&setting.centre.site, &["reload"]).await;
    for caller in callers {
        if let Some(line) = caller.await.unwrap() {
            line.closed().await;
        }
    }
    setting.centre.until("no connection", |status| status.connections == 0).await;
}
