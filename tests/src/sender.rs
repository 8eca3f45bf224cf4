//! The `sekisho` command as a real process, and what can be seen of it from outside.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
};

use lab::{program::Process, site::SenderSite};
use protocol::{cause::Cause, entry::Entry, moment::Moment, transfer_id::TransferId};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::process::Command;

use crate::{centre::program, patience::patiently};

/// A running `sekisho send`. Dropped, it is killed; if the test fails, what it said is printed.
pub struct Sending {
    /// Its process.
    pub process: Process,
}

/// What `sekisho status --json` says of a transfer.
#[derive(Clone, Debug, Deserialize)]
pub struct Told {
    /// Its name.
    #[serde(rename = "transfer")]
    pub id: TransferId,
    /// Where it stands.
    pub phase: String,
    /// Why it stopped, if it did.
    pub cause: Option<Cause>,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// All evidence, once it arrived.
    pub bundle: Option<PathBuf>,
}

/// One attempt.
#[derive(Clone, Debug, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// First byte it was to bring.
    pub offset: u64,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Why it ended early.
    pub cause: Option<Cause>,
}

impl Sending {
    /// Begins to send a file.
    pub fn start(site: &SenderSite, file: &Path) -> Self {
        Sending::start_by(site, file, |program: &Path| Command::new(program))
    }

    /// As [`Sending::start`], by a command that is made of the program's path.
    pub fn start_by(site: &SenderSite, file: &Path, command: impl FnOnce(&Path) -> Command) -> Self {
        let mut command = command(&program("sekisho"));
        command.args(["send", "--settings"]).arg(&site.settings).arg(file);
        Sending { process: Process::spawn(command).unwrap() }
    }

    /// Waits until it ends.
    pub async fn ended(&mut self) -> ExitStatus {
        patiently("the end of `sekisho send`", self.process.ended()).await.unwrap()
    }

    /// Waits for a line that holds all of these words.
    pub async fn says(&self, words: &[&str]) -> String {
        let found = |line: &str| words.iter().all(|word| line.contains(word)).then(|| line.to_owned());
        let line = patiently(&format!("{words:?} of `sekisho send`"), self.process.err.wait_for(found)).await;
        line.unwrap_or_else(|| panic!("it ended without a line of {words:?}"))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the sender's words\n{}\n{}", self.process.out.text(), self.process.err.text());
        }
    }
}

/// Every transfer that this sender knows of, whether it is at work or not.
pub async fn status(site: &SenderSite) -> Vec<Told> {
    #[derive(Deserialize)]
    struct Status {
        transfers: Vec<Told>,
    }
    let settings = site.settings.to_str().unwrap();
    run::<Status>(&["status", "--json", "--settings", settings]).await.1.transfers
}

/// Runs `sekisho` to its end: how it ended, and the JSON object it printed.
pub async fn run<T: DeserializeOwned>(arguments: &[&str]) -> (ExitStatus, T) {
    let mut process = Process::start("sekisho", arguments).unwrap();
    let status = patiently("the end of `sekisho`", process.ended()).await.unwrap();
    let text = process.out.text();
    let object = serde_json::from_str(&text);
    (status, object.unwrap_or_else(|error| panic!("{error}: {text}\n{}", process.err.text())))
}

/// Every entry of its log.
pub fn entries(site: &SenderSite) -> Vec<Entry> {
    let text = std::fs::read_to_string(site.data.join("log/entries.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
