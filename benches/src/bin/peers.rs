//! Sekisho beside nginx, HAProxy, Envoy and stunnel: the same work, the same certificates, the same machine, in turn.
//!
//! `cargo bench-peers` installs what is missing, builds everything in release and runs this; benches/README.md says what
//! each figure means.

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::Context as _;
use benches::{
    load::tls::Suite,
    peers::{
        durable, growth, handshakes, idle,
        kit::{Kit, Scale},
        machine, order, plot, requests, streaming,
    },
    rows::{Row, print, store},
    server::files_as_many_as_allowed,
};
use clap::{Parser, ValueEnum};

#[derive(Parser)]
#[command(about = "Sekisho beside other products, doing the same work")]
struct Arguments {
    /// One cipher suite, two rounds and a shorter past: a look, and no figures to publish.
    #[arg(long)]
    quick: bool,
    /// Rounds of each comparison, instead of the usual number.
    #[arg(long)]
    rounds: Option<usize>,
    /// Where the rows are stored, as a JSON list.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Where the rows with a goal are drawn, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Envoy's program.
    #[arg(long, value_name = "FILE", env = "SEKISHO_ENVOY")]
    envoy: Option<PathBuf>,
    /// Only these, in their usual order.
    #[arg(value_enum, value_name = "SUITE")]
    only: Vec<Which>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    Streaming,
    Requests,
    Handshakes,
    Idle,
    Durable,
    Growth,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    files_as_many_as_allowed()?;
    let directory = tempfile::tempdir()?;
    let mut scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    scale.rounds = arguments.rounds.unwrap_or(scale.rounds).max(1);
    let kit = Kit::new(directory.path(), scale, arguments.envoy.clone())?;
    for (what, how) in machine::describe(&kit) {
        println!("{what:<8} {how}");
    }
    println!("{} rounds; median (least-most); ratio = Sekisho / peer", scale.rounds);
    let (began, mut rows) = (Instant::now(), Vec::new());
    for which in Which::value_variants() {
        if !arguments.only.is_empty() && !arguments.only.contains(which) {
            continue;
        }
        for suite in scale.suites.iter().take(which.suites_max()) {
            let measured = which.measure(&kit, *suite).with_context(|| format!("{which:?}"))?;
            print(&measured);
            rows.extend(measured);
            // Kept as they come: a run takes an hour, and what fails in its last suite must not cost the others.
            if let Some(file) = &arguments.json {
                store(&rows, file)?;
            }
            if let Some(file) = &arguments.plot {
                plot::store(&rows, file)?;
            }
        }
    }
    println!("took {} minutes", began.elapsed().as_secs().div_ceil(60));
    // A goal that is not met is a finding, and no failure of the measurement.
    Ok(ExitCode::SUCCESS)
}

impl Which {
    /// What does not encrypt much is measured with the first suite alone: filling a ledger takes long.
    fn suites_max(self) -> usize {
        if self == Which::Growth { 1 } else { usize::MAX }
    }

    fn measure(self, kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
        match self {
            Which::Streaming => order::pinned(async || streaming::measure(kit, suite).await),
            Which::Requests => order::pinned(async || requests::measure(kit, suite).await),
            Which::Handshakes => order::pinned(async || handshakes::measure(kit, suite).await),
            Which::Idle => order::pinned(async || idle::measure(kit, suite).await),
            Which::Durable => order::unpinned(async || durable::measure(kit, suite).await),
            Which::Growth => order::unpinned(async || growth::measure(kit, suite).await),
        }
    }
}
