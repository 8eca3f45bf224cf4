//! What every request at the centre shares: its stores, its keys, and what is running.

use std::sync::Arc;

use config::gateway::GatewayConfig;
use pki::{
    clock,
    evidence::{EvidenceSigner, EvidenceVerifier},
    platform,
    random::random_bytes,
};
use protocol::{
    checkpoint::LogIdentity,
    entry::{Entry, Event},
    moment::{ClockState, Moment},
    party::Party,
    receiver::Act,
    transfer_id::TransferKey,
};
use storage::{
    audit::AuditLog,
    inbox::Inbox,
    ledger::{Ledger, LedgerFault},
    spool::Spool,
    transfer::{Step, Stepped, Transfer},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{attempts::Attempts, counters::Counters, denials::Denials, peer::Peer};

/// One running centre.
pub struct Centre {
    /// As read at start.
    pub config: GatewayConfig,
    /// State of all transfers.
    pub ledger: Arc<dyn Ledger>,
    /// The log, written in the ledger's transactions.
    pub audit: Arc<dyn AuditLog>,
    /// Content on its way.
    pub spool: Arc<dyn Spool>,
    /// Where committed content is handed over.
    pub inbox: Arc<Inbox>,
    /// Signs receipts and refusals.
    pub signer: EvidenceSigner,
    /// Judges manifests and acknowledgements.
    pub verifier: EvidenceVerifier,
    /// The centre's log, as named in what it signs.
    pub log: LogIdentity,
    /// Attempts that bring content now.
    pub attempts: Attempts,
    /// One permit for each attempt that may run at a time.
    pub slots: Arc<Semaphore>,
    /// Tasks that a lost connection does not end: each attempt with its check and commit.
    pub work: TaskTracker,
    /// Set when no new work is taken any more.
    pub stopping: CancellationToken,
    /// Set when the outcome of a commit is unknown: the process stops and recovers.
    pub broken: CancellationToken,
    /// Rung when something was committed.
    pub committed: Notify,
    /// What was turned down before a handler ran, counted by reason.
    pub counters: Arc<Counters>,
    /// Keeps one identity from filling the log with refusals.
    pub denials: Denials,
}

impl Centre {
    /// The time, and what the clock is worth.
    pub fn time(&self) -> (Moment, ClockState) {
        (clock::now(), platform::clock_state())
    }

    /// Is this party one that the centre receives for?
    pub fn receives_for(&self, party: &Party) -> bool {
        self.config.parties.contains(party)
    }

    /// An entry for the log, with time and salt.
    pub fn entry(&self, event: Event) -> Entry {
        let (now, clock) = self.time();
        // Without randomness an entry could be guessed back from its hash; it is still better than no entry.
        Entry::new(event, now, clock, random_bytes::<16>().unwrap_or_default())
    }

    /// An entry about a transfer, and who was at the other end.
    pub fn transfer_entry(&self, event: Event, transfer: &Transfer, peer: Option<&Peer>) -> Entry {
        Entry {
            subject: peer.map(Peer::subject),
            sender: Some(transfer.key.sender.clone()),
            transfer_id: Some(transfer.key.id),
            kind: Some(transfer.submission.kind),
            class: Some(transfer.class),
            length: Some(transfer.length),
            sha256: Some(transfer.sha256),
            manifest_sha256: Some(transfer.manifest_sha256),
            ..self.entry(event)
        }
    }

    /// Takes a step in a transfer's life, and does what follows from it. When the outcome is unknown the centre is
    /// broken and the process ends.
    pub async fn step(&self, key: &TransferKey, step: Step) -> Result<Stepped, LedgerFault> {
        let stepped = self.ledger.step(key, step).await.inspect_err(|fault| self.note_fault(fault))?;
        for act in &stepped.acts {
            match act {
                Act::EndAttempt { cause, .. } => self.attempts.stop(key, *cause),
                Act::DropContent => self.drop_content(key).await,
                Act::Deliver => self.committed.notify_one(),
                // Whoever took the step holds the answer in hand, and goes on.
                Act::TakeContent { .. } | Act::ReleaseReceipt | Act::ReleaseRefusal => {}
            }
        }
        Ok(stepped)
    }

    /// Looks at what a ledger fault means for the process.
    pub fn note_fault(&self, fault: &LedgerFault) {
        if self.ledger.is_poisoned() && !self.broken.is_cancelled() {
            tracing::error!(%fault, "the ledger's state is unknown; stopping, so that the next start recovers it");
            self.broken.cancel();
        }
    }

    /// Forgets content that will never be committed. What cannot be removed now is swept at the next start.
    pub async fn drop_content(&self, key: &TransferKey) {
        let (spool, owned) = (Arc::clone(&self.spool), key.clone());
        let dropped = tokio::task::spawn_blocking(move || spool.drop_content(&owned)).await;
        if !matches!(dropped, Ok(Ok(()))) {
            tracing::warn!(transfer = %key, "content could not be removed from the spool; the next start sweeps it");
        }
    }

    /// Writes an entry of its own, outside any transfer. A log that cannot be written stops transfers.
    pub async fn record(&self, entry: Entry) -> Result<(), LedgerFault> {
        self.ledger.record(entry).await.inspect_err(|fault| self.note_fault(fault)).map(|_| ())
    }
}
