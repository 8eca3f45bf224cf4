//! Everything a centre needs, built and checked whole before it listens: material, stores, recovery.

use std::sync::Arc;

use arc_swap::ArcSwap;
use config::gateway::GatewayConfig;
use durable::Access;
use pki::{clock, log_key::LogKey};
use protocol::{
    cause::Cause,
    checkpoint::LogSigner as _,
    entry::{Entry, Event},
    party::Environment,
    receiver::{Input, Phase},
    transfer_id::TransferKey,
};
use storage::{
    audit::{AuditFault, AuditLog},
    buffers::Buffers,
    inbox::{Inbox, InboxFault},
    ledger::{Ledger, LedgerFault},
    spool::{FileSpool, Keep, Spool, SpoolFault},
    sqlite::{OpenFault, SqliteLedger},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    attempts::Attempts,
    blocked::{BlockFault, Blocked},
    centre::Centre,
    chain::chain,
    counters::Counters,
    crl_fetch::CrlSources,
    gate::Gate,
    handover::Handover,
    in_force::{InForce, MaterialFault},
    limits::{
        ATTEMPTING_SENDERS_MAX, BALANCER_HEADERS_MAX, DENIALS_PER_MINUTE_MAX, DENIED_IDENTITIES_MAX,
        FORKS_PER_MINUTE_MAX, GRACED_IDENTITIES_MAX, GRACES_PER_MINUTE_MAX, REFUSALS_PER_MINUTE_MAX,
        REFUSED_SOURCES_MAX,
    },
    listener::refusal_observer,
    live::Live,
    log_key::{self, LogKeyMissing},
    per_minute::PerMinute,
    room::Room,
    spool_key::{self, SpoolKeyFault},
    steps,
    stream::Exchanges,
    watching::spare_cores,
};

/// The ledger below the data directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// Why a centre does not start. Nothing listens then.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// As root.
    #[error(
        "production does not run as root; next: make a user for it, as config/systemd/sekisho-gateway.service does"
    )]
    Root,
    /// Certificates, keys, anchors or lists.
    #[error(transparent)]
    Material(#[from] MaterialFault),
    /// The key that seals content.
    #[error(transparent)]
    SpoolKey(#[from] SpoolKeyFault),
    /// The list of blocked peers.
    #[error(transparent)]
    Blocked(#[from] BlockFault),
    /// The log's key.
    #[error("the centre's log cannot be opened")]
    LogKey(#[from] LogKeyMissing),
    /// The data directory.
    #[error("the data directory cannot be made")]
    Data(#[source] std::io::Error),
    /// The ledger.
    #[error("the ledger cannot be opened")]
    Ledger(#[from] OpenFault),
    /// The ledger, after it was opened.
    #[error("the ledger cannot be recovered")]
    Recovery(#[from] LedgerFault),
    /// The log.
    #[error("the log cannot be read")]
    Audit(#[from] AuditFault),
    /// The spool.
    #[error("the spool cannot be opened or recovered")]
    Spool(#[from] SpoolFault),
    /// The inbox.
    #[error("the inbox cannot be opened")]
    Inbox(#[from] InboxFault),
    /// Content that a receipt promises is gone.
    #[error(
        "content of {transfer} is missing from the spool although its receipt was given; next: restore it from a backup, or call for help"
    )]
    ContentLost {
        /// Whose.
        transfer: String,
    },
    /// A thread broke down.
    #[error("recovery ended unexpectedly")]
    ThreadLost,
}

/// A centre that is ready to listen.
pub struct Ready {
    /// What requests share.
    pub centre: Arc<Centre>,
    /// To be closed at the end.
    pub ledger: Arc<SqliteLedger>,
}

/// What this user may not start at all.
pub fn may_start(config: &GatewayConfig) -> Result<(), StartFault> {
    if config.environment == Environment::Production && rustix::process::geteuid().is_root() {
        return Err(StartFault::Root);
    }
    Ok(())
}

/// Builds the centre: material first, then the stores, then recovery. Nothing listens yet.
pub async fn start(config: GatewayConfig) -> Result<Ready, StartFault> {
    may_start(&config)?;
    let in_force = {
        // Hundreds of thousands of revoked certificates take their time.
        let build = move || InForce::build(config, refusal_observer(), 1);
        tokio::task::spawn_blocking(build).await.map_err(|_| StartFault::ThreadLost)??
    };
    let config = &in_force.config;
    let seal = spool_key::load(&config.spool.seal)?;
    let data = config.storage.data.clone();
    durable::create_directory(&data, Access::Private).map_err(StartFault::Data)?;
    let party = config.parties.first().ok_or(StartFault::ThreadLost)?;
    let key: Arc<LogKey> = Arc::new(log_key::load_or_create(&data, config.environment, party)?);
    let log = key.log().clone();
    // The ledger last: opening it may bring it to a newer version, which no older program reads, and whoever is told by the
    // spool to go back to one must be able to.
    let buffers = Buffers::default();
    let spool = FileSpool::open(&data.join("spool"), config.environment, seal, buffers.clone())?;
    let spool: Arc<dyn Spool> = Arc::new(spool);
    let inbox = Arc::new(Inbox::open(&config.storage.inbox)?);
    let ledger = Arc::new(SqliteLedger::open(&data.join(LEDGER_FILE), config.environment, key).await?);
    let centre = Arc::new(Centre {
        environment: config.environment,
        parties: config.parties.clone(),
        ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
        audit: Arc::clone(&ledger) as Arc<dyn AuditLog>,
        spool,
        inbox,
        log,
        exchanges: Exchanges::default(),
        attempts: Attempts::default(),
        slots: Arc::new(Semaphore::new(config.limits.transfers_max as usize)),
        work: TaskTracker::new(),
        stopping: CancellationToken::new(),
        ending: CancellationToken::new(),
        broken: CancellationToken::new(),
        committed: Notify::new(),
        handover: Handover::default(),
        gate: Gate::default(),
        headers_awaited: Arc::new(Semaphore::new(BALANCER_HEADERS_MAX)),
        live: Live::default(),
        blocked: Blocked::load(&data)?,
        crl_sources: CrlSources::default(),
        buffers,
        cores: spare_cores(),
        room: Room::of(&data, &config.storage.inbox),
        counters: Counters::default(),
        denials: PerMinute::new(DENIALS_PER_MINUTE_MAX, DENIED_IDENTITIES_MAX),
        forks_recorded: PerMinute::new(FORKS_PER_MINUTE_MAX, DENIED_IDENTITIES_MAX),
        graces_logged: PerMinute::new(GRACES_PER_MINUTE_MAX, GRACED_IDENTITIES_MAX),
        attempts_begun: PerMinute::new(0, ATTEMPTING_SENDERS_MAX),
        refusals_logged: PerMinute::new(REFUSALS_PER_MINUTE_MAX, REFUSED_SOURCES_MAX),
        data,
        newest: ArcSwap::from_pointee(in_force),
    });
    if centre.audit.head().await?.checkpoint.size == 0 {
        centre.record(centre.entry(Event::LogOpened)).await?;
    }
    recover(&centre).await?;
    for (section, trust) in centre.in_force().trusts() {
        for fault in trust.left_out() {
            tracing::warn!(section, fault = %chain(fault), "a revocation list that was fetched before cannot be used");
        }
    }
    let dangers = centre.in_force().dangers();
    if let Some(dangers) = &dangers {
        tracing::warn!(dangers, "the settings weaken this gateway");
    }
    centre.record(Entry { note: dangers, ..centre.entry(Event::Started) }).await?;
    Ok(Ready { centre, ledger })
}

/// After a stop, whatever it was: attempts that were running end as restarted, and the spool keeps what the ledger
/// speaks of, nothing else.
async fn recover(centre: &Arc<Centre>) -> Result<(), StartFault> {
    let restarted = {
        let entry = |transfer: &storage::transfer::Transfer| Entry {
            cause: Some(Cause::Restarted),
            ..centre.transfer_entry(Event::Aborted, transfer, None)
        };
        centre.ledger.restart(clock::now(), &entry).await?
    };
    for transfer in &restarted {
        tracing::warn!(%transfer, "an attempt was running at the last stop; it ended as restarted");
    }
    // After a long time without delivery this takes long, and nobody is served meanwhile.
    let waiting = centre.ledger.counts().await?.undelivered;
    tracing::info!(waiting, "what the spool keeps is read; then connections are taken");
    let recovered = {
        let (centre, runtime) = (Arc::clone(centre), tokio::runtime::Handle::current());
        let recovery = tokio::task::spawn_blocking(move || {
            // What cannot be read from the ledger is kept; the next start looks again.
            let wanted = |key: &TransferKey| match runtime.block_on(centre.ledger.find(key)) {
                Ok(transfer) => keep(transfer.as_ref()),
                Err(_) => Keep::Unknown,
            };
            centre.spool.recover(&wanted)
        });
        recovery.await.map_err(|_| StartFault::ThreadLost)??
    };
    tracing::info!(kept = recovered.kept, removed = recovered.removed, "spool recovered");
    for name in &recovered.strange {
        tracing::warn!(name, "the spool holds something that is not its own; it was left alone");
    }
    for key in &recovered.damaged {
        give_up_damaged(centre, key).await?;
    }
    for key in centre.ledger.undelivered().await? {
        if centre.spool.finished_length(&key)?.is_none() {
            return Err(StartFault::ContentLost { transfer: key.to_string() });
        }
    }
    Ok(())
}

/// Content without a receipt begins anew; content that a receipt promises must not be missed in silence.
async fn give_up_damaged(centre: &Arc<Centre>, key: &TransferKey) -> Result<(), StartFault> {
    let promised = match centre.ledger.find(key).await? {
        Some(transfer) => transfer.state.phase == Phase::Committed,
        None => false,
    };
    if promised {
        return Err(StartFault::ContentLost { transfer: key.to_string() });
    }
    tracing::warn!(transfer = %key, "durable content is damaged; its next attempt begins anew");
    centre.step(key, steps::unlogged(Input::ContentLost, clock::now())).await?;
    Ok(())
}

fn keep(transfer: Option<&storage::transfer::Transfer>) -> Keep {
    let Some(transfer) = transfer else { return Keep::Nothing };
    match transfer.state.phase {
        Phase::Committed if transfer.delivered_at.is_none() => Keep::Whole(transfer.length),
        Phase::Offered | Phase::Receiving | Phase::Checking | Phase::Aborted(_) => {
            Keep::Prefix(transfer.state.offset)
        }
        Phase::Committed | Phase::Refused(_) => Keep::Nothing,
    }
}
