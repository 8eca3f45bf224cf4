//! How fast is the claims check, beside what the receive path does with the same bytes anyway?
//!
//! Generated 医科 and DPC content is read in 1 MiB pieces, as it arrives from the TLS layer. Every round runs the check,
//! a bare count of line feeds (the cheapest way to look at each byte at all), SHA-256, and SHA-256 with the check behind
//! it piece by piece, as a receiver runs them, one after the other: whatever else the machine does in that second meets
//! all four, and ratios are taken within a round. Run with `cargo run --release -p benches --bin claims_check`.

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, ensure};
use aws_lc_rs::digest;
use lab::generate::{Order, synthetic_institution, write_claims_file};
use protocol::{
    claims::ClaimsCheck,
    kind::{ClaimMonth, Kind},
};

const CONTENT: u64 = 256 << 20;
const PIECE: usize = 1 << 20;
const ROUNDS: usize = 11;
const GIB: f64 = (1u64 << 30) as f64;

/// GiB/s of the four in one round.
struct Round {
    check: f64,
    count: f64,
    sha256: f64,
    both: f64,
}

fn main() -> anyhow::Result<()> {
    println!("{ROUNDS} interleaved rounds over {} MiB in 1 MiB pieces; median (least-most)", CONTENT >> 20);
    for kind in [Kind::Medical, Kind::Dpc] {
        let content = generate(kind)?;
        let rounds = (0..ROUNDS).map(|_| round(&content)).collect::<anyhow::Result<Vec<Round>>>()?;
        println!("{kind}");
        line("claims check, GiB/s", rounds.iter().map(|round| round.check));
        line("line feeds counted, GiB/s", rounds.iter().map(|round| round.count));
        line("SHA-256, GiB/s", rounds.iter().map(|round| round.sha256));
        line("check as a multiple of SHA-256's speed", rounds.iter().map(|round| round.check / round.sha256));
        line("check as a part of the count's speed", rounds.iter().map(|round| round.check / round.count));
        line("what it adds to SHA-256's time", rounds.iter().map(|round| round.sha256 / round.both - 1.0));
    }
    Ok(())
}

fn generate(kind: Kind) -> anyhow::Result<Vec<u8>> {
    let order = Order {
        kind,
        institution: synthetic_institution(13, kind.table(), 1),
        payer: 1,
        claim_month: ClaimMonth::new(2026, 10).context("a month")?,
        target_bytes: CONTENT,
        seed: 1,
        planted: None,
    };
    let mut content = Vec::new();
    let began = Instant::now();
    let written = write_claims_file(&order, &mut content)?;
    println!("{kind}: {} claims generated in {:.2} s", written.claims, began.elapsed().as_secs_f64());
    Ok(content)
}

fn round(content: &[u8]) -> anyhow::Result<Round> {
    let length = content.len() as f64 / GIB;

    let began = Instant::now();
    let mut check = ClaimsCheck::new();
    content.chunks(PIECE).for_each(|piece| check.update(piece));
    let summary = check.finish()?;
    let check = length / began.elapsed().as_secs_f64();

    let began = Instant::now();
    let line_feeds: usize =
        content.chunks(PIECE).map(|piece| memchr::memchr_iter(b'\n', piece).count()).sum();
    let count = length / began.elapsed().as_secs_f64();
    ensure!(line_feeds as u64 == summary.records, "the check counts other records than there are line feeds");

    let began = Instant::now();
    let mut context = digest::Context::new(&digest::SHA256);
    content.chunks(PIECE).for_each(|piece| context.update(piece));
    black_box(context.finish());
    let sha256 = length / began.elapsed().as_secs_f64();

    let began = Instant::now();
    let (mut context, mut claims_check) = (digest::Context::new(&digest::SHA256), ClaimsCheck::new());
    for piece in content.chunks(PIECE) {
        context.update(piece);
        claims_check.update(piece);
    }
    black_box(context.finish());
    ensure!(claims_check.finish()? == summary, "the same content gave another summary");
    let both = length / began.elapsed().as_secs_f64();

    Ok(Round { check, count, sha256, both })
}

fn line(name: &str, figures: impl Iterator<Item = f64>) {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
    println!(
        "  {name:42} {:6.2} ({:.2}-{:.2})",
        at(sorted.len() / 2),
        at(0),
        at(sorted.len().saturating_sub(1))
    );
}
