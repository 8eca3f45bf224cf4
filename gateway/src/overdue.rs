//! No connection lives longer than the certificates that it was opened with, those of the authorities above included.

use std::{sync::Arc, time::Duration};

use crate::{centre::Centre, reload::end_all};

/// How often somebody looks.
const EVERY: Duration = Duration::from_secs(1);

/// Ends what is over, until the centre ends.
pub async fn run(centre: Arc<Centre>) {
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
    }
}
