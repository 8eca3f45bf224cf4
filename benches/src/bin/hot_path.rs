//! Where does the time of a hot path go?
//!
//! One kind of work at one centre, and what each piece of it costs the centre. A program that looks into processes, such as
//! `perf record` or `strace -c -f`, can be given with `--look`; it is started once the first round has warmed the centre,
//! with the centre's process number as its last word.
//! Run with `cargo build --release --bins && cargo run --release -p benches --bin hot_path -- --help`.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, sync::Arc};

use anyhow::Context as _;
use benches::{
    line,
    load::tls::{Group, Suite},
    peers::{
        backend,
        durable::{LARGE, Load, SMALL},
        handshakes,
        kit::{Kit, Scale},
        order::{pinned, unpinned},
        past,
        product::{Product, Purpose, Running},
        requests, streaming,
    },
    server::{Server, files_as_many_as_allowed},
};
use clap::{Parser, ValueEnum};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio_rustls::rustls::ClientConfig;

#[derive(Parser)]
#[command(about = "Where the time of a hot path goes")]
struct Arguments {
    /// What is done; without any, all of it, one after the other.
    #[arg(value_enum, value_name = "WORK")]
    only: Vec<Work>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Work {
    /// Files of 16 KiB from 64 senders to the receipt and into the inbox.
    SmallFiles,
    /// One file of 1 GiB to the receipt and into the inbox.
    LargeFile,
    /// Full mutual handshakes of a peer that comes again.
    Handshakes,
    /// Requests of 1 KiB on kept connections, passed on by `sekisho/1`.
    Requests,
    /// One body of 1 GiB, passed on by `sekisho/1`.
    Streaming,
    /// Eight bodies of 128 MiB side by side, likewise.
    EightStreams,
}

/// What a round cost, to the last receipt or answer, and with the deliveries behind it.
type Cost = (f64, Option<f64>);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    files_as_many_as_allowed()?;
    let works = Work::value_variants().iter().copied();
    for work in works.filter(|work| arguments.only.is_empty() || arguments.only.contains(work)) {
        let directory = tempfile::tempdir()?;
        match work.is_pinned() {
            true => pinned(async || measure(&arguments, work, directory.path()).await)?,
            false => unpinned(async || measure(&arguments, work, directory.path()).await)?,
        }
    }
    Ok(())
}

async fn measure(arguments: &Arguments, work: Work, directory: &Path) -> anyhow::Result<()> {
    let Arguments { past, rounds, .. } = *arguments;
    let kit = Kit::new(directory, Scale { past_transfers: past, ..Scale::QUICK }, None)?;
    let purpose = Purpose { pinned: work.is_pinned(), backend: backend::start().await?, streams: true };
    let mut running = Running::start(Product::Sekisho, &kit, "hot", purpose).await?;
    let ledger = running.site.as_ref().context("a site of ours")?.data.join(gateway::start::LEDGER_FILE);
    if past > 0 {
        running = past::give(&kit, running, purpose).await?;
        println!("ledger, bytes for each past transfer: {}", fs::metadata(&ledger)?.size() / u64::from(past));
    }
    let mut load = match work {
        Work::LargeFile => Load::new(&kit, Suite::Aes256, LARGE)?,
        _ => Load::new(&kit, Suite::Aes256, SMALL)?,
    };
    one_round(work, &kit, &mut load, &running).await?;
    let looking = arguments.look.as_deref().map(|command| look(command, running.server.id())).transpose()?;
    let mut costs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        costs.push(one_round(work, &kit, &mut load, &running).await?);
    }
    if let Some(looking) = looking {
        end(looking).await?;
    }
    running.server.stop().await?;
    let (many, unit) = work.unit();
    println!("{rounds} rounds of {many}, {past} past transfers; median (least-most)");
    line(&format!("centre's CPU, {unit}"), costs.iter().map(|(cost, _)| *cost));
    line(&format!("… with the delivery, {unit}"), costs.iter().filter_map(|(_, delivered)| *delivered));
    Ok(())
}

async fn one_round(work: Work, kit: &Kit, load: &mut Load, running: &Running) -> anyhow::Result<Cost> {
    let config = kit.client(0, Suite::Aes256, Group::X25519)?;
    let server = &running.server;
    Ok(match work {
        Work::SmallFiles => {
            let cost = load.run(running).await?;
            (cost.cpu_us_per_file(), Some(cost.delivered_us_per_file()))
        }
        Work::LargeFile => {
            let cost = load.run(running).await?;
            (cost.cpu_s_per_gib(), Some(cost.delivered_s_per_gib()))
        }
        Work::Handshakes => (handshakes::cost(&[config], handshakes::HANDSHAKES, server).await?.cpu_us, None),
        Work::Requests => (requests::cost(&config, Product::SekishoBulk, server).await?.cpu_us, None),
        Work::Streaming => (streamed(&streaming::ONE, &config, server).await?, None),
        Work::EightStreams => (streamed(&streaming::EIGHT, &config, server).await?, None),
    })
}

async fn streamed(
    work: &streaming::Work,
    config: &Arc<ClientConfig>,
    server: &Server,
) -> anyhow::Result<f64> {
    let body = work.zeros();
    Ok(streaming::cost(work, &body, config, Product::SekishoBulk, server).await?.cpu_s_per_gib)
}

impl Work {
    /// As the same work is in the comparison with others.
    fn is_pinned(self) -> bool {
        !matches!(self, Work::SmallFiles | Work::LargeFile)
    }

    /// How much is done in a round, and in what its cost is told.
    fn unit(self) -> (String, &'static str) {
        match self {
            Work::SmallFiles => (format!("{} files", SMALL.senders * SMALL.files as usize), "µs a file"),
            Work::LargeFile | Work::Streaming | Work::EightStreams => ("1,024 MiB".to_owned(), "s/GiB"),
            Work::Handshakes => (format!("{} handshakes", handshakes::HANDSHAKES), "µs each"),
            Work::Requests => (requests::in_a_round(), "µs each, of those as many as go through"),
        }
    }
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
