//! What does it cost to carry one claims file of 1 GiB from a sender to the durable commit at the centre?
//!
//! Each round sends a new DPC file by the real `sekisho` to the real `sekisho-gateway` over loopback, both in release,
//! and beside it does with the same file what no receiver could leave out: hash it and write it durably, without any
//! line. Time and rate are from the begin of the attempt to the commit, as the centre's own log tells them; CPU seconds
//! are those of the centre's process, up to the delivery into the inbox, which copies and hashes the file once more.
//! Run with `cargo build --release --bins && cargo run --release -p benches --bin durable_transfer [ROUNDS]`.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    time::Instant,
};

use anyhow::{Context as _, ensure};
use benches::{Centre, cpu_seconds, line, memory_mib};
use lab::{
    generate::{Order, synthetic_institution, write_claims_file},
    site::Sites,
};
use protocol::{
    digest::Hasher,
    entry::{Entry, Event},
    kind::{ClaimMonth, Kind},
};
use tokio::process::Command;

const CONTENT: u64 = 1 << 30;
const GIB: f64 = (1u64 << 30) as f64;
const PIECE: usize = 256 * 1024;

struct Round {
    transfer_gib_per_s: f64,
    local_gib_per_s: f64,
    centre_cpu_s_per_gib: f64,
    local_cpu_s_per_gib: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds: u64 = match std::env::args().nth(1) {
        Some(rounds) => rounds.parse().context("ROUNDS is a number")?,
        None => 5,
    };
    let directory = tempfile::tempdir()?;
    let sites = Sites::create(&directory.path().join("lab"))?;
    let changes = [("link.detect_max", "\"10s\""), ("link.stall_max", "\"60s\"")];
    let site = sites.centre("centre", &changes)?;
    let config = site.config.to_string_lossy().into_owned();
    let mut centre = Centre::start(&site).await?;
    let id = centre.id;
    let party = format!("institution:{}", synthetic_institution(13, b'1', 1)).parse()?;
    let sender = sites.sender("sender", &party, centre.address, &changes)?;
    let mut measured = Vec::new();
    for number in 0..rounds {
        let file = directory.path().join(format!("RECEIPTD.{number}.UKE"));
        let bytes = generate(&file, number)?;
        let (local_gib_per_s, local_cpu) = store_locally(&file, &directory.path().join("local"))?;
        let cpu_before = cpu_seconds(id)?;
        send(&file, &sender.settings).await?;
        let entries = entries(&config).await?;
        let cpu = cpu_seconds(id)? - cpu_before;
        let gib = bytes as f64 / GIB;
        measured.push(Round {
            transfer_gib_per_s: gib / seconds_of_last_attempt(&entries)?,
            local_gib_per_s,
            centre_cpu_s_per_gib: cpu / gib,
            local_cpu_s_per_gib: local_cpu / gib,
        });
        fs::remove_file(&file)?;
    }
    let (_, peak) = memory_mib(id)?;
    centre.stop().await?;
    println!("{rounds} rounds of {:.2} GiB; median (least-most)", CONTENT as f64 / GIB);
    line("sender to durable commit, GiB/s", measured.iter().map(|round| round.transfer_gib_per_s));
    line("hash and store locally, GiB/s", measured.iter().map(|round| round.local_gib_per_s));
    line("ratio of the two", measured.iter().map(|round| round.transfer_gib_per_s / round.local_gib_per_s));
    line("centre's CPU with delivery, s/GiB", measured.iter().map(|round| round.centre_cpu_s_per_gib));
    line("CPU to hash and store locally, s/GiB", measured.iter().map(|round| round.local_cpu_s_per_gib));
    println!("{:<58} {peak:.0}", "centre's peak memory, MiB");
    Ok(())
}

fn generate(file: &Path, seed: u64) -> anyhow::Result<u64> {
    let order = Order {
        kind: Kind::Dpc,
        institution: synthetic_institution(13, b'1', 1),
        payer: 1,
        claim_month: ClaimMonth::new(2026, 10).context("a month")?,
        target_bytes: CONTENT,
        seed,
        planted: None,
    };
    let mut out =
        io::BufWriter::with_capacity(PIECE, File::options().write(true).create_new(true).open(file)?);
    let written = write_claims_file(&order, &mut out)?;
    out.into_inner()?.sync_all()?;
    Ok(written.bytes)
}

/// Rate and own CPU seconds of hashing a file and writing it durably.
fn store_locally(from: &Path, to: &Path) -> anyhow::Result<(f64, f64)> {
    let cpu_before = cpu_seconds(std::process::id())?;
    let began = Instant::now();
    let mut source = File::open(from)?;
    let mut target = File::options().write(true).create_new(true).open(to)?;
    let (mut buffer, mut hasher, mut bytes) = (vec![0; PIECE], Hasher::new(), 0);
    loop {
        let count = source.read(&mut buffer)?;
        let Some(piece @ [_, ..]) = buffer.get(..count) else { break };
        hasher.update(piece);
        target.write_all(piece)?;
        bytes += count;
    }
    target.sync_all()?;
    std::hint::black_box(hasher.finish());
    let took = began.elapsed().as_secs_f64();
    fs::remove_file(to)?;
    Ok((bytes as f64 / GIB / took, cpu_seconds(std::process::id())? - cpu_before))
}

async fn send(file: &Path, settings: &Path) -> anyhow::Result<()> {
    let program = lab::program::beside_own("sekisho")?;
    let output = Command::new(program).arg("send").arg(file).arg("--settings").arg(settings).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The centre's log, once it says that the last transfer was delivered.
async fn entries(config: &str) -> anyhow::Result<Vec<Entry>> {
    let program = lab::program::beside_own("sekisho-gateway")?;
    loop {
        let output = Command::new(&program).args(["audit", "entries", "--config", config]).output().await?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let entries: Vec<Entry> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let count = |event| entries.iter().filter(|entry| entry.event == event).count();
        if count(Event::Delivered) == count(Event::Committed) {
            return Ok(entries);
        }
    }
}

fn seconds_of_last_attempt(entries: &[Entry]) -> anyhow::Result<f64> {
    let last = |event| entries.iter().rev().find(|entry| entry.event == event).map(|entry| entry.time);
    let (began, ended) = (last(Event::AttemptBegan), last(Event::Committed));
    let (began, ended) = began.zip(ended).context("the log tells of the attempt")?;
    Ok(ended.ms_since(began) as f64 / 1000.0)
}
