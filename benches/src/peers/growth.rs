//! What the same work costs a centre that has a past and many peers: nothing may grow with either.

use anyhow::Context as _;

use super::{
    backend, durable, handshakes,
    idle::{self, CONNECTIONS},
    kit::Kit,
    order::rounds,
    past,
    product::{Product, Purpose, Running, stop_all},
    requests, streaming,
};
use crate::{
    load::tls::{Group, Suite},
    rows::{About, Figures, Goal, Row},
};

/// Peers that are connected and do nothing, each another: as many as the idle suite has.
const PEERS: usize = CONNECTIONS;

/// Handshakes in a round: a few seconds of CPU, which is told in steps of 10 ms.
const HANDSHAKES: usize = 4000;

/// What the work of each suite cost in one round.
#[derive(Clone, Copy)]
struct Cost {
    small: durable::Cost,
    large: durable::Cost,
    handshake: handshakes::Cost,
    request: requests::Cost,
    streamed: streaming::Cost,
}

/// Measures the work of the other suites at an empty centre and at one with a past, both running at the same time.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let purpose = Purpose { pinned: false, backend: backend::start().await?, streams: true };
    let empty =
        Running::start(Product::Sekisho, kit, &format!("growth-empty-{}", suite.name()), purpose).await?;
    let grown =
        Running::start(Product::Sekisho, kit, &format!("growth-past-{}", suite.name()), purpose).await?;
    let grown = past::give(kit, grown, purpose).await?;
    let configs = kit.clients(PEERS, suite, Group::X25519)?;
    let (grown_at, running) = (grown.server.address, vec![empty, grown]);
    let mut small = durable::Load::new(kit, suite, durable::SMALL)?;
    let mut large = durable::Load::new(kit, suite, durable::LARGE)?;
    let sender = configs.get(..1).context("a sender")?;
    let (config, zeros) = (sender.first().context("a sender")?, streaming::ONE.zeros());
    let measured = rounds(kit, "growth", &running, async |one: &Running| {
        // What moves much comes by the engine that is made for it, as from our client.
        let (bulk, server) = (Product::SekishoBulk, &one.server);
        let mut peers = Vec::with_capacity(PEERS);
        for config in configs.iter().filter(|_| server.address == grown_at) {
            peers.push(idle::connected(one, config).await?);
        }
        let cost = Cost {
            small: small.run(one).await?,
            large: large.run(one).await?,
            handshake: handshakes::cost(sender, HANDSHAKES, server).await?,
            request: requests::cost(config, bulk, server).await?,
            streamed: streaming::cost(&streaming::ONE, &zeros, config, bulk, server).await?,
        };
        for peer in &mut peers {
            idle::ask(peer).await.context("a peer that should have been connected all the time")?;
        }
        Ok(cost)
    })
    .await?;
    stop_all(running).await?;
    let name =
        format!("growth, {} past transfers and {PEERS} peers, {}", kit.scale.past_transfers, suite.name());
    let row = |figure, unit, goal, of: fn(&Cost) -> f64| {
        let about = About { suite: &name, figure, unit, peer: "an empty centre", goal };
        let (empty, grown): (Figures, Figures) =
            (measured.of(0).iter().map(of).collect(), measured.of(1).iter().map(of).collect());
        Row::new(&about, &grown, &empty)
    };
    let goal = Some(Goal::AtMost(1.10));
    let rows = [
        row("CPU of each 16 KiB file to its receipt", "µs", goal, |cost| cost.small.cpu_us_per_file()),
        row("CPU of a file of 1 GiB to its receipt", "s/GiB", goal, |cost| cost.large.cpu_s_per_gib()),
        row("CPU of each handshake", "µs", goal, |cost| cost.handshake.cpu_us),
        row("CPU of each request", "µs", goal, |cost| cost.request.cpu_us),
        row("CPU of streaming, 1 x 1 GiB", "s/GiB", goal, |cost| cost.streamed.cpu_s_per_gib),
        row("16 KiB files to their receipt", "/s", None, |cost| cost.small.files_per_s()),
        row("peak memory under 16 KiB files", "MiB", None, |cost| cost.small.peak_mib()),
    ];
    Ok(rows.into_iter().flatten().collect())
}
