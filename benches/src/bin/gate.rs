//! What does it cost to let somebody in, to keep them, and to judge them all again?
//!
//! Full mutual handshakes with the real `sekisho-gateway` over loopback, both in release, by X25519 and by the hybrid
//! X25519MLKEM768, each of a peer that the centre has not judged since its last reload, with revocation lists that name
//! nobody and with lists that name 100,000; then 2,000 connections that
//! stay open: the memory of each, and the time of a reload, which judges every one of them again. The variants of the
//! handshake are measured in turn, in several rounds, so that what else happens on the machine hits them alike. CPU time
//! is that of the centre's process.
//! Run with `cargo build --release --bins && cargo run --release -p benches --bin gate [ROUNDS]`.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::{Context as _, ensure};
use benches::{
    Centre, cpu_seconds, line, memory_mib,
    peers::sekisho::{self, Order},
    sender_config,
};
use lab::{
    generate::synthetic_institution,
    site::{CentreSite, SenderSite, Sites},
};
use pki::{
    clock,
    tls::{Groups, TlsPolicy},
};
use rustls_pki_types::ServerName;
use tokio::{io::AsyncReadExt as _, net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::ClientConfig};

/// In one round, each by another peer.
const HANDSHAKES: u32 = 1000;
const AT_A_TIME: usize = 8;
const REVOKED: u32 = 100_000;
const IDLE: usize = 2000;

struct Setting {
    name: &'static str,
    centre: Centre,
    site: CentreSite,
    senders: Vec<SenderSite>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds: u32 = match std::env::args().nth(1) {
        Some(rounds) => rounds.parse().context("ROUNDS is a number")?,
        None => 5,
    };
    let directory = tempfile::tempdir()?;
    let settings = [
        setting(&directory.path().join("none"), "no entries", 0).await?,
        setting(&directory.path().join("many"), "100,000 entries", REVOKED).await?,
    ];
    let agency = "review-agency:113".parse()?;
    let groups = [("X25519", Groups::Guideline), ("X25519MLKEM768", Groups::HybridFirst)];
    let mut measured = vec![Vec::new(); settings.len() * groups.len()];
    for _ in 0..rounds {
        let mut variants = measured.iter_mut();
        for setting in &settings {
            for (_, groups) in groups {
                let policy = TlsPolicy { groups, ..TlsPolicy::default() };
                let config = |sender| sender_config(sender, &agency, policy);
                let configs = setting.senders.iter().map(config).collect::<Result<Vec<_>, _>>()?;
                // Whom it knows, it judges once.
                reload(&setting.site).await?;
                let figures = handshakes(&setting.centre, configs).await?;
                variants.next().context("a place for each variant")?.push(figures);
            }
        }
    }
    println!(
        "{rounds} rounds of {HANDSHAKES} full mutual handshakes, each of a new peer, {AT_A_TIME} at a time; median (least-most)"
    );
    let mut variants = measured.iter();
    for setting in &settings {
        for (group, _) in groups {
            let figures = variants.next().context("each variant was measured")?;
            let what = format!("{group}, list with {}", setting.name);
            line(&format!("{what}: handshakes/s"), figures.iter().map(|(rate, _)| *rate));
            line(&format!("{what}: centre's CPU, µs each"), figures.iter().map(|(_, cpu)| *cpu));
        }
    }
    let [mut none, mut many] = settings;
    none.centre.stop().await?;
    idle_and_reload(&mut many).await?;
    many.centre.stop().await
}

/// A centre whose issuing authority's list names this many.
async fn setting(directory: &std::path::Path, name: &'static str, revoked: u32) -> anyhow::Result<Setting> {
    let (sites, nowhere) = (Sites::create(directory)?, "127.0.0.1:1".parse()?);
    let sender = |number| {
        let party = format!("institution:{}", synthetic_institution(13, b'1', number)).parse()?;
        anyhow::Ok(sites.sender(&format!("sender-{number}"), &party, nowhere, &[])?)
    };
    // Before the list is long: each of them has it too.
    let senders = (1..=HANDSHAKES).map(sender).collect::<Result<_, _>>()?;
    sites.authority().crl_with(revoked, "+7d".parse()?, clock::now())?;
    let changes = [
        ("limits.connections_max", "4000"),
        ("limits.connections_per_identity_max", "4000"),
        ("limits.requests_per_identity_per_second_max", "1000000"),
        ("link.header_max", "\"120s\""),
        ("reload.watch", "false"),
    ];
    let site = sites.centre("centre", &changes)?;
    let centre = Centre::start(&site).await?;
    Ok(Setting { name, centre, site, senders })
}

/// Handshakes per second, and the centre's CPU time for each in microseconds.
async fn handshakes(centre: &Centre, configs: Vec<Arc<ClientConfig>>) -> anyhow::Result<(f64, f64)> {
    let cpu_before = cpu_seconds(centre.id)?;
    let began = Instant::now();
    let mut running = JoinSet::new();
    let address = centre.address;
    for (number, config) in configs.into_iter().enumerate() {
        if number >= AT_A_TIME {
            running.join_next().await.context("one that runs")???;
        }
        running.spawn(async move {
            let mut line = connect(&config, address).await?;
            // The centre has judged the certificate when it answers the end of the connection with its own.
            tokio::io::AsyncWriteExt::shutdown(&mut line).await?;
            let rest = line.read(&mut [0; 1]).await?;
            ensure!(rest == 0, "the centre says nothing unasked");
            Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = cpu_seconds(centre.id)? - cpu_before;
    Ok((f64::from(HANDSHAKES) / took, cpu * 1e6 / f64::from(HANDSHAKES)))
}

async fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    Ok(TlsConnector::from(Arc::clone(config)).connect(name, stream).await?)
}

/// Memory of connections that do nothing, and the time to judge them again.
async fn idle_and_reload(setting: &mut Setting) -> anyhow::Result<()> {
    let sender = setting.senders.first().context("a sender")?;
    let config = sender_config(sender, &"review-agency:113".parse()?, TlsPolicy::default())?;
    let (before, _) = memory_mib(setting.centre.id)?;
    let mut held = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        held.push(connect(&config, setting.centre.address).await?);
    }
    let all_there = reload(&setting.site).await?;
    let (after, _) = memory_mib(setting.centre.id)?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let cpu_before = cpu_seconds(setting.centre.id)?;
        let began = Instant::now();
        let judged = reload(&setting.site).await?;
        ensure!(judged == all_there && judged >= IDLE, "{judged} connections were judged");
        times.push((
            began.elapsed().as_secs_f64() * 1e3,
            (cpu_seconds(setting.centre.id)? - cpu_before) * 1e3,
        ));
    }
    println!("{IDLE} idle connections, list with {}", setting.name);
    println!(
        "{:<58} {:.1}",
        "memory of each, KiB (one reload included)",
        (after - before) * 1024.0 / IDLE as f64
    );
    line("reload: ms until it is done, with its command", times.iter().map(|(wall, _)| *wall));
    line("reload: centre's CPU, ms", times.iter().map(|(_, cpu)| *cpu));
    drop(held);
    Ok(())
}

/// Reloads; says how many connections were judged again.
async fn reload(site: &CentreSite) -> anyhow::Result<usize> {
    let said = sekisho::tell(site, Order::Reload).await?;
    let judged = said.split("open connections").next().and_then(|before| before.split_whitespace().last());
    judged.and_then(|judged| judged.parse().ok()).context("how many were judged")
}
