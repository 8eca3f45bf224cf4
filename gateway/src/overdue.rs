//! No connection lives longer than the certificates that it was opened with, those of the authorities above included, or
//! than the revocation lists by which they count.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    centre::Centre,
    reload::{end_all, judge_all},
};

/// How often somebody looks.
const EVERY: Duration = Duration::from_secs(1);

/// Ends what is over, until the centre ends.
pub async fn run(centre: Arc<Centre>) {
    let mut looked_at = pki::clock::now();
    // A handshake that was judged just before a list ended may register only after the others were judged again.
    let mut once_more = None;
    loop {
        tokio::select! {
            biased;
            () = centre.ending.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = pki::clock::now();
        let over =
            centre.live.all().into_iter().filter(|open| open.peer.path_ends() < now && !open.is_ending());
        end_all(&centre, &over.map(|open| (open, "expired")).collect::<Vec<_>>()).await;
        let in_force = centre.in_force();
        let mut lists = in_force.listeners().iter().map(|listener| listener.trust().crls());
        if lists.any(|lists| lists.any_ended(looked_at, now)) {
            let (judged, ended) = judge_all(&centre).await;
            tracing::warn!(judged, ended, "a revocation list has ended; open connections were judged again");
            once_more = Some(Instant::now() + in_force.config.link.handshake_max);
        } else if once_more.is_some_and(|due| due <= Instant::now()) {
            once_more = None;
            judge_all(&centre).await;
        }
        looked_at = now;
    }
}
