//! The `sekisho` command as a script meets it: exit codes and JSON objects.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of the tests")]
#![expect(clippy::disallowed_methods, reason = "the tests write their files")]

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use client::store::{Fork, Store};
use protocol::{checkpoint::LogIdentity, party::Environment};
use serde_json::Value;

fn sekisho(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekisho")).current_dir(directory).args(arguments).output().unwrap()
}

/// The only object on standard output, and the exit code.
fn json(directory: &Path, arguments: &[&str]) -> (Value, i32) {
    let output = sekisho(directory, arguments);
    let object = serde_json::from_slice(&output.stdout).expect("one JSON object on standard output");
    (object, output.status.code().unwrap())
}

/// Settings that can be read; the files they name are there and hold nothing.
fn write_settings(directory: &Path) {
    let mut text = format!(
        "environment = \"test\"\nparty = \"{PARTY}\"\n\
         [centre]\naddress = \"centre.example.jp:443\"\nparty = \"{CENTRE}\"\n\
         [storage]\ndata = \"data\"\n[contact]\nname = \"desk\"\ntelephone = \"03-0000-0000\"\n"
    );
    for section in ["tls", "evidence"] {
        for file in ["certificate.pem", "key.pem", "root.pem", "root.crl"] {
            fs::write(directory.join(format!("{section}-{file}")), "").unwrap();
        }
        text += &format!(
            "[{section}]\ncertificate = \"{section}-certificate.pem\"\nkey = \"{section}-key.pem\"\n\
             anchors = [\"{section}-root.pem\"]\ncrls = [\"{section}-root.crl\"]\n"
        );
    }
    fs::write(directory.join("sekisho.toml"), text).unwrap();
}

const PARTY: &str = "institution:1310000018";
const CENTRE: &str = "review-agency:113";

#[test]
fn help_names_every_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let output = sekisho(directory.path(), &["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for code in 0..=6 {
        assert!(help.contains(&format!("\n  {code}  ")), "exit code {code} is missing in\n{help}");
    }
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in
        [&[][..], &["send"], &["send", "x", "--month", "2026-10"], &["cancel", "x"], &["verify", "x"]]
    {
        let output = sekisho(directory.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn settings_that_are_not_there_end_every_command_with_2_and_one_object() {
    let directory = tempfile::tempdir().unwrap();
    let id = "0198f0a0-0000-7000-8000-000000000000";
    for (command, arguments) in [
        ("send", &["send", "x", "--json"][..]),
        ("status", &["status", "--json"]),
        ("cancel", &["cancel", id, "--json"]),
        ("log verify", &["log", "verify", "--json"]),
        ("log accept-new", &["log", "accept-new", "--json"]),
    ] {
        let (object, code) = json(directory.path(), arguments);
        assert_eq!(
            (object["command"].as_str(), object["ok"].as_bool(), code),
            (Some(command), Some(false), 2)
        );
        assert_eq!(object["error"]["code"], "settings_unreadable");
    }
}

#[test]
fn every_mistake_in_the_settings_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("sekisho.toml"), "environment = \"tset\"\nparty = \"x\"\n").unwrap();
    let output = sekisho(directory.path(), &["status"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("environment") && told.contains("party") && told.contains("next:"), "{told}");
}

#[test]
fn a_bundle_that_is_none_ends_with_6_and_names_the_place() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("bundle.json"), "{}").unwrap();
    fs::write(directory.path().join("root.pem"), "").unwrap();
    let (object, code) =
        json(directory.path(), &["verify", "bundle.json", "--anchors", "root.pem", "--json"]);
    assert_eq!((object["place"].as_str(), code), (Some("bundle"), 6));
    assert!(object["verified"].is_null());
}

#[test]
fn a_bundle_that_cannot_be_read_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let (object, code) =
        json(directory.path(), &["verify", "bundle.json", "--anchors", "root.pem", "--json"]);
    assert_eq!((object["error"]["code"].as_str(), code), (Some("unreadable"), 2));
}

/// A state directory in which the centre's log has contradicted itself.
fn write_fork(directory: &Path) {
    let data = directory.join("data");
    let (party, centre) = (PARTY.parse().unwrap(), CENTRE.parse().unwrap());
    let mut store = Store::open(&data, Environment::Test, &party).unwrap();
    let fork = Fork {
        at: "2026-11-10T00:00:00.000Z".parse().unwrap(),
        reason: "it has become shorter".to_owned(),
        log: LogIdentity { origin: "sekisho/test/centre".to_owned(), key: String::new() },
        shown: "the new head\n".to_owned(),
        held: Some("the old head\n".to_owned()),
    };
    store.update_centre(&centre, |known| known.fork = Some(fork)).unwrap();
}

#[test]
fn a_new_log_is_shown_beside_the_old_one_and_accepted_only_when_that_is_confirmed() {
    let directory = tempfile::tempdir().unwrap();
    write_settings(directory.path());
    write_fork(directory.path());
    let accept = ["log", "accept-new", "--centre", CENTRE];
    let shown = sekisho(directory.path(), &accept);
    assert_eq!(shown.status.code(), Some(2));
    let told = String::from_utf8(shown.stdout).unwrap();
    assert!(told.contains("the old head") && told.contains("the new head"), "{told}");
    for (more, code, accepted) in [
        (&["--json"][..], 2, Some(false)),
        (&["--json", "--looked-into"], 0, Some(true)),
        // There is nothing left to accept.
        (&["--json", "--looked-into"], 2, None),
    ] {
        let (object, ended) = json(directory.path(), &[&accept[..], more].concat());
        assert_eq!((ended, object["accepted"].as_bool()), (code, accepted), "{more:?}: {object}");
    }
    let log = fs::read_to_string(directory.path().join("data/log/entries.jsonl")).unwrap();
    assert!(log.contains("log_accepted") && log.contains("the new head"), "{log}");
}

/// Runs the command with these ends for its output.
fn printing_to(directory: &Path, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Option<i32> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.current_dir(directory).args(arguments).stdout(stdout).stderr(stderr);
    command.status().unwrap().code()
}

/// Where a reader was, and has left.
fn left() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_that_leaves_early_changes_no_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let commands: [(&[&str], i32); 5] = [
        (&["--help"], 0),
        (&["--version"], 0),
        (&["status", "--json"], 2),
        (&["verify", "x", "--anchors", "y", "--json"], 2),
        (&["status"], 2),
    ];
    for (arguments, code) in commands {
        assert_eq!(printing_to(directory.path(), arguments, left(), left()), Some(code), "{arguments:?}");
    }
    write_settings(directory.path());
    for arguments in [&["status"][..], &["status", "--json"]] {
        assert_eq!(printing_to(directory.path(), arguments, left(), left()), Some(0), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure_of_this_machine() {
    let directory = tempfile::tempdir().unwrap();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    fs::write(directory.path().join("bundle.json"), "{}").unwrap();
    fs::write(directory.path().join("root.pem"), "").unwrap();
    write_settings(directory.path());
    assert_eq!(printing_to(directory.path(), &["status", "--json"], full(), Stdio::null()), Some(1));
    // What had gone wrong before stays what is told.
    let verify = ["verify", "bundle.json", "--anchors", "root.pem", "--json"];
    assert_eq!(printing_to(directory.path(), &verify, full(), Stdio::null()), Some(6));
}
