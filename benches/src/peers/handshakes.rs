//! What a full mutual handshake costs the server.

use std::{sync::Arc, time::Instant};

use anyhow::Context as _;
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

use super::{
    kit::Kit,
    order::rounds,
    product::{Product, Purpose, Running, start_all, stop_all},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    rows::{About, Figures, Goal, Row},
    server::free_address,
};

/// Handshakes in one round.
const HANDSHAKES: u32 = 1000;

/// Clients at a time.
const AT_A_TIME: u32 = 8;

/// Whom, by which group.
const MEASURED: [(Product, Group); 7] = [
    (Product::Sekisho, Group::X25519),
    (Product::Sekisho, Group::Hybrid),
    (Product::Nginx, Group::X25519),
    (Product::HaProxy, Group::X25519),
    (Product::Stunnel, Group::X25519),
    (Product::Envoy, Group::X25519),
    (Product::Envoy, Group::Hybrid),
];

#[derive(Clone, Copy)]
struct Cost {
    cpu_us: f64,
    per_s: f64,
}

/// Measures all of them with this suite.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    // stunnel calls a backend as soon as a handshake is over.
    let backend = closing_backend().await?;
    let purpose = Purpose { pinned: true, backend, streams: false };
    let products: Vec<Product> = MEASURED.iter().map(|(product, _)| *product).collect();
    let name = format!("handshakes-{}", suite.name());
    let running = start_all(&products, kit, &name, purpose).await?;
    let groups: Vec<Group> = MEASURED.iter().map(|(_, group)| *group).collect();
    let clients =
        [Group::X25519, Group::Hybrid].map(|group| kit.client(0, suite, group).map(|config| (group, config)));
    let [plain, hybrid] = clients;
    let (plain, hybrid) = (plain?, hybrid?);
    let measured = rounds(kit, &name, &running, async |one: &Running| {
        let place = running.iter().position(|other| std::ptr::eq(one, other));
        let group = place.and_then(|place| groups.get(place)).context("a group for each")?;
        let (_, config) = if *group == plain.0 { &plain } else { &hybrid };
        handshakes(one, config).await
    })
    .await?;
    stop_all(running).await?;
    Ok(rows(suite, |place| measured.of(place)))
}

fn rows<'m>(suite: Suite, of: impl Fn(usize) -> &'m [Cost]) -> Vec<Row> {
    let find = |product: Product, group: Group| {
        let place = MEASURED.iter().position(|measured| *measured == (product, group)).unwrap_or(usize::MAX);
        let figures = |figure: fn(&Cost) -> f64| -> Figures { of(place).iter().map(figure).collect() };
        (figures(|cost| cost.cpu_us), figures(|cost| cost.per_s))
    };
    let mut rows = Vec::new();
    let mut compare = |own: Group, peer: Product, theirs: Group, goal: Option<Goal>| {
        let (ours, other) = (find(Product::Sekisho, own), find(peer, theirs));
        let suite = format!("handshakes, {}", suite.name());
        let peer = match own == theirs {
            true => peer.name().to_owned(),
            false => format!("{} with {}", peer.name(), theirs.name()),
        };
        let cpu = format!("{}: CPU of each", own.name());
        let about = About { suite: &suite, figure: &cpu, unit: "µs", peer: &peer, goal };
        rows.extend(Row::new(&about, &ours.0, &other.0));
        let rate = format!("{}: rate", own.name());
        let about = About { figure: &rate, unit: "/s", goal: None, ..about };
        rows.extend(Row::new(&about, &ours.1, &other.1));
    };
    let (x25519, hybrid) = (Group::X25519, Group::Hybrid);
    compare(x25519, Product::Nginx, x25519, Some(Goal::AtMost(0.24)));
    compare(x25519, Product::Envoy, x25519, Some(Goal::AtMost(0.53)));
    compare(x25519, Product::HaProxy, x25519, None);
    compare(x25519, Product::Stunnel, x25519, None);
    compare(hybrid, Product::Nginx, x25519, Some(Goal::AtMost(0.28)));
    compare(hybrid, Product::Envoy, hybrid, None);
    rows
}

async fn handshakes(running: &Running, config: &Arc<ClientConfig>) -> anyhow::Result<Cost> {
    let before = running.server.cpu_seconds()?;
    let began = Instant::now();
    let mut under_way: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for number in 0..HANDSHAKES {
        if number >= AT_A_TIME {
            let done = under_way.join_next().await.context("one that runs")??;
            done.with_context(|| running.product.name())?;
        }
        let (config, address) = (Arc::clone(config), running.server.address);
        under_way.spawn(async move { Line::connect(&config, address).await?.close().await });
    }
    while let Some(done) = under_way.join_next().await {
        done?.with_context(|| running.product.name())?;
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = running.server.cpu_seconds()? - before;
    let count = f64::from(HANDSHAKES);
    Ok(Cost { cpu_us: cpu * 1e6 / count, per_s: count / took })
}

/// A listener that closes whatever comes.
async fn closing_backend() -> anyhow::Result<std::net::SocketAddr> {
    let listener = tokio::net::TcpListener::bind(free_address().await?).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    Ok(address)
}
