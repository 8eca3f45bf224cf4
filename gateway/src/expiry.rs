//! Transfers that were not finished in time end as expired, and what came of them is dropped.

use std::{sync::Arc, time::Duration};

use protocol::{problem::Problem, receiver::Input, transfer_id::TransferKey};

use crate::{centre::Centre, chain::chain, refusal, turned::Turned};

/// How often deadlines are looked at: they are days away when set.
const EVERY: Duration = Duration::from_secs(60);

/// Transfers ended in one go; the rest follows in the next.
const AT_ONCE: u32 = 1000;

/// Ends overdue transfers until the centre stops.
pub async fn run(centre: Arc<Centre>) {
    loop {
        match centre.ledger.overdue(pki::clock::now(), AT_ONCE).await {
            Ok(keys) => {
                for key in keys {
                    if let Err(turned) = expire(&centre, &key).await {
                        let detail = turned.detail;
                        tracing::warn!(transfer = %key, detail, "not ended as expired yet");
                    }
                }
            }
            Err(fault) => tracing::error!(fault = %chain(&fault), "deadlines cannot be read"),
        }
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn expire(centre: &Arc<Centre>, key: &TransferKey) -> Result<(), Turned> {
    // That content is on its way need not be on record.
    if centre.attempts.is_running(key) {
        return Ok(());
    }
    let Some(transfer) = centre.ledger.find(key).await? else { return Ok(()) };
    let step = refusal::step(centre, &transfer, None, Input::Deadline, Problem::Expired.into())?;
    centre.step(key, step).await?;
    tracing::info!(transfer = %key, "expired");
    Ok(())
}
