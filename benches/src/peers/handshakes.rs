//! What a full mutual handshake costs the server.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

use super::{
    kit::Kit,
    order::rounds,
    product::{Product, Purpose, Running, start_all, stop_all},
    sekisho::{self, Order},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    own_cpu_seconds,
    rows::{About, Figures, Goal, Latency, Row},
    server::{Server, free_address},
};

/// Handshakes in one round.
pub const HANDSHAKES: usize = 1000;

/// Clients at a time.
const AT_A_TIME: usize = 8;

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clients {
    /// One that comes again and again: ours judges the chain of one that it knows once. The others keep nothing.
    Again,
    /// Each for the first time.
    First,
}

/// Who was measured, by which group, with whom.
type Case = (Product, Group, Clients);

const MEASURED: [Case; 8] = [
    OURS,
    OURS_HYBRID,
    OURS_FIRST,
    (Product::Nginx, Group::X25519, Clients::Again),
    (Product::HaProxy, Group::X25519, Clients::Again),
    (Product::Stunnel, Group::X25519, Clients::Again),
    (Product::Envoy, Group::X25519, Clients::Again),
    (Product::Envoy, Group::Hybrid, Clients::Again),
];

const OURS: Case = (Product::Sekisho, Group::X25519, Clients::Again);
const OURS_HYBRID: Case = (Product::Sekisho, Group::Hybrid, Clients::Again);
const OURS_FIRST: Case = (Product::Sekisho, Group::X25519, Clients::First);

/// What handshakes cost in one round.
#[derive(Clone, Copy)]
pub struct Cost {
    /// The product's CPU microseconds for each.
    pub cpu_us: f64,
    /// Those of the load.
    load_us: f64,
    per_s: f64,
    latency: Latency,
}

/// Measures all of them with this suite.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    // stunnel calls a backend as soon as a handshake is over.
    let backend = closing_backend().await?;
    let purpose = Purpose { pinned: true, backend, streams: false };
    let products = MEASURED.map(|(product, ..)| product);
    let name = format!("handshakes-{}", suite.name());
    let running = start_all(&products, kit, &name, purpose).await?;
    let (plain, hybrid) = (kit.client(0, suite, Group::X25519)?, kit.client(0, suite, Group::Hybrid)?);
    let (plain, hybrid) = (vec![plain], vec![hybrid]);
    let crowd = kit.clients(HANDSHAKES, suite, Group::X25519)?;
    let measured = rounds(kit, &name, &running, async |one: &Running| {
        let place = running.iter().position(|other| std::ptr::eq(one, other));
        let (_, group, clients) = place.and_then(|place| MEASURED.get(place)).context("a case for each")?;
        let configs = match (clients, group) {
            (Clients::First, _) => &crowd,
            (Clients::Again, Group::X25519) => &plain,
            (Clients::Again, Group::Hybrid) => &hybrid,
        };
        if let (Clients::First, Some(site)) = (clients, &one.site) {
            sekisho::tell(site, Order::Reload).await?;
        }
        cost(configs, HANDSHAKES, &one.server).await.with_context(|| one.product.name())
    })
    .await?;
    stop_all(running).await?;
    Ok(rows(suite, |place| measured.of(place)))
}

fn rows<'m>(suite: Suite, of: impl Fn(usize) -> &'m [Cost]) -> Vec<Row> {
    let figures = |case: Case, figure: fn(&Cost) -> f64| -> Figures {
        let place = MEASURED.iter().position(|measured| *measured == case).unwrap_or(usize::MAX);
        of(place).iter().map(figure).collect()
    };
    let suite = format!("handshakes, {}", suite.name());
    let mut rows = Vec::new();
    let mut compare = |own: Case, peer: Product, theirs: Group, goal: Option<Goal>| {
        let other = (peer, theirs, Clients::Again);
        let (_, group, clients) = own;
        let what = match clients {
            Clients::Again => group.name().to_owned(),
            Clients::First => format!("{}, each peer for the first time", group.name()),
        };
        let peer = match group == theirs {
            true => peer.name().to_owned(),
            false => format!("{} with {}", peer.name(), theirs.name()),
        };
        let mut row = |figure: &str, unit, goal, value: fn(&Cost) -> f64| {
            let figure = format!("{what}: {figure}");
            let about = About { suite: &suite, figure: &figure, unit, peer: &peer, goal };
            rows.extend(Row::new(&about, &figures(own, value), &figures(other, value)));
        };
        row("CPU of each", "µs", goal, |cost| cost.cpu_us);
        row("load's CPU of each", "µs", None, |cost| cost.load_us);
        row("rate", "/s", None, |cost| cost.per_s);
        row("median time, 8 at a time", "µs", None, |cost| cost.latency.p50_us);
        row("99th percentile, 8 at a time", "µs", None, |cost| cost.latency.p99_us);
    };
    let (x25519, hybrid) = (Group::X25519, Group::Hybrid);
    compare(OURS, Product::Nginx, x25519, Some(Goal::AtMost(0.24)));
    compare(OURS, Product::Envoy, x25519, Some(Goal::AtMost(0.53)));
    compare(OURS, Product::HaProxy, x25519, None);
    compare(OURS, Product::Stunnel, x25519, None);
    compare(OURS_FIRST, Product::Nginx, x25519, None);
    compare(OURS_FIRST, Product::Envoy, x25519, None);
    compare(OURS_HYBRID, Product::Nginx, x25519, Some(Goal::AtMost(0.28)));
    compare(OURS_HYBRID, Product::Envoy, hybrid, None);
    rows
}

/// So many, by clients that these take turns to be.
pub async fn cost(configs: &[Arc<ClientConfig>], count: usize, server: &Server) -> anyhow::Result<Cost> {
    let (before, load_before) = (server.cpu_seconds()?, own_cpu_seconds()?);
    let began = Instant::now();
    let mut under_way: JoinSet<anyhow::Result<Duration>> = JoinSet::new();
    let mut times = Vec::with_capacity(count);
    for (number, config) in configs.iter().cycle().take(count).enumerate() {
        if number >= AT_A_TIME {
            times.push(under_way.join_next().await.context("one that runs")???);
        }
        let (config, address) = (Arc::clone(config), server.address);
        under_way.spawn(async move {
            let began = Instant::now();
            Line::connect(&config, address).await?.close().await?;
            Ok(began.elapsed())
        });
    }
    while let Some(done) = under_way.join_next().await {
        times.push(done??);
    }
    let took = began.elapsed().as_secs_f64();
    let (cpu, load) = (server.cpu_seconds()? - before, own_cpu_seconds()? - load_before);
    let count = count as f64;
    let (cpu_us, load_us) = (cpu * 1e6 / count, load * 1e6 / count);
    Ok(Cost { cpu_us, load_us, per_s: count / took, latency: Latency::of(times) })
}

/// A listener that closes whatever comes.
async fn closing_backend() -> anyhow::Result<std::net::SocketAddr> {
    let listener = tokio::net::TcpListener::bind(free_address().await?).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    Ok(address)
}
