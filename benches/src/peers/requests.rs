//! What a small request costs on a connection that is kept: as many as go through, and at a steady rate, where its answer
//! can be timed.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};
use tokio_rustls::rustls::ClientConfig;

use super::{
    backend,
    kit::Kit,
    order::rounds,
    product::{Product, Purpose, Running, start_all, stop_all},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    own_cpu_seconds,
    rows::{About, Figures, Goal, Latency, Row},
    server::Server,
};

/// Bytes of a request's body.
const BODY: usize = 1024;

/// Connections when as many requests are made as go through, and requests on each.
const CLOSED: (usize, usize) = (32, 1000);

/// Connections at a steady rate, and requests on each.
const STEADY: (usize, usize) = (16, 1000);

/// Requests a second at the steady rate, over all connections.
const STEADY_PER_S: u32 = 4000;

/// Who hands requests on; the first ones are ours.
const PRODUCTS: [(Product, Option<Goal>); 5] = [
    (Product::SekishoBulk, None),
    (Product::Sekisho, None),
    (Product::Nginx, Some(Goal::AtMost(0.80))),
    (Product::HaProxy, None),
    (Product::Envoy, None),
];

/// Of these, ours.
const OURS: usize = 2;

/// What requests cost in one round.
#[derive(Clone, Copy)]
pub struct Cost {
    /// The product's CPU microseconds for each, as many as go through.
    pub cpu_us: f64,
    /// Those of load and backend.
    load_us: f64,
    per_s: f64,
    /// At the steady rate.
    steady: Latency,
}

/// Measures all of them with this suite.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let purpose = Purpose { pinned: true, backend: backend::start().await?, streams: true };
    let config = kit.client(0, suite, Group::X25519)?;
    let products = PRODUCTS.map(|(product, _)| product);
    let running = start_all(&products, kit, &format!("requests-{}", suite.name()), purpose).await?;
    let measured = rounds(kit, "requests", &running, async |one: &Running| {
        cost(&config, one.product, &one.server).await.with_context(|| one.product.name())
    })
    .await?;
    stop_all(running).await?;
    let suite = format!("{BODY} B requests on kept connections, {}", suite.name());
    let mut rows = Vec::new();
    for (ours, (product, _)) in PRODUCTS.iter().enumerate().take(OURS) {
        // The goals are those of the engine that is made for it.
        let made_for_it = *product == Product::SekishoBulk;
        let suite = format!("{suite}, {}", product.name());
        for (place, (product, goal)) in PRODUCTS.iter().enumerate().skip(OURS) {
            let mut compare = |figure, unit, goal: Option<Goal>, value: fn(&Cost) -> f64| {
                let figures = |place| -> Figures { measured.of(place).iter().map(value).collect() };
                let goal = goal.filter(|_| made_for_it);
                let about = About { suite: &suite, figure, unit, peer: product.name(), goal };
                rows.extend(Row::new(&about, &figures(ours), &figures(place)));
            };
            compare("proxy's CPU of each, as many as go through", "µs", *goal, |cost| cost.cpu_us);
            compare("as many as go through", "/s", None, |cost| cost.per_s);
            compare("CPU of load and backend for each", "µs", None, |cost| cost.load_us);
            compare("median time of an answer at 4,000/s", "µs", None, |cost| cost.steady.p50_us);
            compare("99th percentile at 4,000/s", "µs", None, |cost| cost.steady.p99_us);
        }
    }
    Ok(rows)
}

/// How many requests [`cost`] makes.
pub fn in_a_round() -> String {
    let ((closed, each), (steady, each_of_them)) = (CLOSED, STEADY);
    format!("{} requests and {} at a steady rate", closed * each, steady * each_of_them)
}

/// One round, against this product.
pub async fn cost(config: &Arc<ClientConfig>, product: Product, server: &Server) -> anyhow::Result<Cost> {
    let (connections, requests) = CLOSED;
    let lines = connect(config, product, server, connections).await?;
    let (before, load_before) = (server.cpu_seconds()?, own_cpu_seconds()?);
    let began = Instant::now();
    ask(lines, requests, None).await?;
    let took = began.elapsed().as_secs_f64();
    let (cpu, load) = (server.cpu_seconds()? - before, own_cpu_seconds()? - load_before);
    let count = (connections * requests) as f64;
    let (connections, requests) = STEADY;
    let lines = connect(config, product, server, connections).await?;
    let pause = Duration::from_secs(1) * u32::try_from(connections)? / STEADY_PER_S;
    let steady = Latency::of(ask(lines, requests, Some(pause)).await?);
    Ok(Cost { cpu_us: cpu * 1e6 / count, load_us: load * 1e6 / count, per_s: count / took, steady })
}

async fn connect(
    config: &Arc<ClientConfig>,
    product: Product,
    server: &Server,
    count: usize,
) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        lines.push(product.connect(config, server.address).await?);
    }
    Ok(lines)
}

/// The time of each answer; with a pause, a request is due whether the one before was answered or not, and its wait
/// counts.
async fn ask(lines: Vec<Line>, requests: usize, pause: Option<Duration>) -> anyhow::Result<Vec<Duration>> {
    let mut asking = JoinSet::new();
    for mut line in lines {
        asking.spawn(async move {
            let head = format!(
                "POST /stream/any/small HTTP/1.1\r\nhost: localhost\r\ncontent-length: {BODY}\r\n\r\n"
            );
            let request = [head.as_bytes(), &[b'0'; BODY]].concat();
            let mut ticks = pause.map(interval);
            let mut times = Vec::with_capacity(requests);
            let mut answered = Instant::now();
            for _ in 0..requests {
                let due = match &mut ticks {
                    Some(ticks) => {
                        let due = ticks.tick().await;
                        // The clock of the runtime is coarse: what waited only for it did not wait for an answer.
                        if answered > due { due } else { Instant::now() }
                    }
                    None => answered,
                };
                let answer = line.ask(&[&request]).await?;
                ensure!(answer.status == 200, "a request was answered with {answer}");
                answered = Instant::now();
                times.push(answered.duration_since(due));
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = asking.join_next().await {
        times.extend(done??);
    }
    Ok(times)
}
