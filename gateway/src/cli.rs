//! The `sekisho-gateway` command: what can be asked of it, and how it ends.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use config::{GatewayConfig, gateway::LogFormat};
use pki::clock;
use protocol::checkpoint::LogSigner as _;
use serde_json::json;
use storage::{
    audit::{AuditFault, AuditLog as _},
    sqlite::SqliteAudit,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{Status, ask_status},
    chain::chain,
    limits::{BLOCKING_THREADS_SPARE, CLOSE_GRACE},
    log, log_key,
    run::{RunFault, Stopped, run},
    start::{LEDGER_FILE, Material, StartFault},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `run`: stopped, every running transfer finished
  1  failed while running
  2  wrong use, or mistakes in the configuration
  3  a certificate, key, anchor or revocation list cannot be used
  4  stopped; some transfers were ended at drain_max and can be resumed
  5  the ledger's state is unknown: look at the disk, then start again
  6  the log or the evidence in the ledger is not what was written";

/// The gateway at the border between the line and an agency's systems.
#[derive(Parser)]
#[command(name = "sekisho-gateway", version, after_help = EXIT_CODES)]
pub struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Receive transfers until SIGTERM or Ctrl-C; then let running ones finish.
    Run(Configured),
    /// Check the configuration and everything it names, without listening or writing.
    Check(Configured),
    /// Show what the running gateway is doing.
    Status {
        #[command(flatten)]
        configured: Configured,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// The centre's log.
    #[command(subcommand)]
    Audit(Audit),
}

#[derive(Subcommand)]
enum Audit {
    /// Read the whole log and the evidence it speaks of, and compute everything afresh. The gateway may be running.
    Verify {
        #[command(flatten)]
        configured: Configured,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the entries of the log, one JSON object on each line.
    Entries(Configured),
}

#[derive(clap::Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/sekisho/gateway.toml")]
    config: PathBuf,
}

/// Why a command failed, by exit code.
enum Failure {
    Failed(String),
    Configuration(String),
    Material(String),
    Broken(String),
    Altered(String),
}

impl Failure {
    fn text(&self) -> &str {
        match self {
            Failure::Failed(text)
            | Failure::Configuration(text)
            | Failure::Material(text)
            | Failure::Broken(text)
            | Failure::Altered(text) => text,
        }
    }

    fn code(&self) -> u8 {
        match self {
            Failure::Failed(_) => 1,
            Failure::Configuration(_) => 2,
            Failure::Material(_) => 3,
            Failure::Broken(_) => 5,
            Failure::Altered(_) => 6,
        }
    }
}

impl From<StartFault> for Failure {
    fn from(fault: StartFault) -> Self {
        let text = chain(&fault);
        match fault {
            StartFault::Unsealed => Failure::Configuration(text),
            StartFault::Credential(_)
            | StartFault::Trust { .. }
            | StartFault::Tls(_)
            | StartFault::Evidence(_)
            | StartFault::NotOurs { .. } => Failure::Material(text),
            _ => Failure::Failed(text),
        }
    }
}

/// Does what the command line asks for.
pub fn execute(command: Command) -> ExitCode {
    match prepare(command.task).and_then(|(task, threads)| in_runtime(task, threads)) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("sekisho-gateway: {}", failure.text());
            ExitCode::from(failure.code())
        }
    }
}

/// Reads the configuration where that decides how many threads may block: each running attempt writes on one.
fn prepare(task: Task) -> Result<(Task, usize), Failure> {
    let attempts = match &task {
        Task::Run(configured) => configured.load()?.limits.transfers_max as usize,
        _ => 0,
    };
    Ok((task, attempts + BLOCKING_THREADS_SPARE))
}

fn in_runtime(task: Task, blocking_threads: usize) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(blocking_threads)
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(perform(task));
    // A thread that waits for a disk which does not answer must not keep the process.
    runtime.shutdown_timeout(CLOSE_GRACE);
    outcome
}

async fn perform(task: Task) -> Result<ExitCode, Failure> {
    match task {
        Task::Run(configured) => run_until_told(configured.load()?).await,
        Task::Check(configured) => check(&configured),
        Task::Status { configured, json } => show_status(configured.load()?, json).await,
        Task::Audit(Audit::Verify { configured, json }) => verify_audit(configured.load()?, json).await,
        Task::Audit(Audit::Entries(configured)) => print_entries(configured.load()?).await,
    }
}

impl Configured {
    fn load(&self) -> Result<GatewayConfig, Failure> {
        GatewayConfig::load(&self.config).map_err(|mistakes| Failure::Configuration(mistakes.to_string()))
    }
}

async fn run_until_told(config: GatewayConfig) -> Result<ExitCode, Failure> {
    log::begin(&config.log);
    let human = config.log.format == LogFormat::Human;
    let contact = config.contact.clone();
    let stop = CancellationToken::new();
    let told = {
        let stop = stop.clone();
        let no_signal =
            |error: std::io::Error| Failure::Failed(format!("signals cannot be received: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
        tokio::spawn(async move {
            // Either may be dropped: one signal is enough, and further ones change nothing.
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            stop.cancel();
        })
    };
    let outcome = run(config, stop, |address| {
        if human {
            println!("listening on {address}");
        } else {
            println!("{}", json!({ "listening": address }));
        }
    })
    .await;
    told.abort();
    match outcome {
        Ok(Stopped::Drained) => Ok(ExitCode::SUCCESS),
        Ok(Stopped::Forced) => Ok(ExitCode::from(4)),
        Err(RunFault::Start(fault)) => Err(Failure::from(fault).with_contact(&contact)),
        Err(fault @ RunFault::Broken) => Err(Failure::Broken(chain(&fault)).with_contact(&contact)),
        Err(fault) => Err(Failure::Failed(chain(&fault)).with_contact(&contact)),
    }
}

impl Failure {
    fn with_contact(self, contact: &config::shared::Contact) -> Self {
        let text = format!("{}\n  whom to call: {contact}", self.text());
        match self {
            Failure::Failed(_) => Failure::Failed(text),
            Failure::Configuration(_) => Failure::Configuration(text),
            Failure::Material(_) => Failure::Material(text),
            Failure::Broken(_) => Failure::Broken(text),
            Failure::Altered(_) => Failure::Altered(text),
        }
    }
}

fn check(configured: &Configured) -> Result<ExitCode, Failure> {
    let config = configured.load()?;
    println!("○ configuration: {}", configured.config.display());
    let material = Material::load(&config)?;
    println!("○ certificates, keys, anchors and revocation lists");
    let now = clock::now();
    for (what, ends) in material.ends() {
        let days = ends.ms_since(now) / 86_400_000;
        println!("  {what} ends {ends}, in {days} days");
    }
    if config.environment == protocol::party::Environment::Production {
        return Err(StartFault::Unsealed.into());
    }
    println!("○ everything that can be checked without listening");
    Ok(ExitCode::SUCCESS)
}

async fn show_status(config: GatewayConfig, as_json: bool) -> Result<ExitCode, Failure> {
    let status = ask_status(&config.storage.data).await.map_err(|error| {
        Failure::Failed(format!(
            "no gateway answers in {}: {error}; next: start it with `sekisho-gateway run`",
            config.storage.data.display()
        ))
    })?;
    if as_json {
        println!("{}", json!(status));
    } else {
        print_status(&status);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_status(status: &Status) {
    println!("takes new work     {}", if status.accepting { "yes" } else { "no, it is being stopped" });
    if status.storage_failed {
        println!(
            "storage            FAILED: nothing is accepted; look at the disk, then start the gateway again"
        );
    }
    println!("attempts running   {}", status.attempts_running);
    for (phase, count) in status.transfers.iter().filter(|(_, count)| **count > 0) {
        println!("{phase:<18} {count}");
    }
    println!("not yet delivered  {}", status.undelivered);
    println!("not acknowledged   {}", status.unacknowledged);
    println!("log entries        {}", status.log_entries);
    for (reason, count) in &status.turned_down {
        println!("turned down        {count} × {reason}");
    }
}

async fn open_log(config: &GatewayConfig) -> Result<SqliteAudit, Failure> {
    let data = &config.storage.data;
    let key = log_key::load(data).map_err(|fault| Failure::Failed(chain(&fault)))?;
    SqliteAudit::open(&data.join(LEDGER_FILE), key.log().clone())
        .await
        .map_err(|fault| Failure::Failed(chain(&fault)))
}

fn unverified(fault: AuditFault) -> Failure {
    match fault {
        AuditFault::Damaged { .. } => Failure::Altered(chain(&fault)),
        _ => Failure::Failed(chain(&fault)),
    }
}

async fn verify_audit(config: GatewayConfig, as_json: bool) -> Result<ExitCode, Failure> {
    let log = open_log(&config).await?;
    let report = log.verify(&|_, _| ()).await.map_err(unverified)?;
    if as_json {
        let root = report.root.to_string();
        println!(
            "{}",
            json!({ "verified": true, "entries": report.entries, "statements": report.statements, "root": root })
        );
    } else {
        println!(
            "○ {} entries and the {} signed statements they speak of are as they were written",
            report.entries, report.statements
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn print_entries(config: GatewayConfig) -> Result<ExitCode, Failure> {
    let log = open_log(&config).await?;
    let size = log.head().await.map_err(unverified)?.checkpoint.size;
    for index in 0..size {
        if let Some(entry) = log.entry(index).await.map_err(unverified)? {
            println!("{entry}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
