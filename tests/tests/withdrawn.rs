//! Whoever loses certificate or right while connected is ended, in the middle of a transfer too, and nothing of it is
//! committed. By both engines.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use certs_tool::Profile;
use gateway::blocked::{BLOCKED_FILE, Block};
use lab::site::SenderSite;
use protocol::{
    cause::Cause,
    entry::Event,
    kind::Kind,
    moment::Moment,
    party::{Environment, Identity, Party, Role},
    problem::Problem,
    transfer_id::TransferKey,
    wire::{ACKNOWLEDGEMENTS, JOSE},
};
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    setting::Setting,
    shim::Shim,
    upkeep::{gateway_does, gateway_refuses, put},
    wire::{Caller, Engine, Line, get, post, send_head},
};

/// Files are looked after by the tests themselves.
const UNWATCHED: (&str, &str) = ("reload.watch", "false");

/// An idle connection stays for longer than anybody waits, so that only an order ends it.
const PATIENT: (&str, &str) = ("link.header_max", "\"120s\"");

/// The clinic of a setting, in the middle of its transfer.
async fn half_sent(setting: &Setting, engine: Engine) -> (TransferKey, Line) {
    setting.begun(engine, setting.content.len() / 2).await
}

/// An idle connection to each engine.
async fn lines(caller: &Caller) -> [Line; 2] {
    let [hyper, bulk] = Engine::ALL.map(|engine| caller.with(engine));
    [hyper.line().await, bulk.line().await]
}

/// So many connections were ended by the centre's own will, and none because its patience was over.
async fn expect_ended_by_order(setting: &Setting, count: u64) {
    let by_us = |turned_down: &BTreeMap<String, u64>| turned_down.get("connection:ended_by_us").copied();
    let status = setting.centre.until("their ends", |status| by_us(&status.turned_down) == Some(count)).await;
    assert_eq!(status.turned_down.get("http:head_timeout"), None);
}

/// The transfer was ended as withdrawn, is nowhere to be seen, and stays uncommitted whatever its sender still does.
async fn expect_ended(setting: &Setting, key: &TransferKey, mut line: Line) {
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
    Engine::each(async |engine| {
        let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
        // Another sender is in the middle of its own, and is not touched.
        let other_party = institution(Kind::Medical, 2);
        let other_site = setting.lab.sender("other", &other_party, setting.centre.address, &[]);
        let (other, papers) = (Caller::new(&other_site, setting.centre.address), Papers::of(&other_site));
        let content = claims_file(Kind::Medical, &other_party, 500_000, 2);
        let manifest = papers.manifest(Kind::Medical, &content);
        assert_eq!(other.offer(&papers.sign(&manifest)).await.status, 201);
        let mut other_line = other.with(engine).line().await;
        other_line
            .write(&[&send_head(&manifest.key(), 0, content.len() as u64), &content[..100_000]].concat())
            .await;
        setting.centre.logs(&["attempt began", &manifest.key().to_string()]).await;

        let (key, line) = half_sent(&setting, engine).await;
        setting.lab.revoke(&setting.site);
        setting.lab.deliver_lists(&setting.centre.site);
        let began = Instant::now();
        let said = gateway_does(&setting.centre.site, &["reload"]).await;
        assert!(said.contains("1 of them ended"), "{engine:?}: {said}");
        setting.centre.logs(&["open connection ended", "revoked"]).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        expect_ended(&setting, &key, line).await;
        expect_ended_by_order(&setting, 1).await;
        // Nor does it come in again.
        assert!(setting.caller.with(engine).try_ask(&get("/v1/log/checkpoint")).await.is_none());
        setting
            .centre
            .logs(&["certificate refused", "causes", "it is revoked since", "revocation list number"])
            .await;

        assert_eq!(other_line.ask(&content[100_000..]).await.status, 200);
        let ended = setting.centre.entries().await;
        let ended: Vec<_> = ended.iter().filter(|entry| entry.event == Event::ConnectionEnded).collect();
        let [ended] = ended.as_slice() else { panic!("one connection, not {ended:?}") };
        assert_eq!(ended.note.as_deref(), Some("revoked"));
        assert_eq!(ended.subject.as_ref().unwrap().identity, setting.papers.identity);
    })
    .await;
}

#[tokio::test]
async fn a_right_that_is_withdrawn_ends_what_runs_under_it() {
    Engine::each(async |engine| {
        let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
        let (key, line) = half_sent(&setting, engine).await;
        let withdrawn = [("permissions.withdraw", "[\"institution:claims:send\"]")];
        lab::site::change(&setting.centre.site.config, &withdrawn).unwrap();
        gateway_does(&setting.centre.site, &["reload"]).await;
        expect_ended(&setting, &key, line).await;
        // Its certificate still counts, and so do its other rights.
        let answer = setting.caller.ask(&get(&key.location())).await;
        assert_eq!(answer.status, 200);
        let answer = setting.caller.with(engine).send(&key, &setting.content).await;
        assert_eq!(answer.problem(), Problem::NotPermitted, "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn a_blocked_party_is_ended_within_a_second_and_kept_out_even_after_a_restart() {
    for engine in Engine::ALL {
        let setting = Setting::new(2_000_000, &[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
        let (key, line) = half_sent(&setting, engine).await;
        let party = setting.papers.party.to_string();
        let site = setting.centre.site.clone();
        let began = Instant::now();
        let said = gateway_does(&site, &["block", &party, "--reason", "key lost"]).await;
        assert!(said.contains("1 connections ended"), "{engine:?}: {said}");
        setting.centre.logs(&["open connection ended", "blocked"]).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        expect_ended(&setting, &key, line).await;
        expect_ended_by_order(&setting, 1).await;
        assert!(setting.caller.with(engine).try_ask(&get("/v1/log/checkpoint")).await.is_none());

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
}

#[tokio::test]
async fn a_disconnected_party_may_come_back() {
    Engine::each(async |engine| {
        let setting = Setting::new(2_000_000, &[UNWATCHED, PATIENT]).await;
        let caller = setting.caller.with(engine);
        let line = caller.line().await;
        setting.centre.until("a connection", |status| status.connections == 1).await;
        let party = setting.papers.party.to_string();
        let said = gateway_does(&setting.centre.site, &["disconnect", &party]).await;
        assert!(said.contains("1 connections ended"), "{engine:?}: {said}");
        assert_eq!(line.closed().await, b"");
        expect_ended_by_order(&setting, 1).await;
        let key = setting.offered().await;
        assert_eq!(caller.send(&key, &setting.content).await.status, 200, "{engine:?}");
        let said = gateway_refuses(&setting.centre.site, &["disconnect", "nobody"], 2).await;
        assert!(said.contains("role:code"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn case_30_a_handshake_that_a_revocation_overtakes_is_not_left_alive() {
    let setting = Setting::new(100_000, &[UNWATCHED, PATIENT]).await;
    setting.lab.revoke(&setting.site);
    setting.lab.deliver_lists(&setting.centre.site);
    // Many handshakes are under way while the list is taken up; each ends before or after it, and none stays.
    let callers: Vec<_> = (0..15)
        .flat_map(|_| Engine::ALL)
        .map(|engine| {
            let caller = setting.caller.with(engine);
            tokio::spawn(async move { caller.try_line().await.ok() })
        })
        .collect();
    gateway_does(&setting.centre.site, &["reload"]).await;
    for caller in callers {
        if let Some(line) = caller.await.unwrap() {
            line.closed().await;
        }
    }
    let status = setting.centre.until("no connection", |status| status.connections == 0).await;
    assert_eq!(status.turned_down.get("http:head_timeout"), None);
}

#[tokio::test]
async fn case_29_content_that_waits_for_the_disk_after_its_connection_has_closed_is_withdrawn_too() {
    Engine::each(async |engine| {
        let lab = TestLab::new();
        let site = lab.sites.centre("centre", &[UNWATCHED]).unwrap();
        let disk = Shim::build(&lab).hold(&site.directory);
        let centre = Centre::start_by(site.clone(), |program: &Path| disk.command(program)).await;
        let party = institution(Kind::Medical, 1);
        let sender = lab.sender("clinic", &party, centre.address, &[]);
        let (caller, papers) = (Caller::new(&sender, centre.address), Papers::of(&sender));
        let content = claims_file(Kind::Medical, &party, 500_000, 1);
        let manifest = papers.manifest(Kind::Medical, &content);
        let key = manifest.key();
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let mut line = caller.with(engine).line().await;
        let (first, last) = content.split_at(content.len() - 1000);
        line.write(&[&send_head(&key, 0, content.len() as u64), first].concat()).await;
        centre.logs(&["attempt began", &key.to_string()]).await;
        // All of it is there and waits for the disk; whoever brought it is gone.
        disk.hold_syncs();
        line.write(last).await;
        drop(line);
        centre.until("the close", |status| status.turned_down.contains_key("http:peer_closed")).await;
        assert_eq!(centre.status().await.attempts_running, 1);
        let ordered = tokio::spawn(async move {
            let party = party.to_string();
            gateway_does(&site, &["disconnect", &party]).await
        });
        centre.logs(&["open connection ended", "disconnected"]).await;
        disk.release_syncs();
        let said = ordered.await.unwrap();
        assert!(said.contains("1 connections ended"), "{engine:?}: {said}");
        centre.logs(&["attempt aborted", &key.to_string(), "revoked"]).await;
        centre.until("its end", |status| status.attempts_running == 0).await;
        assert_eq!(centre.inbox(), []);
        let entries = centre.entries().await;
        assert!(!entries.iter().any(|entry| entry.event == Event::Committed));
        let aborted = entries.iter().find(|entry| entry.event == Event::Aborted).unwrap();
        assert_eq!((aborted.transfer_id, aborted.cause), (Some(key.id), Some(Cause::Revoked)));
    })
    .await;
}

/// An agent that acts for all of these.
fn agent(lab: &TestLab, centre: &Centre, institutions: &[&Party]) -> SenderSite {
    let codes: Vec<_> = institutions.iter().map(|party| party.code().clone()).collect();
    let own = Party::new(Role::BillingAgent, codes[0].clone()).unwrap();
    let site = lab.sender("agent", &own, centre.address, &[]);
    let identity = Identity::new(Environment::Test, Role::BillingAgent, codes).unwrap();
    for (part, profile) in [("tls", Profile::Institution), ("evidence", Profile::Evidence)] {
        let (certificate, key) = lab.issued(&format!("agent-{part}"), profile, &identity, &[]);
        put(&site.directory.join(part).join("certificate.pem"), &fs::read(certificate).unwrap());
        put(&site.directory.join(part).join("key.pem"), &fs::read(key).unwrap());
    }
    SenderSite { identity, ..site }
}

#[tokio::test]
async fn what_an_agent_brings_for_a_blocked_institution_ends_and_its_work_for_others_goes_on() {
    Engine::each(async |engine| {
        let lab = TestLab::new();
        let centre = lab.centre(&[UNWATCHED, ("link.stall_max", "\"60s\"")]).await;
        let (blocked, other) = (institution(Kind::Medical, 1), institution(Kind::Medical, 2));
        let site = agent(&lab, &centre, &[&blocked, &other]);
        let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
        let mut running = Vec::new();
        for party in [&blocked, &other] {
            let content = claims_file(Kind::Medical, party, 500_000, 1);
            let mut manifest = papers.manifest(Kind::Medical, &content);
            manifest.sender = party.clone();
            let key = manifest.key();
            assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
            let mut line = caller.with(engine).line().await;
            line.write(&[&send_head(&key, 0, content.len() as u64), &content[..100_000]].concat()).await;
            centre.logs(&["attempt began", &key.to_string()]).await;
            running.push((key, content, line));
        }
        let [(ended, content, mut line), (goes_on, others, mut other_line)] =
            <[_; 2]>::try_from(running).ok().unwrap();
        let said = gateway_does(&centre.site, &["block", &blocked.to_string(), "--reason", "key lost"]).await;
        assert!(said.contains("0 connections ended"), "{engine:?}: the agent itself stays: {said}");
        line.write(&content[100_000..]).await;
        if let Some(answer) = line.answer().await {
            assert_eq!((answer.status, answer.problem()), (403, Problem::Revoked));
        }
        centre.logs(&["attempt aborted", &ended.to_string(), "revoked"]).await;
        assert_eq!(other_line.ask(&others[100_000..]).await.status, 200);
        centre.delivered(&goes_on).await;

        // Nothing of it is taken, or told, as long as it is blocked; for the other all is as before.
        let mut again = papers.manifest(Kind::Medical, &content);
        again.sender = blocked.clone();
        let answer = caller.offer(&papers.sign(&again)).await;
        assert_eq!((answer.status, answer.problem()), (403, Problem::Blocked));
        assert_eq!(caller.with(engine).send(&ended, &content).await.problem(), Problem::Blocked);
        assert_eq!(caller.ask(&get(&ended.location())).await.problem(), Problem::Blocked);
        let receipt = caller.receipt(&goes_on).await;
        assert_eq!(receipt.status, 200);
        let for_blocked = papers.acknowledgement(&ended, "never given");
        assert_eq!(
            caller.ask(&post(ACKNOWLEDGEMENTS, JOSE, for_blocked.as_bytes())).await.problem(),
            Problem::Blocked
        );
        let for_other = papers.acknowledgement(&goes_on, &receipt.text());
        let answer = caller.ask(&post(ACKNOWLEDGEMENTS, JOSE, for_other.as_bytes())).await;
        assert!(matches!(answer.status, 200..300), "{}", answer.text());
        gateway_does(&centre.site, &["unblock", &blocked.to_string()]).await;
        assert_eq!(caller.state(&ended).await.phase, "aborted");
        assert_eq!(caller.offer(&papers.sign(&again)).await.status, 201);
        let committed: Vec<_> =
            centre.entries().await.into_iter().filter(|entry| entry.event == Event::Committed).collect();
        assert_eq!(committed.iter().map(|entry| entry.transfer_id).collect::<Vec<_>>(), [Some(goes_on.id)]);
    })
    .await;
}

#[tokio::test]
async fn the_longest_list_of_blocked_peers_is_shown() {
    let lab = TestLab::new();
    let site = lab.sites.centre("centre", &[]).unwrap();
    let block = |n: u32| Block {
        target: format!("sha256:{n:064x}").parse().unwrap(),
        since: Moment::from_unix_ms(0),
        reason: "薬".repeat(200),
    };
    let blocks: Vec<Block> = (0..10_000).map(block).collect();
    durable::create_directory(&site.data, durable::Access::Private).unwrap();
    let text = serde_json::to_vec(&blocks).unwrap();
    durable::replace(&site.data.join(BLOCKED_FILE), &text, durable::Access::Private).unwrap();
    let centre = Centre::start(site).await;
    let said = gateway_does(&centre.site, &["blocked"]).await;
    assert_eq!(said.lines().count(), blocks.len());
    let full =
        gateway_refuses(&centre.site, &["block", "institution:1310000018", "--reason", "one more"], 1).await;
    assert!(full.contains("10000 peers are blocked already"), "{full}");
}

#[tokio::test]
async fn a_corrected_rule_of_identities_ends_the_open_connections_that_it_names_otherwise() {
    let setting = Setting::new(100_000, &[UNWATCHED, PATIENT]).await;
    let lines = lines(&setting.caller).await;
    setting.centre.until("both connections", |status| status.connections == 2).await;
    // The same certificates count, and name a billing agent.
    let corrected = [
        ("identity.agencies.stands_in", "\"subject:CN\""),
        ("identity.agencies.pattern", r"'(?<code>\d{3})'"),
        ("identity.agencies.environment", "\"test\""),
        ("identity.agencies.role", "\"review-agency\""),
        ("identity.agents.stands_in", "\"subject:CN\""),
        ("identity.agents.pattern", r"'(?<code>\d{10})'"),
        ("identity.agents.environment", "\"test\""),
        ("identity.agents.role", "\"billing-agent\""),
    ];
    lab::site::change(&setting.centre.site.config, &corrected).unwrap();
    let said = gateway_does(&setting.centre.site, &["reload"]).await;
    assert!(said.contains("2 of them ended"), "{said}");
    setting.centre.logs(&["open connection ended", "identity_changed"]).await;
    for line in lines {
        line.closed().await;
    }
    expect_ended_by_order(&setting, 2).await;
}

#[tokio::test]
async fn no_connection_outlives_the_list_that_let_it_in() {
    let setting = Setting::new(100_000, &[UNWATCHED, PATIENT]).await;
    let mut lines = lines(&setting.caller).await;
    setting.lab.new_lists("+15s");
    setting.lab.deliver_lists(&setting.centre.site);
    let said = gateway_does(&setting.centre.site, &["reload"]).await;
    assert!(said.contains("0 of them ended"), "{said}");
    let key = setting.offered().await;
    let sends = [&send_head(&key, 0, setting.content.len() as u64), setting.content.as_slice()].concat();
    for (line, request) in lines.iter_mut().zip([get("/v1/log/checkpoint"), sends]) {
        assert_eq!(line.ask(&request).await.status, 200);
    }
    setting.centre.logs(&["open connection ended", "crl_expired"]).await;
    for line in lines {
        line.closed().await;
    }
    expect_ended_by_order(&setting, 2).await;
}
