//! Taking up what changed: whole or not at all, noticed however it was changed, and nobody's connection is lost by it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use protocol::entry::Event;
use tests::{
    setting::Setting,
    upkeep::{gateway_does, gateway_refuses, put, write},
    wire::{Engine, get, send_head},
};

const UNWATCHED: (&str, &str) = ("reload.watch", "false");

async fn unwatched() -> Setting {
    Setting::new(300_000, &[UNWATCHED]).await
}

/// What is in force is what was: the same generation, and a good sender gets through.
async fn expect_unchanged(setting: &Setting) {
    let status = setting.centre.status().await;
    assert_eq!(status.generation, 1);
    assert!(status.reloads.1 > 0, "the refusal is counted");
    assert_eq!(setting.caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
    let entries = setting.centre.entries().await;
    assert!(entries.iter().any(|entry| entry.event == Event::ReloadRefused));
    assert!(!entries.iter().any(|entry| entry.event == Event::Reloaded));
}

#[tokio::test]
async fn case_10_a_missing_empty_or_malformed_anchor_file_keeps_the_old_set() {
    let setting = unwatched().await;
    let file = setting.centre.site.directory.join("tls/root.pem");
    let good = fs::read(&file).unwrap();
    let key = fs::read(setting.centre.site.directory.join("tls/key.pem")).unwrap();
    let half = &good[..good.len() / 2];
    for bad in [&b""[..], b"no PEM", half, &key] {
        write(&file, bad);
        let said = gateway_refuses(&setting.centre.site, &["reload"], 3).await;
        assert!(said.contains("root.pem"), "{said}");
    }
    fs::remove_file(&file).unwrap();
    let said = gateway_refuses(&setting.centre.site, &["reload"], 2).await;
    assert!(said.contains("root.pem"), "{said}");
    expect_unchanged(&setting).await;
    // Nor does a gateway start with such a file.
    write(&file, b"");
    gateway_refuses(&setting.centre.site, &["check"], 3).await;
    write(&file, &good);
    assert!(gateway_does(&setting.centre.site, &["reload"]).await.contains("generation 2"));
}

#[tokio::test]
async fn case_11_a_damaged_or_absent_revocation_list_leaves_the_last_good_one_in_force() {
    let setting = unwatched().await;
    let file = setting.centre.site.directory.join("tls/issuing.crl");
    let good = fs::read(&file).unwrap();
    let relabelled = String::from_utf8(good.clone()).unwrap().replace("X509 CRL", "CERTIFICATE").into_bytes();
    for bad in [&b""[..], &good[..good.len() / 2], &relabelled] {
        write(&file, bad);
        let said = gateway_refuses(&setting.centre.site, &["reload"], 3).await;
        assert!(said.contains("issuing.crl"), "{said}");
    }
    fs::remove_file(&file).unwrap();
    gateway_refuses(&setting.centre.site, &["reload"], 2).await;
    expect_unchanged(&setting).await;
    assert_eq!(setting.centre.status().await.revocation_lists.len(), 4);
}

#[tokio::test]
async fn case_25_an_older_revocation_list_is_refused() {
    let setting = unwatched().await;
    let file = setting.centre.site.directory.join("tls/issuing.crl");
    let old = fs::read(&file).unwrap();
    setting.lab.new_lists("+7d");
    setting.lab.deliver_lists(&setting.centre.site);
    gateway_does(&setting.centre.site, &["reload"]).await;
    put(&file, &old);
    let said = gateway_refuses(&setting.centre.site, &["reload"], 3).await;
    assert!(said.contains("number"), "{said}");
    assert_eq!(setting.centre.status().await.generation, 2);
}

#[tokio::test]
async fn case_31_a_key_that_came_before_its_certificate_is_refused_and_the_old_pair_stays() {
    let setting = unwatched().await;
    let (certificate, key) = setting.lab.renewed("renewed");
    let tls = setting.centre.site.directory.join("tls");
    put(&tls.join("key.pem"), &fs::read(key).unwrap());
    let said = gateway_refuses(&setting.centre.site, &["reload"], 3).await;
    assert!(said.contains("do not belong together"), "{said}");
    expect_unchanged(&setting).await;
    put(&tls.join("certificate.pem"), &fs::read(certificate).unwrap());
    gateway_does(&setting.centre.site, &["reload"]).await;
    assert_eq!(setting.caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
}

#[tokio::test]
async fn case_33_a_key_that_others_may_read_is_refused() {
    let setting = unwatched().await;
    let key = setting.centre.site.directory.join("tls/key.pem");
    for mode in [0o640, 0o604] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let said = gateway_refuses(&setting.centre.site, &["reload"], 3).await;
        assert!(said.contains("key.pem"), "{said}");
        gateway_refuses(&setting.centre.site, &["check"], 3).await;
    }
    expect_unchanged(&setting).await;
}

#[tokio::test]
async fn what_a_running_gateway_cannot_change_is_named() {
    let setting = unwatched().await;
    let changes = [("listen.address", "\"127.0.0.1:1\""), ("limits.transfers_max", "7")];
    lab::site::change(&setting.centre.site.config, &changes).unwrap();
    let said = gateway_refuses(&setting.centre.site, &["reload"], 2).await;
    assert!(said.contains("listen.address") && said.contains("limits.transfers_max"), "{said}");
    expect_unchanged(&setting).await;
}

#[tokio::test]
async fn mistakes_in_the_settings_are_told_with_their_lines_and_change_nothing() {
    let setting = unwatched().await;
    lab::site::change(&setting.centre.site.config, &[("limits.file_bytes_max", "\"10GB\"")]).unwrap();
    let said = gateway_refuses(&setting.centre.site, &["reload"], 2).await;
    assert!(said.contains("gateway.toml:") && said.contains("limits.file_bytes_max"), "{said}");
    expect_unchanged(&setting).await;
}

#[tokio::test]
async fn a_hangup_signal_reloads() {
    let setting = unwatched().await;
    lab::site::change(&setting.centre.site.config, &[("limits.file_bytes_max", "\"1KiB\"")]).unwrap();
    setting.centre.process.signal("HUP").await.unwrap();
    setting.centre.until("the new settings", |status| status.generation == 2).await;
    let answer = setting.caller.offer(&setting.papers.sign(&setting.manifest())).await;
    assert_eq!(answer.problem(), protocol::problem::Problem::TooLarge);
}

#[tokio::test]
async fn case_32_a_file_is_noticed_however_it_was_changed_and_no_connection_drops() {
    // An idle connection is kept for as long as the test takes.
    let setting = Setting::new(300_000, &[("link.header_max", "\"120s\"")]).await;
    let mut line = setting.caller.line().await;
    assert_eq!(line.ask(&get("/v1/log/checkpoint")).await.status, 200);
    let mut bulk = setting.caller.with(Engine::Bulk).line().await;
    let tls = setting.centre.site.directory.join("tls");
    let (certificate, key) = (tls.join("certificate.pem"), tls.join("key.pem"));
    let mut generation = 1;
    let mut noticed = async |what: &str| {
        generation += 1;
        setting.centre.until(what, |status| status.generation == generation).await;
    };

    // Put in its place, as installers do.
    setting.lab.new_lists("+7d");
    setting.lab.deliver_lists(&setting.centre.site);
    noticed("lists that were put in place").await;
    // Emptied and written, as people do.
    let settings = fs::read(&setting.centre.site.config).unwrap();
    write(&setting.centre.site.config, &[&settings[..], b"\n# changed\n"].concat());
    noticed("settings that were written").await;
    // A link to a directory that is exchanged for another, as orchestrators do.
    for (name, (new_certificate, new_key)) in
        [("one", setting.lab.renewed("renewed-1")), ("two", setting.lab.renewed("renewed-2"))]
    {
        let directory = tls.join(name);
        fs::create_dir(&directory).unwrap();
        fs::copy(new_certificate, directory.join("certificate.pem")).unwrap();
        fs::copy(new_key, directory.join("key.pem")).unwrap();
    }
    symlink("one", tls.join("current")).unwrap();
    symlink("current/certificate.pem", tls.join("certificate.link")).unwrap();
    symlink("current/key.pem", tls.join("key.link")).unwrap();
    fs::rename(tls.join("certificate.link"), &certificate).unwrap();
    fs::rename(tls.join("key.link"), &key).unwrap();
    noticed("links").await;
    symlink("two", tls.join("next")).unwrap();
    fs::rename(tls.join("next"), tls.join("current")).unwrap();
    noticed("a link that was exchanged").await;
    // Another mode alone: a key that others may read is refused, and said.
    fs::set_permissions(tls.join("two/key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    setting.centre.until("the refusal", |status| status.reloads.1 == 1).await;
    fs::set_permissions(tls.join("two/key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    noticed("the mode that was corrected").await;

    assert_eq!(line.ask(&get("/v1/log/checkpoint")).await.status, 200);
    let key = setting.offered().await;
    bulk.write(&send_head(&key, 0, setting.content.len() as u64)).await;
    bulk.ask(&setting.content).await.receipt();
    assert_eq!(setting.caller.ask(&get("/v1/log/checkpoint")).await.status, 200);
}
