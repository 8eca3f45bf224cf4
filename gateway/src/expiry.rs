//! Transfers that were not finished in time end as expired, and what came of them is dropped.

use std::{sync::Arc, time::Duration};

use protocol::{entry::Event, receiver::Input, transfer_id::TransferKey};
use storage::ledger::LedgerFault;

use crate::{centre::Centre, chain::chain, steps};

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
                    if let Err(fault) = expire(&centre, &key).await {
                        tracing::warn!(transfer = %key, fault = %chain(&fault), "not ended as expired yet");
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

async fn expire(centre: &Arc<Centre>, key: &TransferKey) -> Result<(), LedgerFault> {
    let Some(transfer) = centre.ledger.find(key).await? else { return Ok(()) };
    let entry = centre.transfer_entry(Event::Expired, &transfer, None);
    centre.step(key, steps::logged(Input::Deadline, entry)).await?;
    tracing::info!(transfer = %key, "expired");
    Ok(())
}
