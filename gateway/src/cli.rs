//! The `sekisho-gateway` command: what can be asked of it, and how it ends.

use std::{
    future::Future,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Parser, Subcommand};
use config::{GatewayConfig, gateway::LogFormat};
use pki::clock;
use protocol::checkpoint::LogSigner as _;
use serde_json::json;
use storage::{
    audit::{AuditFault, AuditLog as _},
    spool::SpoolFault,
    sqlite::SqliteAudit,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::chain,
    check_lists,
    check_peer::{self, PeerQuestion},
    confine::{self, ConfineFault},
    in_force::InForce,
    limits::{BLOCKING_THREADS_SPARE, CLOSE_GRACE},
    listener::refusal_observer,
    log, log_key,
    operate::{Operation, exit_code, operate},
    run::{RunFault, Stopped, run},
    spool_key::{self, SpoolKeyFault},
    start::{LEDGER_FILE, StartFault, may_start},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done; for `run`: stopped, every running transfer finished
  1  failed while running
  2  wrong use, or mistakes in the configuration
  3  a certificate, key, anchor, revocation list or the spool cannot be used
  4  stopped; some transfers were ended at drain_max and can be resumed
  5  the ledger's state is unknown: look at the disk, then start again
  6  the log or the evidence in the ledger is not what was written
  7  for `check --peer`: this certificate would not be let in";

/// The gateway at the border between the line and an agency's systems.
#[derive(Parser)]
#[command(name = "sekisho-gateway", version, after_help = EXIT_CODES)]
pub struct Command {
    #[command(flatten)]
    configured: Configured,
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Receive transfers until SIGTERM or Ctrl-C; then let running ones finish.
    Run,
    /// Check the configuration and everything it names, without listening or writing; or whether a peer would be let in.
    Check(PeerQuestion),
    /// Ask the running gateway for something.
    #[command(flatten)]
    Operate(Operation),
    /// The centre's log.
    #[command(subcommand)]
    Audit(Audit),
    /// The spool, which keeps content until it is handed over.
    #[command(subcommand)]
    Spool(Spool),
}

#[derive(Subcommand)]
enum Spool {
    /// Make a key that seals content, in a new file that only its owner may read. Name it as `spool.key`, and keep a copy where
    /// no copy of the spool is: without it nothing that is on its way can be read.
    NewKey {
        /// The file.
        file: PathBuf,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// Read the whole log and the evidence it speaks of, and compute everything afresh. The gateway may be running.
    Verify {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the entries of the log, one JSON object on each line.
    Entries,
}

#[derive(clap::Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", default_value = "/etc/sekisho/gateway.toml")]
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
            StartFault::Root => Failure::Configuration(text),
            StartFault::Material(_)
            | StartFault::SpoolKey(_)
            | StartFault::Spool(SpoolFault::Unusable { .. }) => Failure::Material(text),
            _ => Failure::Failed(text),
        }
    }
}

impl From<ConfineFault> for Failure {
    fn from(fault: ConfineFault) -> Self {
        let text = chain(&fault);
        match fault {
            ConfineFault::TooLittle(_) => Failure::Configuration(text),
            _ => Failure::Failed(text),
        }
    }
}

/// Does what the command line asks for.
pub fn execute(command: Command) -> ExitCode {
    match perform(command) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("sekisho-gateway: {}", failure.text());
            ExitCode::from(failure.code())
        }
    }
}

fn perform(command: Command) -> Result<ExitCode, Failure> {
    let configured = command.configured;
    match command.task {
        Task::Run => {
            let config = prepare(&configured)?;
            // Each running attempt writes on a thread that may block.
            let attempts = config.limits.transfers_max as usize;
            in_runtime(attempts, run_until_told(config, &configured.config))
        }
        Task::Check(question) => check(&configured, &question),
        Task::Operate(operation) => in_runtime(0, ask_running(&configured, operation)),
        Task::Audit(Audit::Verify { json }) => in_runtime(0, verify_audit(configured.load()?, json)),
        Task::Audit(Audit::Entries) => in_runtime(0, print_entries(configured.load()?)),
        Task::Spool(Spool::NewKey { file }) => make_spool_key(&file),
    }
}

fn make_spool_key(file: &Path) -> Result<ExitCode, Failure> {
    let name = spool_key::create(file).map_err(|fault| Failure::Failed(chain(&fault)))?;
    println!("○ {} holds a new key; its name, which is no secret, is {name}", file.display());
    Ok(ExitCode::SUCCESS)
}

/// What must be done while the process has one thread: every other one is confined as this one is.
fn prepare(configured: &Configured) -> Result<GatewayConfig, Failure> {
    let config = configured.load()?;
    log::begin(&config.log);
    let whom_to_call = |failure: Failure| failure.with_contact(&config.contact);
    may_start(&config).map_err(|fault| whom_to_call(fault.into()))?;
    confine::confine(&config).map_err(|fault| whom_to_call(fault.into()))?;
    confine::tell();
    Ok(config)
}

fn in_runtime(
    attempts: usize,
    task: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(attempts + BLOCKING_THREADS_SPARE)
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(task);
    // A thread that waits for a disk which does not answer must not keep the process.
    runtime.shutdown_timeout(CLOSE_GRACE);
    outcome
}

async fn ask_running(configured: &Configured, operation: Operation) -> Result<ExitCode, Failure> {
    match operate(&configured.data_directory()?, operation).await {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(fault) => {
            eprintln!("sekisho-gateway: {}", chain(&fault));
            Ok(ExitCode::from(exit_code(&fault)))
        }
    }
}

impl Configured {
    /// Where a running gateway is asked; mistakes elsewhere in the file do not matter for that.
    fn data_directory(&self) -> Result<PathBuf, Failure> {
        GatewayConfig::load_data_directory(&self.config)
            .map_err(|mistakes| Failure::Configuration(mistakes.to_string()))
    }

    fn load(&self) -> Result<GatewayConfig, Failure> {
        GatewayConfig::load(&self.config).map_err(|mistakes| Failure::Configuration(mistakes.to_string()))
    }
}

async fn run_until_told(config: GatewayConfig, file: &Path) -> Result<ExitCode, Failure> {
    let human = config.log.format == LogFormat::Human;
    let contact = config.contact.clone();
    let (stop, hangup) = (CancellationToken::new(), Arc::new(Notify::new()));
    let told = {
        let (stop, hangup) = (stop.clone(), Arc::clone(&hangup));
        let no_signal =
            |error: std::io::Error| Failure::Failed(format!("signals cannot be received: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(no_signal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(no_signal)?;
        let mut reload = signal(SignalKind::hangup()).map_err(no_signal)?;
        tokio::spawn(async move {
            loop {
                // Each may be dropped: to stop, one signal is enough, and of several to reload one counts.
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = reload.recv() => hangup.notify_one(),
                }
            }
            stop.cancel();
        })
    };
    let outcome = run(config, file, stop, hangup, |address| {
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

fn check(configured: &Configured, question: &PeerQuestion) -> Result<ExitCode, Failure> {
    let config = configured.load()?;
    if let Some(peer) = &question.peer {
        let in_force = InForce::build(config, refusal_observer(), 0).map_err(StartFault::from)?;
        let answer = check_peer::answer(&in_force, peer, question)
            .map_err(|fault| Failure::Material(chain(&fault)))?;
        if question.json {
            println!("{}", answer.json);
        } else {
            print!("{}", answer.text);
        }
        return Ok(if answer.let_in { ExitCode::SUCCESS } else { ExitCode::from(7) });
    }
    println!("○ configuration: {}", configured.config.display());
    let in_force = InForce::build(config.clone(), refusal_observer(), 0).map_err(StartFault::from)?;
    let now = clock::now();
    let lists = check_lists::look(&in_force, now);
    let of_lists = if lists.lacking.is_empty() { ", anchors and revocation lists" } else { " and anchors" };
    println!("○ certificates, keys{of_lists}");
    print!("{}", lists.text);
    for (section, ends) in in_force.ends() {
        let days = ends.ms_since(now) / 86_400_000;
        println!("  the certificate under [{section}] ends {ends}, in {days} days");
    }
    match spool_key::load(&config.spool.seal) {
        Ok(Some(key)) => println!("○ the key of the spool: {}", key.name()),
        Ok(None) => {}
        Err(SpoolKeyFault::NoCredentials { name }) => {
            println!(
                "  the key of the spool is the credential {name}, which only the service is given: not looked at"
            );
        }
        Err(fault) => return Err(StartFault::from(fault).into()),
    }
    if !lists.lacking.is_empty() {
        return Err(Failure::Material(format!(
            "whoever needs one of these revocation lists is kept out: {}; next: bring or fetch the newest",
            lists.lacking.join(", ")
        )));
    }
    println!("○ everything that can be checked without listening");
    Ok(ExitCode::SUCCESS)
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
