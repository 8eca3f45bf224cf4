//! What every request at the centre shares: its stores, its keys, and what is running.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use pki::{clock, platform, random::random_bytes};
use protocol::{
    checkpoint::LogIdentity,
    entry::{Entry, Event},
    moment::{ClockState, Moment},
    party::{Environment, Identity, Party},
    receiver::Act,
    transfer_id::TransferKey,
};
use storage::{
    audit::AuditLog,
    buffers::Buffers,
    inbox::Inbox,
    ledger::{Ledger, LedgerFault},
    spool::Spool,
    transfer::{Step, Stepped, Transfer},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    attempts::Attempts, blocked::Blocked, counters::Counters, crl_fetch::CrlSources, gate::Gate,
    handover::Handover, in_force::InForce, live::Live, peer::Peer, per_minute::PerMinute, room::Room,
    sink::Means, stream::Exchanges,
};

/// One running centre.
pub struct Centre {
    /// Production or test; the same for the life of the data directory.
    pub environment: Environment,
    /// The receivers this gateway takes files for.
    pub parties: Vec<Party>,
    /// Ledger, spool, log key and admin socket.
    pub data: PathBuf,
    pub(crate) newest: ArcSwap<InForce>,
    /// State of all transfers.
    pub ledger: Arc<dyn Ledger>,
    /// The log, written in the ledger's transactions.
    pub audit: Arc<dyn AuditLog>,
    /// Content on its way.
    pub spool: Arc<dyn Spool>,
    /// Where committed content is handed over.
    pub inbox: Arc<Inbox>,
    /// The centre's log, as named in what it signs.
    pub log: LogIdentity,
    /// Streamed exchanges that run now.
    pub exchanges: Exchanges,
    /// Attempts that bring content now.
    pub attempts: Attempts,
    /// One permit for each attempt that may run at a time.
    pub slots: Arc<Semaphore>,
    /// Tasks that a lost connection does not end: each attempt with its check and commit.
    pub work: TaskTracker,
    /// Set when no new work is taken any more.
    pub stopping: CancellationToken,
    /// Set when what ran is over too, and only then: until then the process can be asked, watched and reloaded.
    pub ending: CancellationToken,
    /// Set when the outcome of a commit is unknown: the process stops and recovers.
    pub broken: CancellationToken,
    /// Rung when something was committed.
    pub committed: Notify,
    /// Whether what is committed is handed over.
    pub handover: Handover,
    /// Who may come in before anybody is known.
    pub gate: Gate,
    /// Balancers' connections whose header has not come yet have a place each.
    pub headers_awaited: Arc<Semaphore>,
    /// Connections of judged peers.
    pub live: Live,
    /// Whom the operator keeps out.
    pub blocked: Blocked,
    /// Buffers for content on its way.
    pub buffers: Buffers,
    /// A permit for each core that may hash content beside the thread that writes it.
    pub cores: Arc<Semaphore>,
    /// Room on the disk, less what belongs to ledger and log alone.
    pub room: Room,
    /// Where revocation lists are fetched from, and what came of it.
    pub crl_sources: CrlSources,
    /// What was turned down, counted by reason.
    pub counters: Counters,
    /// Keeps one identity from filling the audit log with refusals.
    pub denials: PerMinute<Identity>,
    /// Keeps one identity from filling it with forks of its log; apart from the others, so that no fork goes unnoticed.
    pub forks_recorded: PerMinute<Identity>,
    /// Keeps peers that are let in by grace from filling the log.
    pub graces_logged: PerMinute<Identity>,
    /// Attempts that each sender began; how many it may is a setting.
    pub attempts_begun: PerMinute<Party>,
    /// Keeps strangers from filling the log with refused certificates.
    pub refusals_logged: PerMinute<IpNet>,
}

impl Centre {
    /// Settings, keys, anchors, lists and rights as they are now. Whoever needs several of them asks once.
    pub fn in_force(&self) -> Arc<InForce> {
        self.newest.load_full()
    }

    /// Lets these count from now on, for whoever asks next.
    pub fn publish(&self, in_force: InForce) {
        self.newest.store(Arc::new(in_force));
    }

    /// What an attempt takes content in with.
    pub fn means(&self) -> Means {
        Means {
            spool: Arc::clone(&self.spool),
            ledger: Arc::clone(&self.ledger),
            buffers: self.buffers.clone(),
            cores: Arc::clone(&self.cores),
        }
    }

    /// The time, and what the clock is worth.
    pub fn time(&self) -> (Moment, ClockState) {
        (clock::now(), platform::clock_state())
    }

    /// Is this party one that the centre receives for?
    pub fn receives_for(&self, party: &Party) -> bool {
        self.parties.contains(party)
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

    /// Returns when nothing can be committed any more that was told to end before: what the ledger had taken by then is
    /// durable, and whatever it takes later it is forbidden.
    pub async fn settle(&self) {
        // A ledger that cannot write commits nothing either; the centre is broken, and says so itself.
        let _ = self.ledger.settle().await.inspect_err(|fault| self.note_fault(fault));
    }

    /// Looks at what a ledger fault means for the process.
    pub fn note_fault(&self, fault: &LedgerFault) {
        if self.ledger.is_poisoned() && !self.broken.is_cancelled() {
            tracing::error!(%fault, "the ledger's state is unknown; stopping, so that the next start recovers it");
            self.broken.cancel();
        }
    }

    /// Forgets content that will never be committed, or has served. What cannot be removed now is swept at the next start.
    pub async fn drop_content(&self, key: &TransferKey) {
        self.drop_contents(vec![key.clone()]).await;
    }

    /// The same for many.
    pub async fn drop_contents(&self, keys: Vec<TransferKey>) {
        let spool = Arc::clone(&self.spool);
        let dropping = tokio::task::spawn_blocking(move || {
            for transfer in keys {
                if spool.drop_content(&transfer).is_err() {
                    tracing::warn!(%transfer, "content could not be removed from the spool; the next start sweeps it");
                }
            }
        });
        if dropping.await.is_err() {
            tracing::warn!("content could not be removed from the spool; the next start sweeps it");
        }
    }

    /// Writes an entry of its own, outside any transfer. A log that cannot be written stops transfers.
    pub async fn record(&self, entry: Entry) -> Result<(), LedgerFault> {
        self.ledger.record(entry).await.inspect_err(|fault| self.note_fault(fault)).map(|_| ())
    }
}
