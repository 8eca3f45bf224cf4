//! What a connection costs that does nothing.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio_rustls::rustls::ClientConfig;

use super::{
    backend,
    kit::Kit,
    product::{Product, Purpose, Running},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    rows::{About, Figures, Goal, Row},
};

/// Connections that are open at a time.
pub const CONNECTIONS: usize = 2000;

/// Those that serve HTTP; the first ones are ours.
const PRODUCTS: [(Product, Option<Goal>); 5] = [
    (Product::SekishoBulk, None),
    (Product::Sekisho, None),
    (Product::Nginx, Some(Goal::AtMost(0.75))),
    (Product::HaProxy, None),
    (Product::Envoy, None),
];

/// Of these, ours.
const OURS: usize = 2;

/// What each has asked for before it idles, and has had an answer to from the backend.
const REQUEST: &[u8] = b"POST /stream/any/small HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\n\r\n0";

/// Measures all of them with this suite. Each is started anew in each round: what a process once had it may keep.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    // Each of a peer of its own: what connections of one share is had for each of them.
    let configs = kit.clients(CONNECTIONS + 1, suite, Group::X25519)?;
    let purpose = Purpose { pinned: true, backend: backend::start().await?, streams: true };
    let mut figures = PRODUCTS.map(|_| Figures::default());
    for round in 0..kit.scale.rounds {
        eprintln!("idle: round {} of {}", round + 1, kit.scale.rounds);
        let mut order: Vec<usize> = (0..PRODUCTS.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            let (product, figures) =
                PRODUCTS.get(place).zip(figures.get_mut(place)).context("a place for each")?;
            let name = format!("idle-{}-{round}-{place}", suite.name());
            let running = Running::start(product.0, kit, &name, purpose).await?;
            figures.push(kib_each(&running, &configs).await.with_context(|| product.0.name())?);
            running.server.stop().await?;
        }
    }
    let mut rows = Vec::new();
    for ((product, _), measured) in PRODUCTS.iter().zip(&figures).take(OURS) {
        // The goal is that of the engine that is made for it.
        let made_for_it = *product == Product::SekishoBulk;
        let suite = format!("{CONNECTIONS} idle connections, {}, {}", suite.name(), product.name());
        for ((product, goal), other) in PRODUCTS.iter().zip(&figures).skip(OURS) {
            let (figure, goal) = ("memory of each (Pss)", goal.filter(|_| made_for_it));
            let about = About { suite: &suite, figure, unit: "KiB", peer: product.name(), goal };
            rows.extend(Row::new(&about, measured, other));
        }
    }
    Ok(rows)
}

/// Memory of each connection after its first request.
async fn kib_each(running: &Running, configs: &[Arc<ClientConfig>]) -> anyhow::Result<f64> {
    // What the first one makes is needed once, not for each.
    let (first, others) = configs.split_first().context("a first peer")?;
    let first = connected(running, first).await?;
    let before = running.server.memory_mib()?;
    let mut held = Vec::with_capacity(CONNECTIONS);
    for config in others {
        held.push(connected(running, config).await?);
    }
    let after = running.server.memory_mib()?;
    drop((first, held));
    Ok((after - before) * 1024.0 / others.len() as f64)
}

/// A connection that has had its answer.
pub async fn connected(running: &Running, config: &Arc<ClientConfig>) -> anyhow::Result<Line> {
    let mut line = running.product.connect(config, running.server.address).await?;
    ask(&mut line).await?;
    Ok(line)
}

/// One request that is passed on.
pub async fn ask(line: &mut Line) -> anyhow::Result<()> {
    let answer = line.ask(&[REQUEST]).await?;
    ensure!(answer.status == 200, "{answer}");
    Ok(())
}
