//! What a connection costs that does nothing.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio_rustls::rustls::ClientConfig;

use super::{
    kit::Kit,
    product::{Product, Purpose, Running},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    rows::{About, Figures, Goal, Row},
    server::free_address,
};

/// Connections that are open at a time.
pub const CONNECTIONS: usize = 2000;

/// Those that serve HTTP; the first is ours.
const PRODUCTS: [(Product, Option<Goal>); 4] = [
    (Product::Sekisho, None),
    (Product::Nginx, Some(Goal::AtMost(0.75))),
    (Product::HaProxy, None),
    (Product::Envoy, None),
];

/// Measures all of them with this suite. Each is started anew in each round: what a process once had it may keep.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let config = kit.client(0, suite, Group::X25519)?;
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
            let purpose = Purpose { pinned: true, backend: free_address().await?, streams: false };
            let running = Running::start(product.0, kit, &name, purpose).await?;
            figures.push(kib_each(&running, &config).await.with_context(|| product.0.name())?);
            running.server.stop().await?;
        }
    }
    let [ours, ..] = &figures;
    let suite = format!("{CONNECTIONS} idle connections, {}", suite.name());
    let row = |((product, goal), other): (&(Product, Option<Goal>), &Figures)| {
        let figure = "memory of each (Pss)";
        let about = About { suite: &suite, figure, unit: "KiB", peer: product.name(), goal: *goal };
        Row::new(&about, ours, other)
    };
    Ok(PRODUCTS.iter().zip(&figures).skip(1).filter_map(row).collect())
}

/// Memory of each connection after its first request.
async fn kib_each(running: &Running, config: &Arc<ClientConfig>) -> anyhow::Result<f64> {
    // What the first one makes is needed once, not for each.
    let first = one(running, config).await?;
    let before = running.server.memory_mib()?;
    let mut held = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        held.push(one(running, config).await?);
    }
    let after = running.server.memory_mib()?;
    drop((first, held));
    Ok((after - before) * 1024.0 / CONNECTIONS as f64)
}

/// A connection that has asked for something that is not there, or is nothing.
async fn one(running: &Running, config: &Arc<ClientConfig>) -> anyhow::Result<Line> {
    let mut line = Line::connect(config, running.server.address).await?;
    let answer = line.ask(&[b"GET /idle HTTP/1.1\r\nhost: localhost\r\n\r\n"]).await?;
    ensure!(matches!(answer.status, 204 | 404), "{answer}");
    Ok(line)
}
