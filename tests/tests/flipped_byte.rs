//! One altered byte anywhere in the evidence, the file or a log is found, and its place is named.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::path::{Path, PathBuf};

use client::{Believed, Place, verify_bundle};
use gateway::start::LEDGER_FILE;
use lab::site::SenderSite;
use protocol::kind::Kind;
use serde_json::Value;
use sqlx::{Connection as _, Row as _, SqliteConnection};
use storage::audit::AuditFault;
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    sender::{Sending, run, status},
};

struct Sent {
    lab: TestLab,
    centre: Centre,
    site: SenderSite,
    file: PathBuf,
    content: Vec<u8>,
    bundle: Vec<u8>,
    anchors: Vec<u8>,
}

async fn sent() -> Sent {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let party = institution(Kind::Pharmacy, 1);
    let site = lab.sender("pharmacy", &party, centre.address, &[]);
    let content = claims_file(Kind::Pharmacy, &party, 0, 1);
    let file = lab.file("RECEIPTY.CYO", &content);
    assert!(Sending::start(&site, &file).ended().await.success());
    centre.logs(&["delivered"]).await;
    let told = status(&site).await;
    let bundle = std::fs::read(told[0].bundle.clone().unwrap()).unwrap();
    let anchors = std::fs::read(lab.sites.authority().root_pem()).unwrap();
    Sent { lab, centre, site, file, content, bundle, anchors }
}

#[tokio::test]
async fn every_altered_byte_of_the_file_is_found_in_the_file() {
    let sent = sent().await;
    assert!(verify_bundle(&sent.bundle, Some(&sent.file), Believed::of_lab(&sent.anchors)).is_ok());
    for at in 0..sent.content.len() {
        let mut altered = sent.content.clone();
        altered[at] ^= 1;
        let file = sent.lab.file("altered", &altered);
        let fault = verify_bundle(&sent.bundle, Some(&file), Believed::of_lab(&sent.anchors)).unwrap_err();
        assert_eq!(fault.place, Place::FileDigest, "byte {at}");
    }
    for other in [&sent.content[1..], &[&sent.content[..], b"\n"].concat()] {
        let file = sent.lab.file("altered", other);
        let fault = verify_bundle(&sent.bundle, Some(&file), Believed::of_lab(&sent.anchors)).unwrap_err();
        assert_eq!(fault.place, Place::FileLength);
    }
}

/// Alters every byte of a text in the bundle, and expects it to be found in one of these places.
async fn altered_in_the_bundle(pointer: &str, places: &[Place]) {
    let sent = sent().await;
    let whole: Value = serde_json::from_slice(&sent.bundle).unwrap();
    let text = whole.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    for at in 0..text.len() {
        if !text.is_char_boundary(at) || !text.is_char_boundary(at + 1) {
            continue;
        }
        for with in ['A', 'B', '.'] {
            if text[at..].starts_with(with) {
                continue;
            }
            let mut altered = whole.clone();
            let text = format!("{}{with}{}", &text[..at], &text[at + 1..]);
            *altered.pointer_mut(pointer).unwrap() = Value::String(text);
            let bytes = serde_json::to_vec(&altered).unwrap();
            match verify_bundle(&bytes, None, Believed::of_lab(&sent.anchors)) {
                Err(fault) => {
                    assert!(places.contains(&fault.place), "{pointer}, byte {at} as {with}: {fault}")
                }
                Ok(_) => panic!("{pointer}: byte {at} may be {with}"),
            }
        }
    }
}

#[tokio::test]
async fn every_altered_byte_of_the_manifest_is_found_in_the_manifest() {
    altered_in_the_bundle("/manifest", &[Place::Manifest]).await;
}

#[tokio::test]
async fn every_altered_byte_of_the_receipt_is_found_in_the_receipt() {
    altered_in_the_bundle("/receipt", &[Place::Receipt]).await;
}

#[tokio::test]
async fn every_altered_byte_of_the_acknowledgement_is_found_in_the_acknowledgement() {
    altered_in_the_bundle("/acknowledgement", &[Place::Acknowledgement]).await;
}

#[tokio::test]
async fn every_altered_byte_of_a_log_entry_or_checkpoint_is_found_there() {
    altered_in_the_bundle("/centre_log/inclusion/entry", &[Place::CentreLogEntry]).await;
    altered_in_the_bundle("/centre_log/checkpoint", &[Place::CentreLogCheckpoint]).await;
    altered_in_the_bundle("/sender_log/received/entry", &[Place::SenderLogEntry]).await;
    altered_in_the_bundle("/sender_log/checkpoint", &[Place::SenderLogCheckpoint]).await;
}

#[tokio::test]
async fn every_altered_byte_of_the_whole_bundle_is_found() {
    let sent = sent().await;
    let (mut step, mut found) = (1, 0);
    if !tests::tools::full() {
        step = 7;
    }
    for at in (0..sent.bundle.len()).step_by(step) {
        let mut altered = sent.bundle.clone();
        altered[at] ^= 1;
        if let Ok(verified) = verify_bundle(&altered, Some(&sent.file), Believed::of_lab(&sent.anchors)) {
            panic!("byte {at} may be altered: {verified:?}");
        }
        found += 1;
    }
    println!("{found} of {} bytes altered, each found", sent.bundle.len());
}

#[tokio::test]
async fn every_altered_byte_of_the_send_log_is_found_and_its_entry_named() {
    let sent = sent().await;
    let log = sent.site.data.join("log");
    let entries = std::fs::read(log.join("entries.jsonl")).unwrap();
    let mut line = 0;
    for at in 0..entries.len() {
        let mut altered = entries.clone();
        altered[at] ^= 1;
        overwrite(&log.join("entries.jsonl"), &altered);
        let fault = client::store::send_log::verify(&log).unwrap_err().to_string();
        // A signed root covers all lines: which of them was altered shows where it is no longer an entry.
        let named = fault.contains(&format!("entry {line} ")) || fault.contains("entries");
        assert!(named, "byte {at} of line {line}: {fault}");
        if entries[at] == b'\n' {
            line += 1;
        }
    }
    overwrite(&log.join("entries.jsonl"), &entries);
    client::store::send_log::verify(&log).unwrap();
    let settings = sent.site.settings.to_str().unwrap();
    overwrite(&log.join("entries.jsonl"), &entries[..entries.len() - 5]);
    let (ended, _): (_, Value) = run(&["log", "verify", "--json", "--settings", settings]).await;
    assert_eq!(ended.code(), Some(6), "a log that was shortened");
}

fn overwrite(path: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::options().write(true).truncate(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

/// A text in the ledger: how to read its rows, how to write one.
struct Column {
    name: &'static str,
    read: &'static str,
    write: &'static str,
    place: fn(i64) -> String,
}

const COLUMNS: [Column; 5] = [
    Column {
        name: "log entries",
        read: "SELECT position, text FROM log_entry",
        write: "UPDATE log_entry SET text = ? WHERE position = ?",
        place: |position| format!("log entry {position}"),
    },
    Column {
        name: "the checkpoint",
        read: "SELECT only_row, checkpoint FROM log_head",
        write: "UPDATE log_head SET checkpoint = ? WHERE only_row = ?",
        place: |_| "the log's signed checkpoint".to_owned(),
    },
    Column {
        name: "manifests",
        read: "SELECT transfer, text FROM manifest",
        write: "UPDATE manifest SET text = ? WHERE transfer = ?",
        place: |_| "the manifest of ".to_owned(),
    },
    Column {
        name: "receipts",
        read: "SELECT transfer, text FROM answer",
        write: "UPDATE answer SET text = ? WHERE transfer = ?",
        place: |_| "the receipt of ".to_owned(),
    },
    Column {
        name: "acknowledgements",
        read: "SELECT number, text FROM acknowledgement",
        write: "UPDATE acknowledgement SET text = ? WHERE number = ?",
        place: |_| "the acknowledgement of log entry ".to_owned(),
    },
];

/// Places of each text that are altered; all of them in the long form.
const PLACES: usize = 12;

#[tokio::test]
async fn an_altered_byte_of_the_centres_log_or_of_the_evidence_in_it_is_found_and_its_place_named() {
    let mut sent = sent().await;
    assert!(sent.centre.stop().await.success());
    sent.centre.verify_log().await.unwrap();
    let ledger = sent.centre.site.data.join(LEDGER_FILE);
    let mut database = SqliteConnection::connect(&format!("sqlite:{}", ledger.display())).await.unwrap();
    // Whoever can write the file can also take away what stands in its way.
    for trigger in [
        "DROP TRIGGER log_entry_is_final",
        "DROP TRIGGER manifest_is_final",
        "DROP TRIGGER answer_is_final",
        "DROP TRIGGER acknowledgement_is_final",
    ] {
        sqlx::query(trigger).execute(&mut database).await.unwrap();
    }
    for column in &COLUMNS {
        let rows = sqlx::query(column.read).fetch_all(&mut database).await.unwrap();
        assert!(!rows.is_empty(), "{}", column.name);
        for row in rows {
            let (key, text): (i64, String) = (row.get(0), row.get(1));
            let step = if tests::tools::full() { 1 } else { (text.len() / PLACES).max(1) };
            for at in (0..text.len()).step_by(step).chain([text.len() - 1]) {
                let Some(altered) = altered(&text, at) else { continue };
                sqlx::query(column.write).bind(&altered).bind(key).execute(&mut database).await.unwrap();
                let fault = sent.centre.verify_log().await.unwrap_err();
                assert!(matches!(fault, AuditFault::Damaged { .. }), "{}: {fault}", column.name);
                let expected = (column.place)(key);
                assert!(
                    fault.to_string().starts_with(&expected),
                    "{} {key}, byte {at}: {fault}",
                    column.name
                );
            }
            sqlx::query(column.write).bind(&text).bind(key).execute(&mut database).await.unwrap();
        }
        sent.centre.verify_log().await.unwrap();
    }
}

/// The text with another character at this place, if one begins and ends there.
fn altered(text: &str, at: usize) -> Option<String> {
    let (before, rest) = (text.get(..at)?, text.get(at..)?);
    let after = rest.get(1..)?;
    let with = if rest.starts_with('0') { '1' } else { '0' };
    Some(format!("{before}{with}{after}"))
}
