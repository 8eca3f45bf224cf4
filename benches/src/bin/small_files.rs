//! Where does a small transfer spend its time?
//!
//! Files of 16 KiB from 64 senders to the receipt, at one centre whose ledger has a past of so many transfers, and what
//! each costs the centre. A program that looks into processes, such as `perf record` or `strace -c -f`, can be given
//! with `--look`; it is started once the first round has warmed the centre, with the centre's process number as its last word.
//! Run with `cargo build --release --bins && cargo run --release -p benches --bin small_files -- --help`.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::Context as _;
use benches::{
    line,
    load::tls::Suite,
    peers::{
        durable::{Load, SMALL},
        kit::{Kit, Scale},
        order::unpinned,
        past,
        product::{Product, Purpose, Running},
    },
    server::{files_as_many_as_allowed, free_address},
};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

#[derive(Parser)]
#[command(about = "Where a small transfer spends its time")]
struct Arguments {
    /// Transfers that stand in the ledger before.
    #[arg(long, default_value_t = 0)]
    past: u32,
    /// Rounds, after one that warms the centre and does not count.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// A command that looks at the centre meanwhile, such as "perf record -g -o perf.data -p".
    #[arg(long)]
    look: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    files_as_many_as_allowed()?;
    let directory = tempfile::tempdir()?;
    unpinned(async || measure(&arguments, directory.path()).await)
}

async fn measure(arguments: &Arguments, directory: &Path) -> anyhow::Result<()> {
    let scale = Scale { past_transfers: arguments.past, ..Scale::QUICK };
    let kit = Kit::new(directory, scale, None)?;
    let purpose = Purpose { pinned: false, backend: free_address().await?, streams: false };
    let mut running = Running::start(Product::Sekisho, &kit, "small", purpose).await?;
    if arguments.past > 0 {
        running = past::give(&kit, running, purpose).await?;
    }
    let ledger = running.site.as_ref().context("a site of ours")?.data.join(gateway::start::LEDGER_FILE);
    let size = fs::metadata(&ledger)?.size();
    let mut load = Load::new(&kit, Suite::Aes256, SMALL)?;
    load.run(&running).await?;
    let looking = arguments.look.as_deref().map(|command| look(command, running.server.id())).transpose()?;
    let mut costs = Vec::with_capacity(arguments.rounds);
    for _ in 0..arguments.rounds {
        costs.push(load.run(&running).await?);
    }
    if let Some(looking) = looking {
        end(looking).await?;
    }
    running.server.stop().await?;
    let files = (arguments.rounds + 1) * SMALL.senders * SMALL.files as usize;
    let grown = fs::metadata(&ledger)?.size().saturating_sub(if arguments.past > 0 { size } else { 0 });
    println!("{} past transfers, {} rounds; median (least-most)", arguments.past, arguments.rounds);
    line("CPU of each file to its receipt, µs", costs.iter().map(|cost| cost.cpu_us_per_file()));
    line("CPU of each file with delivery, µs", costs.iter().map(|cost| cost.delivered_us_per_file()));
    line("files to their receipt, /s", costs.iter().map(|cost| cost.files_per_s()));
    if let Some(each) = size.checked_div(u64::from(arguments.past)) {
        println!("ledger, bytes for each past transfer: {each}");
    }
    println!("ledger, bytes for each file now: {}", grown / files as u64);
    Ok(())
}

/// Starts it on this process.
fn look(command: &str, process: u32) -> anyhow::Result<Child> {
    let mut words = command.split_whitespace();
    let program = words.next().context("a command to look with")?;
    let mut command = Command::new(program);
    command.args(words).arg(process.to_string()).kill_on_drop(true);
    command.spawn().with_context(|| format!("{program} cannot be started"))
}

/// Lets it write what it saw.
async fn end(mut looking: Child) -> anyhow::Result<()> {
    if let Some(id) = looking.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(id, Signal::INT)?;
    }
    looking.wait().await?;
    Ok(())
}
