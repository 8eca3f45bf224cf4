//! The command line: what it refuses with which exit code, and what it prints.

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::{cli::Cli, commands};

fn run(args: &[&str]) -> Result<commands::Report, LabFault> {
    let cli = Cli::try_parse_from([&["sekisho-certs"], args].concat()).unwrap();
    commands::run(&cli, now())
}

fn json(args: &[&str]) -> Value {
    run(args).map(|report| report.json).unwrap()
}

fn dir(place: &Place) -> String {
    place.lab.dir().display().to_string()
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let place = place();
    let dir = dir(&place);
    let nowhere = place.out("nowhere").display().to_string();
    let code = |args: &[&str]| run(args).err().unwrap().exit_code();
    assert_eq!(code(&["init", "--dir", &dir]), 2);
    assert_eq!(code(&["crl", "--dir", &nowhere]), 2);
    assert_eq!(code(&["revoke", "--dir", &dir, "abcdef"]), 2);
    assert_eq!(code(&["issue", "--dir", &dir, "--profile", "centre", "--identity", CENTRE]), 2);
    assert_eq!(code(&["inspect", &nowhere]), 3);
    assert_eq!(code(&["inspect", &format!("{dir}/root.key.pem")]), 3);
}

#[test]
fn what_cannot_be_parsed_is_refused_before_anything_is_done() {
    for args in [
        &["issue", "--dir", "x", "--profile", "institution", "--identity", "urn:sekisho:test:doctor:1"][..],
        &["issue", "--dir", "x", "--profile", "doctor", "--identity", INSTITUTION],
        &["issue", "--dir", "x", "--profile", "evidence", "--identity", INSTITUTION, "--not-after", "39mo"],
        &["init", "--dir", "x", "--environment", "staging"],
        &["crl"],
    ] {
        assert!(Cli::try_parse_from([&["sekisho-certs"], args].concat()).is_err(), "{args:?}");
    }
}

#[test]
fn an_error_is_one_object_for_programs() {
    let fault = run(&["crl", "--dir", "/nonexistent"]).err().unwrap();
    let object: Value = serde_json::from_str(&commands::describe(&fault, true)).unwrap();
    assert_eq!(object["exit_code"], 2);
    assert!(object["error"].as_str().unwrap().contains("sekisho-certs init"));
}

#[test]
fn a_certificate_is_revoked_by_its_file_or_its_number() {
    let place = place();
    let dir = dir(&place);
    let out = place.out("a").display().to_string();
    let issued =
        json(&["issue", "--dir", &dir, "--profile", "institution", "--identity", INSTITUTION, "--out", &out]);
    let file = issued["certificate"].as_str().unwrap();
    let by_file = json(&["revoke", "--dir", &dir, file, "--reason", "key-compromise"]);
    assert_eq!((&by_file["serial"], &by_file["already"]), (&issued["serial"], &Value::Bool(false)));
    let by_number = json(&["revoke", "--dir", &dir, issued["serial"].as_str().unwrap()]);
    assert_eq!(
        (&by_number["revoked_at"], &by_number["already"]),
        (&by_file["revoked_at"], &Value::Bool(true))
    );
}

#[test]
fn a_certificate_gets_the_usual_name_and_life_unless_told_otherwise() {
    let place = place();
    let dir = dir(&place);
    let issue = ["issue", "--dir", &dir, "--profile", "evidence", "--identity", INSTITUTION];
    let usual = json(&issue);
    assert_eq!(usual["certificate"], format!("{dir}/evidence-institution-1310000018.pem"));
    let out = place.out("short").display().to_string();
    let short = json(&[&issue[..], &["--out", &out, "--not-before", "-2h", "--not-after", "-1h"]].concat());
    let time = |object: &Value, name: &str| {
        object[name].as_str().unwrap().parse::<protocol::moment::Moment>().unwrap()
    };
    assert!(time(&short, "not_after") < now());
    assert!(time(&usual, "not_after").ms_since(now()) / 86_400_000 >= 39 * 30);
}

#[test]
fn inspect_tells_what_stands_in_certificates_and_lists() {
    let place = place();
    let issued = place.issue(Profile::Centre, "c").unwrap();
    place.lab.revoke(&issued.serial, crate::Reason::Superseded, now()).unwrap();
    let certificates = json(&["inspect", &issued.cert_path.display().to_string()]);
    let leaf = &certificates["certificates"][0];
    assert_eq!(leaf["identity"], CENTRE);
    assert_eq!(leaf["purposes"], serde_json::json!(["serverAuth"]));
    assert_eq!(leaf["hosts"], serde_json::json!(["localhost", "127.0.0.1", "::1"]));
    assert_eq!(
        (&leaf["test_only"], &certificates["certificates"][1]["authority"]),
        (&true.into(), &true.into())
    );
    let lists = json(&["inspect", &place.lab.crls_pem().display().to_string()]);
    assert_eq!(lists["lists"][1]["revoked"][0]["serial"], issued.serial.to_string());
    assert_eq!(lists["lists"][1]["number"], "2");
}
