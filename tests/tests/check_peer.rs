//! `sekisho-gateway check --peer`: the verdict of the door, without the door.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::path::Path;

use certs_tool::Profile;
use lab::site::CentreSite;
use protocol::party::Identity;
use serde_json::Value;
use tests::{
    lab::TestLab,
    upkeep::{gateway, gateway_does},
};

/// Asks about a certificate: exit code and JSON.
async fn ask(site: &CentreSite, certificate: &Path, more: &[&str]) -> (i32, Value) {
    let file = certificate.to_str().unwrap();
    let output = gateway(site, &[&["check", "--json", "--peer", file], more].concat()).await;
    let said = String::from_utf8(output.stdout).unwrap();
    let problem = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{problem}")))
}

fn identity(text: &str) -> Identity {
    Identity::from_uri(&format!("urn:sekisho:test:{text}")).unwrap()
}

#[tokio::test]
async fn a_good_certificate_is_told_as_whom_and_for_what() {
    let lab = TestLab::new();
    let site = lab.sites.centre("centre", &[]).unwrap();
    let clinic = identity("institution:1310000018");
    let (certificate, _) = lab.issued("clinic", Profile::Institution, &clinic, &[]);
    let (code, said) = ask(&site, &certificate, &[]).await;
    assert_eq!((code, &said["let_in"]), (0, &Value::Bool(true)), "{said}");
    assert_eq!(said["identity"], clinic.to_uri());
    assert!(said["rights"]["claims"].as_array().unwrap().contains(&"offer".into()), "{said}");
    // In words, for people, too.
    let text = gateway_does(&site, &["check", "--peer", certificate.to_str().unwrap()]).await;
    assert!(text.contains("would be let in as urn:sekisho:test:institution:1310000018"), "{text}");
    assert!(text.contains("asked about number"), "{text}");
}

#[tokio::test]
async fn each_bad_certificate_is_told_its_own_reason_with_the_next_step() {
    let lab = TestLab::new();
    let site = lab.sites.centre("centre", &[]).unwrap();
    let clinic = identity("institution:1310000018");
    let (good, _) = lab.issued("good", Profile::Institution, &clinic, &[]);
    let (evidence, _) = lab.issued("evidence", Profile::Evidence, &clinic, &[]);
    let other = TestLab::new();
    let (foreign, _) = other.issued("foreign", Profile::Institution, &clinic, &[]);
    let revoked = lab.sender(
        "revoked",
        &"institution:1310000026".parse().unwrap(),
        "127.0.0.1:9".parse().unwrap(),
        &[],
    );
    lab.revoke(&revoked);
    lab.deliver_lists(&site);
    let revoked = revoked.directory.join("tls/certificate.pem");
    for (certificate, more, reason) in [
        (&good, vec!["--at", "2060-01-01T00:00:00Z"], "expired"),
        (&good, vec!["--at", "2020-01-01T00:00:00Z"], "not_yet_valid"),
        (&good, vec!["--evidence"], "wrong_eku"),
        (&evidence, vec![], "wrong_eku"),
        (&foreign, vec![], "unknown_ca"),
        (&revoked, vec![], "revoked"),
    ] {
        let (code, said) = ask(&site, certificate, &more).await;
        assert_eq!((code, &said["reason"]), (7, &reason.into()), "{said}");
        assert!(!said["causes"].as_array().unwrap().is_empty(), "{said}");
        assert!(said["next"].as_str().unwrap().len() > 10, "{said}");
    }
    let (code, said) = ask(&site, &evidence, &["--evidence"]).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn who_is_blocked_by_hand_is_told_so() {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let clinic = identity("institution:1310000018");
    let (certificate, _) = lab.issued("clinic", Profile::Institution, &clinic, &[]);
    gateway_does(&centre.site, &["block", "institution:1310000018", "--reason", "key lost"]).await;
    let (code, said) = ask(&centre.site, &certificate, &[]).await;
    assert_eq!((code, &said["reason"]), (7, &"blocked".into()), "{said}");
}

#[tokio::test]
async fn a_file_that_is_no_certificate_gets_no_verdict() {
    let lab = TestLab::new();
    let site = lab.sites.centre("centre", &[]).unwrap();
    let file = lab.file("nothing.pem", b"nothing");
    let output = gateway(&site, &["check", "--peer", file.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("nothing.pem"), "{said}");
}
