//! What the same work costs a centre that has a past and many peers: nothing may grow with either.

use super::{
    durable::{Cost, Load, SMALL},
    idle::CONNECTIONS,
    kit::Kit,
    order::rounds,
    past,
    product::{Product, Purpose, Running, stop_all},
};
use crate::{
    load::{
        line::Line,
        tls::{Group, Suite},
    },
    rows::{About, Figures, Goal, Row},
    server::free_address,
};

/// Peers that are connected and do nothing, each another: as many as the idle suite has.
const PEERS: usize = CONNECTIONS;

/// Measures small files at an empty centre and at one with a past, both running at the same time.
pub async fn measure(kit: &Kit, suite: Suite) -> anyhow::Result<Vec<Row>> {
    let purpose = Purpose { pinned: false, backend: free_address().await?, streams: false };
    let empty =
        Running::start(Product::Sekisho, kit, &format!("growth-empty-{}", suite.name()), purpose).await?;
    let grown =
        Running::start(Product::Sekisho, kit, &format!("growth-past-{}", suite.name()), purpose).await?;
    let grown = past::give(kit, grown, purpose).await?;
    let mut peers = Vec::with_capacity(PEERS);
    for config in kit.clients(PEERS, suite, Group::X25519)? {
        peers.push(Line::connect(&config, grown.server.address).await?);
    }
    let running = vec![empty, grown];
    let mut load = Load::new(kit, suite, SMALL)?;
    let measured = rounds(kit, "growth", &running, async |one: &Running| load.run(one).await).await?;
    drop(peers);
    stop_all(running).await?;
    let name =
        format!("growth, {} past transfers and {PEERS} peers, {}", kit.scale.past_transfers, suite.name());
    let row = |figure, unit, goal, of: fn(&Cost) -> f64| {
        let about = About { suite: &name, figure, unit, peer: "an empty centre", goal };
        let (empty, grown): (Figures, Figures) =
            (measured.of(0).iter().map(of).collect(), measured.of(1).iter().map(of).collect());
        Row::new(&about, &grown, &empty)
    };
    let rows = [
        row("CPU of each 16 KiB file to its receipt", "µs", Some(Goal::AtMost(1.10)), Cost::cpu_us_per_file),
        row("16 KiB files to their receipt", "/s", None, Cost::files_per_s),
        row("peak memory", "MiB", None, Cost::peak_mib),
    ];
    Ok(rows.into_iter().flatten().collect())
}
