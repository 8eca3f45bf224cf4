//! A centre as a real process, and what can be seen of it from outside.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use gateway::{admin::Status, log_key, start::LEDGER_FILE};
use lab::{program::Process, site::CentreSite};
use protocol::{checkpoint::LogSigner as _, entry::Entry, transfer_id::TransferKey};
use storage::{
    audit::{AuditFault, AuditLog as _, AuditReport},
    sqlite::SqliteAudit,
};
use tokio::process::Command;

use crate::patience::patiently;

/// Between two looks at what a centre says of itself.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// A centre. Dropped, it is killed; if the test fails, its log is printed.
pub struct Centre {
    /// Its directories.
    pub site: CentreSite,
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A transfer in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Its directory.
    pub directory: PathBuf,
    /// The file.
    pub content: Vec<u8>,
    /// The receipt's exact text.
    pub receipt: String,
}

impl Centre {
    /// Starts one and waits until it listens.
    pub async fn start(site: CentreSite) -> Self {
        Centre::start_by(site, |program: &Path| Command::new(program)).await
    }

    /// As [`Centre::start`], by a command that is made of the program's path: with an environment of its own, or by
    /// way of another program.
    pub async fn start_by(site: CentreSite, command: impl FnOnce(&Path) -> Command) -> Self {
        let mut command = command(&program("sekisho-gateway"));
        command.args(["run", "--config"]).arg(&site.config);
        let process = Process::spawn(command).unwrap();
        let address = patiently("a centre that listens", process.says("where it listens", listening)).await;
        let address = address.unwrap_or_else(|fault| panic!("{fault}"));
        Centre { site, process, address }
    }

    /// Kills it (SIGKILL).
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Tells it to stop (SIGTERM) and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        self.process.terminate().await.unwrap();
        self.process.ended().await.unwrap()
    }

    /// Starts another process on the same data; the old one must have ended. It listens elsewhere.
    pub async fn again(self) -> Self {
        let site = self.site.clone();
        drop(self);
        Centre::start(site).await
    }

    /// Waits for a line of its log that holds all of these words.
    pub async fn logs(&self, words: &[&str]) -> String {
        let found = |line: &str| words.iter().all(|word| line.contains(word)).then(|| line.to_owned());
        let line = patiently(&format!("a line of {words:?}"), self.process.err.wait_for(found)).await;
        line.unwrap_or_else(|| panic!("it ended without a line of {words:?}"))
    }

    /// Kills it and starts another process on the same data.
    pub async fn again_after_kill(mut self) -> Self {
        self.kill().await;
        self.again().await
    }

    /// What it says of itself.
    pub async fn status(&self) -> Status {
        gateway::ask_admin::ask_status(&self.site.data).await.unwrap()
    }

    /// Waits until this holds of what it says of itself.
    pub async fn until(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        // Asked again and again, but not so often that the centre has no time for anything else.
        let mut pause = tokio::time::interval(ASK_EVERY);
        let asking = async {
            loop {
                pause.tick().await;
                let status = self.status().await;
                if condition(&status) {
                    return status;
                }
            }
        };
        patiently(what, asking).await
    }

    /// Computes its whole log afresh.
    pub async fn verify_log(&self) -> Result<AuditReport, AuditFault> {
        let log = open_log(&self.site).await;
        let report = log.verify(&|_, _| ()).await;
        log.close().await;
        report
    }

    /// Every entry of its log.
    pub async fn entries(&self) -> Vec<Entry> {
        entries(&self.site).await
    }

    /// The transfers in its inbox, oldest first. Whatever else lies there is a failure.
    pub fn inbox(&self) -> Vec<Delivered> {
        inbox(&self.site)
    }

    /// Waits until this transfer is delivered, and reads what was.
    pub async fn delivered(&self, key: &TransferKey) -> Delivered {
        self.logs(&["delivered", &key.to_string()]).await;
        let stem = key.file_stem();
        let own = |delivered: &Delivered| delivered.directory.ends_with(&stem);
        self.inbox().into_iter().find(own).unwrap_or_else(|| panic!("{key} is not in the inbox"))
    }

    /// Kilobytes of memory: (now, at most so far).
    pub fn memory_kib(&self) -> (u64, u64) {
        let id = self.process.id().expect("the centre runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("the field is there");
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        (field("VmRSS:"), field("VmHWM:"))
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the centre's log\n{}", self.process.err.text());
        }
    }
}

/// A program of the workspace.
pub fn program(name: &str) -> PathBuf {
    lab::program::beside_own(name).unwrap_or_else(|fault| panic!("{fault}"))
}

/// Every entry of a centre's log, whether it runs or not.
pub async fn entries(site: &CentreSite) -> Vec<Entry> {
    let log = open_log(site).await;
    let size = log.head().await.unwrap().checkpoint.size;
    let mut entries = Vec::new();
    for index in 0..size {
        let text = log.entry(index).await.unwrap().expect("an entry below the head");
        entries.push(serde_json::from_str(&text).unwrap());
    }
    log.close().await;
    entries
}

async fn open_log(site: &CentreSite) -> SqliteAudit {
    let key = log_key::load(&site.data).unwrap();
    SqliteAudit::open(&site.data.join(LEDGER_FILE), key.log().clone()).await.unwrap()
}

/// The transfers in a centre's inbox.
pub fn inbox(site: &CentreSite) -> Vec<Delivered> {
    let Ok(listed) = std::fs::read_dir(&site.inbox) else { return Vec::new() };
    let mut directories: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    let read = |directory: PathBuf| Delivered {
        content: std::fs::read(directory.join("content")).unwrap(),
        receipt: std::fs::read_to_string(directory.join("receipt.jws")).unwrap(),
        directory,
    };
    directories.into_iter().map(read).collect()
}

/// Files in a centre's spool, at any depth.
pub fn spooled(site: &CentreSite) -> Vec<PathBuf> {
    files_below(&site.data.join("spool"))
}

/// All files below a directory, at any depth; sockets are none.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(listed) = std::fs::read_dir(directory) else { return files };
    for entry in listed {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files
}

/// `listening on ADDRESS`, or `{"listening":"ADDRESS"}` from a centre that speaks JSON.
fn listening(line: &str) -> Option<SocketAddr> {
    let plain = || line.strip_prefix("listening on ")?.parse().ok();
    let json = || {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line.get("listening")?.as_str()?.parse().ok()
    };
    plain().or_else(json)
}
