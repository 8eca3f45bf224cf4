//! Handing committed content over: exactly once, as its reader sees it, and independent of any connection.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use protocol::{entry::Event, jws::Unverified, statement::Manifest, transfer_id::TransferKey};
use serde_json::json;
use storage::{
    inbox::{Expected, InboxFault},
    ledger::LedgerFault,
    spool::SpoolFault,
    transfer::Transfer,
};

use crate::{centre::Centre, chain::chain, room::Promise};

/// The pause after a delivery that failed: a full or absent inbox is mended by people.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why a committed transfer could not be handed over. It stays committed and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryFault {
    /// The ledger could not be read or written.
    #[error("the ledger does not answer")]
    Ledger(#[from] LedgerFault),
    /// The content could not be read from the spool.
    #[error("the content cannot be read from the spool")]
    Spool(#[from] SpoolFault),
    /// The inbox did not take it.
    #[error("the inbox does not take the content")]
    Inbox(#[from] InboxFault),
    /// It would touch what belongs to ledger and log, or more than its disk has.
    #[error("the disk of the inbox has no room for it; next: make room")]
    NoRoom,
    /// A committed transfer without its receipt.
    #[error("the ledger holds no receipt of it")]
    NoReceipt,
    /// The stored manifest cannot be read.
    #[error("the stored manifest cannot be read")]
    Manifest,
    /// The thread that copied broke down.
    #[error("the copying thread ended unexpectedly")]
    ThreadLost,
}

/// Delivers what is committed, now and whenever something new is, until the centre stops.
pub async fn run(centre: Arc<Centre>) {
    loop {
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = centre.handover.let_go() => {}
        }
        let failed = deliver_all(&centre).await;
        // Dropping either wait loses nothing: what is undelivered stands in the ledger.
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = centre.committed.notified() => {}
            () = tokio::time::sleep(RETRY_AFTER), if failed => {}
        }
    }
}

/// Tries everything undelivered once; did anything fail?
async fn deliver_all(centre: &Arc<Centre>) -> bool {
    let keys = match centre.ledger.undelivered().await {
        Ok(keys) => keys,
        Err(fault) => {
            tracing::error!(fault = %chain(&fault), "what is to be delivered cannot be read");
            return true;
        }
    };
    let mut failed = false;
    for key in keys {
        if centre.stopping.is_cancelled() || centre.handover.is_held() {
            return false;
        }
        if let Err(fault) = deliver(centre, &key).await {
            tracing::error!(transfer = %key, fault = %chain(&fault), "not delivered yet; tried again");
            failed = true;
        }
    }
    failed
}

async fn deliver(centre: &Arc<Centre>, key: &TransferKey) -> Result<(), DeliveryFault> {
    let Some(transfer) = centre.ledger.find(key).await? else { return Ok(()) };
    let transfer = Arc::new(transfer);
    let copying = {
        let (centre, transfer) = (Arc::clone(centre), Arc::clone(&transfer));
        tokio::task::spawn_blocking(move || copy(&centre, &transfer))
    };
    copying.await.map_err(|_| DeliveryFault::ThreadLost)??;
    let entry = centre.transfer_entry(Event::Delivered, &transfer, None);
    let delivered = centre.ledger.delivered(key, entry.time, entry).await;
    delivered.inspect_err(|fault| centre.note_fault(fault))?;
    tracing::info!(transfer = %key, "delivered");
    // The inbox holds it durably now and on record; the spool's copy has served.
    centre.drop_content(key).await;
    Ok(())
}

/// Blocks.
fn copy(centre: &Centre, transfer: &Transfer) -> Result<(), DeliveryFault> {
    let manifest = Unverified::<Manifest>::parse(&transfer.manifest).map_err(|_| DeliveryFault::Manifest)?;
    let receipt = transfer.receipt.as_deref().ok_or(DeliveryFault::NoReceipt)?;
    let summary = summary(transfer, manifest.claimed());
    let parts: [(&str, &[u8]); 3] = [
        ("manifest.jws", transfer.manifest.as_bytes()),
        ("receipt.jws", receipt.as_bytes()),
        ("summary.json", summary.as_bytes()),
    ];
    let parts_length: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
    let wanted = transfer.length.saturating_add(parts_length as u64);
    let room = centre.room.promise_delivery(wanted, &centre.in_force().config.limits);
    let room = room.ok_or(DeliveryFault::NoRoom)?;
    let content = centre.spool.read(&transfer.key, transfer.length)?;
    let mut content = Counted { content, room, before: 0 };
    let expected = Expected { length: transfer.length, sha256: transfer.sha256 };
    match centre.inbox.deliver(&transfer.key, &mut content, expected, &parts) {
        Ok(_) => Ok(()),
        Err(InboxFault::Read(error)) => Err(SpoolFault::of_reading(error).into()),
        Err(fault) => Err(fault.into()),
    }
}

/// Content on its way into the inbox: when the next piece is asked for, the one before it was written.
struct Counted {
    content: Box<dyn Read + Send>,
    room: Promise,
    before: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.room.written(std::mem::take(&mut self.before));
        let count = self.content.read(buffer)?;
        self.before = count as u64;
        Ok(count)
    }
}

/// What the reader of the inbox needs to know without reading signed statements.
fn summary(transfer: &Transfer, manifest: &Manifest) -> String {
    let summary = json!({
        "transfer_id": transfer.key.id,
        "sender": transfer.key.sender,
        "receiver": transfer.submission.receiver,
        "kind": transfer.submission.kind,
        "claim_month": transfer.submission.claim_month,
        "class": transfer.class,
        "file_name": manifest.file_name,
        "length": transfer.length,
        "sha256": transfer.sha256,
        "offered_at": transfer.offered_at,
    });
    format!("{summary:#}\n")
}
