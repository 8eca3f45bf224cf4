//! What it costs to hand large bodies on: mutual TLS in, plain HTTP/1.1 out, nothing kept.

use std::{sync::Arc, time::Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

use super::{
    backend,
    kit::Kit,
    order::rounds,
    product::{Product, Purpose, Running, start_all, stop_all},
    sink::Sink,
};
use crate::{
    load::{
        content::{Base, Content},
        line::Line,
        tls::{Group, Suite},
    },
    rows::{About, Figures, Goal, Row, short},
    server::Server,
};

/// Of these, ours: the one that is made for it, and the other.
const OURS: usize = 2;

/// The first of them that is no product.
const NO_PRODUCT: usize = 7;

const MIB: usize = 1 << 20;
const GIB: f64 = (1u64 << 30) as f64;

/// Who hands bodies on; the first ones are ours, the last is what handing on costs without TLS and HTTP.
const PRODUCTS: [Product; 8] = [
    Product::SekishoBulk,
    Product::Sekisho,
    Product::Nginx,
    Product::NginxTuned,
    Product::HaProxy,
    Product::Envoy,
    Product::Stunnel,
    Product::Relay,
];

/// Who hands claims files on: ours checks them while they pass, the others do not look.
const OF_CLAIMS: [Product; 3] = [Product::SekishoBulk, Product::Nginx, Product::NginxTuned];

/// Bodies of one size, on some connections at a time.
#[derive(Clone, Copy)]
pub struct Work {
    name: &'static str,
    connections: usize,
    bodies: usize,
    mib: usize,
}

/// One body of a GiB.
pub const ONE: Work = Work { name: "1 x 1 GiB", connections: 1, bodies: 1, mib: 1024 };

/// Eight of an eighth each, side by side.
pub const EIGHT: Work = Work { name: "8 x 128 MiB", connections: 8, bodies: 1, mib: 128 };

const WORKS: [Work; 3] = [ONE, EIGHT, Work { name: "64 x 8 x 2 MiB", connections: 64, bodies: 8, mib: 2 }];

/// What every request of a work carries.
#[derive(Clone)]
pub enum Body {
    /// Zeros, of this many MiB.
    Zeros(Arc<[u8]>, usize),
    /// A claims file.
    Claims(Content),
}

/// What one round of work cost.
#[derive(Clone, Copy)]
pub struct Cost {
    /// The product's CPU seconds for each GiB.
    pub cpu_s_per_gib: f64,
    gib_per_s: f64,
    peak_mib: f64,
}

/// Measures all of them with this suite.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let purpose = Purpose { pinned: true, backend: backend::start().await?, streams: true };
    let config = kit.client(0, suite, Group::X25519)?;
    let sink = Sink::start(kit)?;
    let mut rows = Vec::new();
    for (number, work) in WORKS.iter().enumerate() {
        let (zeros, claims) = (work.zeros(), work.claims(kit)?);
        let lines = work.lines(async || Line::connect(&config, sink.address).await).await?;
        let (ceiling, _) = send(work, &zeros, lines).await?;
        println!("streaming {}: the load into a bare sink {} GiB/s", work.name, short(work.gib() / ceiling));
        let name = format!("streaming-{}-{number}", suite.name());
        let running = start_all(&PRODUCTS, kit, &name, purpose).await?;
        let measured = rounds(kit, &format!("streaming {}", work.name), &running, async |one: &Running| {
            cost(work, &zeros, &config, one.product, &one.server).await.with_context(|| one.product.name())
        })
        .await?;
        stop_all(running).await?;
        rows.extend(rows_of(suite, work, |place| measured.of(place)));
        let running = start_all(&OF_CLAIMS, kit, &format!("{name}-claims"), purpose).await?;
        let what = format!("streaming claims files, {}", work.name);
        let measured = rounds(kit, &what, &running, async |one: &Running| {
            cost(work, &claims, &config, one.product, &one.server).await.with_context(|| one.product.name())
        })
        .await?;
        stop_all(running).await?;
        rows.extend(claims_rows_of(suite, work, |place| measured.of(place)));
    }
    Ok(rows)
}

/// Throughput of claims files is what the gateway is for; with load and backend on the other core it tells of them too, so that
/// these rows have no goal.
fn claims_rows_of<'m>(suite: Suite, work: &Work, of: impl Fn(usize) -> &'m [Cost]) -> Vec<Row> {
    let suite = format!("streaming claims files {}, {}", work.name, suite.name());
    let figures =
        |place: usize, figure: fn(&Cost) -> f64| -> Figures { of(place).iter().map(figure).collect() };
    let mut rows = Vec::new();
    for (place, product) in OF_CLAIMS.iter().enumerate().skip(1) {
        let mut compare = |figure, unit, value: fn(&Cost) -> f64| {
            let about = About { suite: &suite, figure, unit, peer: product.name(), goal: None };
            rows.extend(Row::new(&about, &figures(0, value), &figures(place, value)));
        };
        compare("throughput, ours with the claims check", "MiB/s", |cost| cost.gib_per_s * 1024.0);
        compare("proxy's CPU, ours with the claims check", "s/GiB", |cost| cost.cpu_s_per_gib);
    }
    rows
}

fn rows_of<'m>(suite: Suite, work: &Work, of: impl Fn(usize) -> &'m [Cost]) -> Vec<Row> {
    let figures =
        |place: usize, figure: fn(&Cost) -> f64| -> Figures { of(place).iter().map(figure).collect() };
    let cpu: fn(&Cost) -> f64 = |cost| cost.cpu_s_per_gib;
    let suite = format!("streaming {}, {}", work.name, suite.name());
    let mut rows = Vec::new();
    for (ours, product) in PRODUCTS.iter().enumerate().take(OURS) {
        // The goals are those of the engine that is made for it.
        let made_for_it = *product == Product::SekishoBulk;
        let suite = format!("{suite}, {}", product.name());
        let mut compare = |figure, unit, place, peer: &str, goal: Option<Goal>, value: fn(&Cost) -> f64| {
            let about = About { suite: &suite, figure, unit, peer, goal: goal.filter(|_| made_for_it) };
            rows.extend(Row::new(&about, &figures(ours, value), &figures(place, value)));
        };
        for (place, product) in PRODUCTS.iter().enumerate().skip(OURS) {
            let stock = *product == Product::Nginx;
            let many = work.connections >= 64;
            compare("proxy's CPU", "s/GiB", place, product.name(), stock.then_some(Goal::AtMost(0.33)), cpu);
            if place >= NO_PRODUCT {
                // Its load has no TLS either: neither throughput nor memory can be set beside ours.
                continue;
            }
            compare("throughput", "GiB/s", place, product.name(), None, |cost| cost.gib_per_s);
            let goal = (stock && many).then_some(Goal::AtMost(0.6));
            compare("peak memory", "MiB", place, product.name(), goal, |cost| cost.peak_mib);
        }
        let median = |place: &usize| figures(*place, cpu).median().unwrap_or(f64::INFINITY);
        let best = (OURS..NO_PRODUCT).min_by(|one, other| median(one).total_cmp(&median(other)));
        if let Some((place, product)) = best.and_then(|place| Some((place, PRODUCTS.get(place)?))) {
            let peer = format!("the best of them: {}", product.name());
            compare("proxy's CPU", "s/GiB", place, &peer, Some(Goal::AtMost(0.58)), cpu);
        }
    }
    rows
}

impl Work {
    fn gib(&self) -> f64 {
        (self.connections * self.bodies * self.mib * MIB) as f64 / GIB
    }

    /// A body that means nothing.
    pub fn zeros(&self) -> Body {
        Body::Zeros(vec![b'0'; MIB].into(), self.mib)
    }

    fn claims(&self, kit: &Kit) -> anyhow::Result<Body> {
        let sender = kit.senders.first().context("a sender")?;
        let institution = sender.identity.codes().first().context("a code")?.clone();
        Ok(Body::Claims(Base::new(institution, (self.mib * MIB) as u64)?.number(0)))
    }

    async fn lines(&self, connect: impl AsyncFn() -> anyhow::Result<Line>) -> anyhow::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            lines.push(connect().await?);
        }
        Ok(lines)
    }
}

impl Body {
    fn path(&self) -> &'static str {
        match self {
            Body::Zeros(..) => "/stream/any/body",
            Body::Claims(_) => "/stream/claims/body",
        }
    }

    fn length(&self) -> u64 {
        self.parts().iter().map(|part| part.len() as u64).sum()
    }

    fn parts(&self) -> Vec<&[u8]> {
        match self {
            Body::Zeros(piece, count) => vec![piece; *count],
            Body::Claims(content) => content.parts().to_vec(),
        }
    }
}

/// One round, against this product.
pub async fn cost(
    work: &Work,
    body: &Body,
    config: &Arc<ClientConfig>,
    product: Product,
    server: &Server,
) -> anyhow::Result<Cost> {
    server.forget_peak()?;
    let before = server.cpu_seconds()?;
    let lines = work.lines(async || product.connect(config, server.address).await).await?;
    let (took, lines) = send(work, body, lines).await?;
    let cpu = server.cpu_seconds()? - before;
    drop(lines);
    let gib = work.gib();
    Ok(Cost { cpu_s_per_gib: cpu / gib, gib_per_s: gib / took, peak_mib: server.peak_mib()? })
}

/// Seconds from the first byte to the last answer; the connections are still open.
async fn send(work: &Work, body: &Body, lines: Vec<Line>) -> anyhow::Result<(f64, Vec<Line>)> {
    let began = Instant::now();
    let mut sending = JoinSet::new();
    for mut line in lines {
        let (body, bodies) = (body.clone(), work.bodies);
        sending.spawn(async move {
            let (path, length) = (body.path(), body.length());
            let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
            let parts = [vec![head.as_bytes()], body.parts()].concat();
            for _ in 0..bodies {
                let answer = line.ask(&parts).await?;
                let whole = answer.status == 200 && answer.body == length.to_string().as_bytes();
                ensure!(whole, "a body was answered with {answer}");
            }
            anyhow::Ok(line)
        });
    }
    let mut lines = Vec::with_capacity(work.connections);
    while let Some(sent) = sending.join_next().await {
        lines.push(sent??);
    }
    Ok((began.elapsed().as_secs_f64(), lines))
}
