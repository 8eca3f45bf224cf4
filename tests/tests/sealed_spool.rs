//! What lies in the spool is sealed: altered, it goes no further, and without its key nothing begins.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]
#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use lab::program::Process;
use protocol::{limits::PIECE_BYTES, transfer_id::TransferKey};
use storage::spool::SMALL_CONTENT_MAX;
use tests::{
    centre::{Centre, spooled},
    lab::TestLab,
    patience::patiently,
    setting::Setting,
    wire::{Ending, Engine, send_head},
};
use tokio::process::Command;

const PIECE: usize = PIECE_BYTES as usize;

/// Bytes of three pieces and a rest.
const LARGE: u64 = 3 * PIECE_BYTES + 100_000;

/// A file of three pieces and a rest, of which two pieces came before the line was lost.
async fn cut() -> (Setting, TransferKey) {
    cut_in(Setting::new(LARGE, &[]).await, Engine::Hyper).await
}

/// As [`cut`], in a setting that is there, by this engine.
async fn cut_in(setting: Setting, engine: Engine) -> (Setting, TransferKey) {
    let (key, line) = setting.begun(engine, 2 * PIECE + 5).await;
    line.end(Ending::Fin, 0).await;
    setting.centre.logs(&["attempt aborted", &key.to_string()]).await;
    assert_eq!(setting.caller.state(&key).await.offset, 2 * PIECE_BYTES);
    (setting, key)
}

/// The file of its content, in whichever directory of the spool.
fn file_of(setting: &Setting, key: &TransferKey) -> PathBuf {
    let stem = key.file_stem();
    spooled(&setting.centre.site).into_iter().find(|file| file.ends_with(&stem)).unwrap()
}

/// What lies in the spool of a content that was cut does not show any of its lines.
fn assert_sealed(setting: &Setting, key: &TransferKey) {
    let kept = fs::read(file_of(setting, key)).unwrap();
    assert!(kept.len() > 2 * PIECE, "there is something to look at");
    for line in setting.content.split(|byte| *byte == b'\n').filter(|line| line.len() > 20).step_by(500) {
        assert!(!kept.windows(line.len()).any(|window| window == line));
    }
}

/// Is it one that holds small content?
fn is_segment(file: &Path) -> bool {
    file.parent().is_some_and(|directory| directory.ends_with("segments"))
}

/// Alters one byte in the middle of the content.
fn flip(file: &PathBuf) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn no_content_stands_in_the_spool_as_it_came() {
    let (setting, key) = cut().await;
    assert_sealed(&setting, &key);
}

#[tokio::test]
async fn by_a_key_that_is_a_credential_of_systemd_content_is_sealed_and_arrives() {
    let lab = TestLab::new();
    let site = lab.sites.centre("centre", &[]).unwrap();
    let text = fs::read_to_string(&site.config).unwrap();
    let by_credential = text.replace("key = \"spool.key\"", "credential = \"the-spool\"");
    assert_ne!(text, by_credential);
    fs::write(&site.config, by_credential).unwrap();
    let credentials = lab.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    fs::rename(site.directory.join("spool.key"), credentials.join("the-spool")).unwrap();
    let centre = Centre::start_by(site, |program| {
        let mut command = Command::new(program);
        command.env("CREDENTIALS_DIRECTORY", &credentials);
        command
    });
    let (setting, key) = cut_in(Setting::with(lab, centre.await, LARGE), Engine::Bulk).await;
    assert_sealed(&setting, &key);
    let (come, rest) = setting.content.split_at(2 * PIECE);
    let mut line = setting.caller.with(Engine::Bulk).line().await;
    line.write(&send_head(&key, come.len() as u64, rest.len() as u64)).await;
    line.ask(rest).await.receipt();
    assert!(setting.centre.delivered(&key).await.content == setting.content);
}

#[tokio::test]
async fn a_prefix_that_was_altered_is_not_gone_on_from() {
    Engine::each(async |engine| {
        let (setting, key) = cut_in(Setting::new(LARGE, &[]).await, engine).await;
        flip(&file_of(&setting, &key));
        let mut line = setting.caller.with(engine).line().await;
        let rest = setting.content.len() - 2 * PIECE;
        line.write(&send_head(&key, 2 * PIECE_BYTES, rest as u64)).await;
        let answer = line.answer().await.expect("it is told that this leads nowhere");
        assert!(answer.status >= 500, "{engine:?}: {}", answer.text());
        setting.centre.logs(&["is damaged", "not what was sealed there"]).await;
        // The next attempt begins anew, and the file arrives.
        assert_eq!(setting.caller.state(&key).await.offset, 0);
        setting.caller.with(engine).send(&key, &setting.content).await.receipt();
        assert!(setting.centre.delivered(&key).await.content == setting.content);
    })
    .await;
}

#[tokio::test]
async fn content_that_was_altered_is_not_delivered() {
    altered_and_restored(300_000, "not what was sealed there").await;
}

#[tokio::test]
async fn small_content_that_was_altered_is_not_delivered() {
    altered_and_restored(200_000, "not what was stored there").await;
}

async fn altered_and_restored(length: u64, said: &str) {
    let mut setting = Setting::new(length, &[]).await;
    let key = setting.offered().await;
    // Nothing can be delivered for a while.
    let incoming = setting.centre.site.directory.join("inbox/.incoming");
    fs::remove_dir(&incoming).unwrap();
    fs::write(&incoming, b"in the way").unwrap();
    setting.caller.send(&key, &setting.content).await.receipt();
    setting.centre.logs(&["not delivered yet"]).await;
    let segment = || spooled(&setting.centre.site).into_iter().find(|file| is_segment(file)).unwrap();
    let file = if length > SMALL_CONTENT_MAX { file_of(&setting, &key) } else { segment() };
    flip(&file);
    fs::remove_file(&incoming).unwrap();

    setting.centre = setting.centre.again_after_kill().await;
    setting.centre.logs(&["not delivered yet", "is damaged", said]).await;
    assert_eq!(setting.centre.inbox(), []);
    assert_eq!(setting.centre.status().await.undelivered, 1);
    // Restored, it is.
    flip(&file);
    setting.centre = setting.centre.again_after_kill().await;
    assert!(setting.centre.delivered(&key).await.content == setting.content);
}

#[tokio::test]
async fn with_another_key_it_does_not_start_and_names_both() {
    let (mut setting, key) = cut().await;
    assert!(setting.centre.stop().await.success());
    let site = setting.centre.site.clone();
    let (file, aside) = (site.directory.join("spool.key"), site.directory.join("spool.key.old"));
    fs::rename(&file, &aside).unwrap();
    let other = gateway::spool_key::create(&file).unwrap();
    // Whoever is sent back to an older version must find a ledger that it can read.
    let (ledger, ledger_aside) =
        (site.directory.join("data/ledger.sqlite"), site.directory.join("ledger.aside"));
    fs::rename(&ledger, &ledger_aside).unwrap();
    let config = site.config.to_str().unwrap();
    let mut process = Process::start("sekisho-gateway", ["run", "--config", config]).unwrap();
    let ended = patiently("the end of a centre without its key", process.ended()).await.unwrap();
    let said = process.err.text();
    assert_eq!(ended.code(), Some(3), "{said}");
    assert!(!ledger.exists(), "the ledger is opened last");
    assert!(said.contains("what it holds is sealed by key") && said.contains(&other), "{said}");

    fs::rename(&aside, &file).unwrap();
    fs::rename(&ledger_aside, &ledger).unwrap();
    let centre = Centre::start(site).await;
    let caller = setting.caller.at(centre.address);
    assert_eq!(caller.state(&key).await.offset, 2 * PIECE_BYTES, "nothing was lost");
}
