//! Handing committed content over: exactly once, as its reader sees it, and independent of any connection.

use std::{
    borrow::Cow,
    io::{self, Read},
    sync::Arc,
};

use protocol::{entry::Event, jws::Unverified, statement::Manifest, transfer_id::TransferKey};
use serde_json::json;
use storage::{
    inbox::{Expected, HandOver, InboxFault},
    ledger::LedgerFault,
    spool::SpoolFault,
    transfer::Transfer,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    centre::Centre,
    chain::chain,
    later::{Later, RETRY_AFTER},
    limits::{DELIVERED_TOGETHER_BYTES_MAX, DELIVERED_TOGETHER_MAX},
    room::Promise,
};

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
    let mut later = Later::default();
    loop {
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = centre.handover.let_go() => {}
        }
        if !deliver_all(&centre, &mut later).await {
            // It was told to stop or to hold in the middle, and has more to do.
            continue;
        }
        // Dropping either wait loses nothing: what is undelivered stands in the ledger.
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = centre.committed.notified() => {}
            () = later.due() => {}
        }
    }
}

/// Tries everything undelivered once, but for what is to be tried later. False if it had to stop before the end.
async fn deliver_all(centre: &Arc<Centre>, later: &mut Later) -> bool {
    later.begin(Instant::now());
    let keys = match centre.ledger.undelivered().await {
        Ok(keys) => keys,
        Err(fault) => {
            tracing::error!(fault = %chain(&fault), "what is to be delivered cannot be read");
            later.not_asked(Instant::now());
            return true;
        }
    };
    let mut batch = Batch::default();
    for key in keys {
        if later.waits(&key) {
            continue;
        }
        if centre.stopping.is_cancelled() || centre.handover.is_held() {
            return false;
        }
        match centre.ledger.find(&key).await {
            Ok(Some(transfer)) => {
                if let Some(full) = batch.add(transfer)
                    && !deliver(centre, full, later).await
                {
                    return false;
                }
            }
            Ok(None) => {}
            Err(fault) => not_yet(&key, &fault.into(), later),
        }
    }
    batch.0.is_empty() || deliver(centre, batch.0, later).await
}

/// Transfers that are delivered together.
#[derive(Default)]
struct Batch(Vec<Transfer>);

impl Batch {
    /// Adds one; yields those before it if it is too much beside them.
    fn add(&mut self, transfer: Transfer) -> Option<Vec<Transfer>> {
        let bytes = |transfers: &[Transfer]| transfers.iter().map(|transfer| transfer.length).sum::<u64>();
        let fits = self.0.len() < DELIVERED_TOGETHER_MAX
            && bytes(&self.0).saturating_add(transfer.length) <= DELIVERED_TOGETHER_BYTES_MAX;
        let full = (!fits && !self.0.is_empty()).then(|| std::mem::take(&mut self.0));
        self.0.push(transfer);
        full
    }
}

/// Hands these over and puts it on record, if that may be now; whether it may.
async fn deliver(centre: &Arc<Centre>, transfers: Vec<Transfer>, later: &mut Later) -> bool {
    let Some(_turn) = centre.handover.turn().await else { return false };
    if centre.stopping.is_cancelled() {
        return false;
    }
    let transfers = Arc::new(transfers);
    let copying = {
        let (centre, transfers) = (Arc::clone(centre), Arc::clone(&transfers));
        tokio::task::spawn_blocking(move || copy_all(&centre, &transfers))
    };
    let Ok(copied) = copying.await else {
        for transfer in transfers.iter() {
            not_yet(&transfer.key, &DeliveryFault::ThreadLost, later);
        }
        return true;
    };
    // Asked for together, so that they share transactions.
    let mut noting = JoinSet::new();
    for (at, copied) in copied.into_iter().enumerate() {
        let (centre, transfers) = (Arc::clone(centre), Arc::clone(&transfers));
        noting.spawn(async move {
            let noted = match (copied, transfers.get(at)) {
                (Ok(()), Some(transfer)) => note(&centre, transfer).await,
                (Err(fault), _) => Err(fault),
                (Ok(()), None) => Err(DeliveryFault::ThreadLost),
            };
            (at, noted)
        });
    }
    let mut outcomes: Vec<_> = transfers.iter().map(|_| Err(DeliveryFault::ThreadLost)).collect();
    while let Some(noted) = noting.join_next().await {
        if let Ok((at, noted)) = noted
            && let Some(outcome) = outcomes.get_mut(at)
        {
            *outcome = noted;
        }
    }
    let mut delivered = Vec::with_capacity(transfers.len());
    for (transfer, outcome) in transfers.iter().zip(outcomes) {
        match outcome {
            Ok(()) => delivered.push(transfer.key.clone()),
            Err(fault) => not_yet(&transfer.key, &fault, later),
        }
    }
    // The inbox holds them durably now and on record; the spool's copies have served.
    centre.drop_contents(delivered).await;
    true
}

fn not_yet(key: &TransferKey, fault: &DeliveryFault, later: &mut Later) {
    tracing::error!(transfer = %key, fault = %chain(fault), again_in = ?RETRY_AFTER, "not delivered yet; tried again");
    later.failed(key, Instant::now());
}

async fn note(centre: &Centre, transfer: &Transfer) -> Result<(), DeliveryFault> {
    let entry = centre.transfer_entry(Event::Delivered, transfer, None);
    let delivered = centre.ledger.delivered(&transfer.key, entry.time, entry).await;
    delivered.inspect_err(|fault| centre.note_fault(fault))?;
    tracing::info!(transfer = %transfer.key, "delivered");
    Ok(())
}

/// Says of each what came of it. Blocks.
fn copy_all(centre: &Centre, transfers: &[Transfer]) -> Vec<Result<(), DeliveryFault>> {
    // What cannot be opened is not among them.
    let mut handovers = Vec::with_capacity(transfers.len());
    let opened = transfers.iter().map(|transfer| open(centre, transfer).map(|open| handovers.push(open)));
    let opened: Vec<_> = opened.collect();
    let mut delivered = centre.inbox.deliver(&mut handovers, &centre.buffers).into_iter();
    let outcomes = opened.into_iter().map(|opened| {
        opened?;
        match delivered.next() {
            Some(Ok(_)) => Ok(()),
            Some(Err(InboxFault::Read(error))) => Err(SpoolFault::of_reading(error).into()),
            Some(Err(fault)) => Err(fault.into()),
            None => Err(DeliveryFault::ThreadLost),
        }
    });
    outcomes.collect()
}

/// Finds room and content, and what accompanies it.
fn open<'a>(centre: &Centre, transfer: &'a Transfer) -> Result<HandOver<'a>, DeliveryFault> {
    let manifest = Unverified::<Manifest>::parse(&transfer.manifest).map_err(|_| DeliveryFault::Manifest)?;
    let receipt = transfer.receipt.as_deref().ok_or(DeliveryFault::NoReceipt)?;
    let summary = summary(transfer, manifest.claimed());
    let parts: Vec<(&str, Cow<'a, [u8]>)> = vec![
        ("manifest.jws", transfer.manifest.as_bytes().into()),
        ("receipt.jws", receipt.as_bytes().into()),
        ("summary.json", summary.into_bytes().into()),
    ];
    let parts_length: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
    let wanted = transfer.length.saturating_add(parts_length as u64);
    let room = centre.room.promise_delivery(wanted, &centre.in_force().config.limits);
    let room = room.ok_or(DeliveryFault::NoRoom)?;
    let content = centre.spool.read(&transfer.key, transfer.length)?;
    Ok(HandOver {
        key: transfer.key.clone(),
        content: Box::new(Counted { content, room, before: 0 }),
        expected: Expected { length: transfer.length, sha256: transfer.sha256 },
        parts,
    })
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
