//! Revocation lists that are fetched: what is good counts at once, what is not leaves the last good one in force, and what
//! was once here is not lost when its server is away.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use lab::site::{Changes, SenderSite};
use protocol::{cause::Cause, entry::Event, kind::Kind, problem::Problem};
use tests::{
    centre::{Centre, files_below},
    files::claims_file,
    lab::{TestLab, institution},
    publisher::{Answers, Publisher, issuing_list},
    sender::Sending,
    setting::Setting,
    upkeep::{gateway_does, gateway_refuses, write},
    wire::{Engine, get},
};

/// The list that every setting here fetches.
const LIST: &str = "issuing.crl";

/// Nothing is reloaded by itself, and a connection stays for longer than anybody waits.
const CENTRE: Changes<'_> =
    &[("reload.watch", "false"), ("link.stall_max", "\"60s\""), ("link.header_max", "\"120s\"")];

/// The list of the issuing authority is fetched from here, the root's is a file.
fn fetching(urls: &str) -> Vec<(&'static str, &str)> {
    vec![
        ("tls.crls", "[\"tls/root.crl\"]"),
        ("tls.crl_urls", urls),
        ("crl.refresh", "\"1s\""),
        ("crl.fetch_max", "\"10s\""),
    ]
}

fn urls(publisher: &Publisher) -> String {
    format!("[\"{}\"]", publisher.url(LIST))
}

/// A centre that fetches from a server.
async fn fetching_from(publisher: &Publisher, lab: TestLab) -> Setting {
    Setting::in_lab(lab, 2_000_000, &[&fetching(&urls(publisher)), CENTRE].concat()).await
}

/// A centre that has fetched the newest list.
async fn fetched() -> (Setting, Publisher) {
    let (publisher, lab) = (Publisher::start().await, TestLab::new());
    publisher.publish(&lab.sites, LIST);
    let setting = fetching_from(&publisher, lab).await;
    expect_let_in(&setting).await;
    (setting, publisher)
}

async fn expect_let_in(setting: &Setting) {
    assert_eq!(setting.caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
}

async fn expect_kept_out(setting: &Setting, reason: &str) {
    assert!(setting.caller.try_ask(&get("/v1/log/checkpoint")).await.is_none());
    setting.centre.logs(&["certificate refused", reason]).await;
}

#[tokio::test]
async fn a_certificate_that_a_fetched_list_names_is_refused_without_anybody_asking_for_a_reload() {
    let (setting, publisher) = fetched().await;
    let before = setting.centre.status().await.generation;
    setting.lab.revoke(&setting.site);
    publisher.publish(&setting.lab.sites, LIST);
    setting.centre.until("the new list", |status| status.generation > before).await;
    expect_kept_out(&setting, "revoked").await;
}

#[tokio::test]
async fn a_transfer_ends_as_revoked_when_a_fetched_list_names_its_sender() {
    Engine::each(async |engine| {
        let (setting, publisher) = fetched().await;
        let half = setting.content.len() / 2;
        let (key, mut line) = setting.begun(engine, half).await;
        setting.lab.revoke(&setting.site);
        publisher.publish(&setting.lab.sites, LIST);
        setting.centre.logs(&["open connection ended", "revoked"]).await;
        line.write(&setting.content[half..]).await;
        if let Some(answer) = line.answer().await {
            assert_eq!((answer.status, answer.problem()), (403, Problem::Revoked), "{engine:?}");
        }
        setting.centre.logs(&["attempt aborted", &key.to_string(), "revoked"]).await;
        assert_eq!(setting.centre.inbox(), []);
        let entries = setting.centre.entries().await;
        let aborted = entries.iter().find(|entry| entry.event == Event::Aborted).unwrap();
        assert_eq!((aborted.transfer_id, aborted.cause), (Some(key.id), Some(Cause::Revoked)));
    })
    .await;
}

#[tokio::test]
async fn settings_that_are_being_edited_do_not_hold_up_a_revocation() {
    let (setting, publisher) = fetched().await;
    let before = setting.centre.status().await.generation;
    write(&setting.centre.site.config, b"environment = \"te");
    fs::remove_file(setting.centre.site.directory.join("tls/key.pem")).unwrap();
    setting.lab.revoke(&setting.site);
    publisher.publish(&setting.lab.sites, LIST);
    setting.centre.until("the new list", |status| status.generation > before).await;
    expect_kept_out(&setting, "revoked").await;
}

/// Fetches so far that failed for this reason.
fn count(status: &gateway::admin::Status, reason: &str) -> u64 {
    status.list_fetches.get(reason).copied().unwrap_or(0)
}

#[tokio::test]
async fn whatever_a_server_gives_that_is_no_good_list_leaves_the_last_good_one_in_force_and_is_said() {
    let (setting, publisher) = fetched().await;
    let older = issuing_list(&setting.lab.sites);
    setting.lab.new_lists("+7d");
    let newest = publisher.publish(&setting.lab.sites, LIST);
    setting.centre.until("the newest list", |status| status.generation == 3).await;
    // Higher numbers than the one in force, so that only what is wrong with them stands in the way.
    setting.lab.new_lists("-1m");
    let ended = issuing_list(&setting.lab.sites);
    setting.lab.new_lists("+7d");
    let mut altered = issuing_list(&setting.lab.sites);
    let end = altered.len() - 1;
    altered[end] ^= 1;
    let elsewhere = TestLab::new();
    let foreign = issuing_list(&elsewhere.sites);
    for (what, answers, reason) in [
        ("an older list", Answers::With(older), "crl_rollback"),
        ("an ended list", Answers::With(ended), "crl_invalid"),
        ("nobody", Answers::Away, "unreachable"),
        ("a list with another signature", Answers::With(altered), "crl_invalid"),
        ("another status", Answers::Status(503), "status"),
        ("a list of another authority", Answers::With(foreign), "crl_invalid"),
        ("an answer without end", Answers::WithoutEnd, "too_large"),
        ("no list", Answers::With(b"<html>maintenance</html>".to_vec()), "crl_invalid"),
        ("a server that hangs", Answers::Never, "too_slow"),
    ] {
        let before = count(&setting.centre.status().await, reason);
        publisher.answers(LIST, answers);
        let said = setting.centre.until(what, |status| {
            status.list_sources.iter().any(|source| source.failing.is_some())
                && count(status, reason) > before
        });
        let status = said.await;
        assert_eq!(status.generation, 3, "{what}");
        setting.centre.logs(&["could not be fetched", reason]).await;
        expect_let_in(&setting).await;
        // What is good again counts again, and the next one is news.
        publisher.answers(LIST, Answers::With(newest.clone()));
        let good = |status: &gateway::admin::Status| status.list_sources.iter().all(|s| s.failing.is_none());
        setting.centre.until("a good answer", good).await;
    }
}

#[tokio::test]
async fn a_centre_starts_with_the_list_it_kept_when_the_server_is_away() {
    let (mut setting, publisher) = fetched().await;
    publisher.answers(LIST, Answers::Away);
    setting.centre.stop().await;
    let said = gateway_does(&setting.centre.site, &["check"]).await;
    assert!(said.contains("made") && said.contains("issuing"), "{said}");
    let Setting { centre, caller, lab, papers, site, content } = setting;
    let centre = centre.again().await;
    let setting = Setting { caller: caller.at(centre.address), centre, lab, papers, site, content };
    expect_let_in(&setting).await;
    setting.centre.logs(&["could not be fetched", "unreachable"]).await;
}

#[tokio::test]
async fn a_centre_without_a_list_refuses_with_the_reason_of_a_missing_one_until_it_came() {
    let publisher = Publisher::start().await;
    let setting = fetching_from(&publisher, TestLab::new()).await;
    expect_kept_out(&setting, "crl_missing").await;
    let status = setting.centre.status().await;
    assert!(status.not_ready.contains(&"revocation_list_missing".to_owned()), "{status:?}");
    let said = gateway_refuses(&setting.centre.site, &["check"], 3).await;
    assert!(said.contains("under [tls] is missing"), "{said}");
    let [missing] = status.missing_lists.as_slice() else { panic!("{status:?}") };
    assert!(missing.contains("[tls]") && missing.contains("next:"), "{missing}");
    publisher.publish(&setting.lab.sites, LIST);
    setting.centre.until("the list", |status| status.missing_lists.is_empty()).await;
    expect_let_in(&setting).await;
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_a_start_no_longer_than_one_fetch() {
    let (publisher, lab) = (Publisher::start().await, TestLab::new());
    publisher.answers(LIST, Answers::Never);
    let urls = urls(&publisher);
    let changes = [&fetching(&urls), CENTRE, &[("crl.fetch_max", "\"1s\"")]].concat();
    // It listens, or the test has no patience any more.
    let setting = Setting::in_lab(lab, 100_000, &changes).await;
    setting.centre.logs(&["there is no revocation list"]).await;
    expect_kept_out(&setting, "crl_missing").await;
}

#[tokio::test]
async fn a_kept_list_that_was_damaged_is_as_good_as_none_and_never_stops_the_start() {
    let (mut setting, publisher) = fetched().await;
    setting.centre.stop().await;
    let kept = files_below(&setting.centre.site.data.join("crls"));
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    let good = fs::read(kept).unwrap();
    publisher.answers(LIST, Answers::Away);
    write(kept, &good[..good.len() / 2]);
    let Setting { centre, caller, lab, papers, site, content } = setting;
    let centre = centre.again().await;
    let setting = Setting { caller: caller.at(centre.address), centre, lab, papers, site, content };
    setting.centre.logs(&["fetched before cannot be used"]).await;
    expect_kept_out(&setting, "crl_missing").await;
    publisher.publish(&setting.lab.sites, LIST);
    setting.centre.until("the list", |status| status.missing_lists.is_empty()).await;
    expect_let_in(&setting).await;
    assert_eq!(fs::read(kept).unwrap(), good);
}

/// A clinic of this centre that fetches its list from here, and a file of its own.
fn clinic(lab: &TestLab, centre: &Centre, publisher: &Publisher) -> (SenderSite, PathBuf) {
    let party = institution(Kind::Medical, 7);
    let site = lab.sender("clinic", &party, centre.address, &fetching(&urls(publisher)));
    (site, lab.file("RECEIPTC.UKE", &claims_file(Kind::Medical, &party, 50_000, 1)))
}

#[tokio::test]
async fn a_sender_without_a_list_sends_nothing_and_names_the_address_that_it_tried() {
    let publisher = Publisher::start().await;
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let (site, file) = clinic(&lab, &centre, &publisher);
    let mut sending = Sending::start(&site, &file);
    sending.says(&["could not be fetched from", &publisher.url(LIST)]).await;
    assert_eq!(sending.ended().await.code(), Some(5));
    assert!(centre.status().await.transfers.values().all(|count| *count == 0));
}

#[tokio::test]
async fn a_sender_whose_server_is_away_warns_and_sends_with_the_list_it_kept() {
    let publisher = Publisher::start().await;
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    publisher.publish(&lab.sites, LIST);
    let (site, file) = clinic(&lab, &centre, &publisher);
    assert!(Sending::start(&site, &file).ended().await.success());
    publisher.answers(LIST, Answers::Away);
    let kept = files_below(&site.data.join("crls"));
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    fs::File::options().write(true).open(kept).unwrap().set_modified(yesterday).unwrap();
    let mut sending = Sending::start(&site, &file);
    sending.says(&["the last good one counts", "could not be fetched from"]).await;
    assert!(sending.ended().await.success());
}
