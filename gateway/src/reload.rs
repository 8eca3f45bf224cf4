//! Taking up changed settings, certificates, keys, lists and rights while transfers run: build whole, check, publish at
//! once; else keep what is in force, and say so.
//!
//! After a new one counts, every open connection is judged again as its handshake would be now. A connection whose
//! handshake was under way meanwhile finds the new generation when it registers, so that none is missed.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use config::{ConfigError, GatewayConfig};
use pki::clock;
use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    kind::System,
    permission::Action,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use crate::{
    centre::Centre,
    chain::chain,
    confine,
    in_force::{InForce, MaterialFault, files_of},
    listener::refusal_observer,
    live::Open,
    peer::subject_of,
};

/// Why what changed does not count.
#[derive(Debug, thiserror::Error)]
pub enum ReloadFault {
    /// The configuration file.
    #[error("{0}")]
    Configuration(ConfigError),
    /// Keys that a running gateway cannot change.
    #[error("{} cannot be changed while the gateway runs; next: restart it, or take the change back", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// A certificate, key, anchor or list.
    #[error("a certificate, key, anchor or revocation list cannot be used")]
    Material(#[from] MaterialFault),
    /// The log did not take the entry: then nothing may change.
    #[error("the log does not take the entry of the reload")]
    Log(#[from] storage::ledger::LedgerFault),
    /// The thread that builds broke down.
    #[error("the reload ended unexpectedly")]
    ThreadLost,
}

impl ReloadFault {
    /// The stable word, for log and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            ReloadFault::Configuration(_) => "configuration",
            ReloadFault::NeedsRestart(_) => "needs_restart",
            ReloadFault::Material(_) => "material",
            ReloadFault::Log(_) => "log",
            ReloadFault::ThreadLost => "thread_lost",
        }
    }
}

/// What a reload did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// The generation that counts now.
    pub generation: u64,
    /// Connections that were judged again.
    pub judged: usize,
    /// Connections that no longer count, and were ended.
    pub ended: usize,
}

/// Reloads, one at a time.
pub struct Reloader {
    file: PathBuf,
    one_at_a_time: Mutex<()>,
    /// What the last settings name, if they could be read and were refused.
    refused_files: std::sync::Mutex<Vec<PathBuf>>,
    done: AtomicU64,
    refused: AtomicU64,
}

impl Reloader {
    /// From this configuration file.
    pub fn new(file: &Path) -> Self {
        Reloader {
            file: file.to_owned(),
            one_at_a_time: Mutex::new(()),
            refused_files: std::sync::Mutex::default(),
            done: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The configuration file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The files that the last settings name, if these were refused.
    pub fn files_of_refused(&self) -> Vec<PathBuf> {
        self.refused_files.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_files_of_refused(&self, files: Vec<PathBuf>) {
        *self.refused_files.lock().unwrap_or_else(PoisonError::into_inner) = files;
    }

    /// Reloads so far: (took effect, refused).
    pub fn counts(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    /// Reads everything anew and lets it count, or keeps what is in force. `why` is a word for the log.
    pub async fn reload(&self, centre: &Arc<Centre>, why: &'static str) -> Result<Reloaded, ReloadFault> {
        // Whoever waits here may go away without harm; a reload that began is driven to its end by its own caller.
        let _turn = self.turn().await;
        match self.replace(centre).await {
            Ok(reloaded) => {
                self.done.fetch_add(1, Ordering::Relaxed);
                tracing::info!(why, ?reloaded, "reloaded");
                Ok(reloaded)
            }
            Err(fault) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                tracing::error!(why, reason = fault.reason(), fault = %chain(&fault), "reload refused; what was in force stays");
                let note = Some(fault.reason().to_owned());
                // A log that cannot be written has broken the centre, and says so itself.
                let _ = centre.record(Entry { note, ..centre.entry(Event::ReloadRefused) }).await;
                Err(fault)
            }
        }
    }

    /// Waits for the turn of whoever else wants to replace what is in force.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.one_at_a_time.lock().await
    }

    async fn replace(&self, centre: &Arc<Centre>) -> Result<Reloaded, ReloadFault> {
        let held = centre.in_force();
        let file = self.file.clone();
        let read = tokio::task::spawn_blocking(move || GatewayConfig::load(&file));
        let config = read.await.map_err(|_| ReloadFault::ThreadLost)?.map_err(ReloadFault::Configuration)?;
        self.note_files_of_refused(files_of(&config));
        let built = tokio::task::spawn_blocking(move || {
            let fixed = changed_but_fixed(&held.config, &config);
            if !fixed.is_empty() {
                return Err(ReloadFault::NeedsRestart(fixed));
            }
            Ok(InForce::rebuild(config, refusal_observer(), &held)?)
        });
        let new = built.await.map_err(|_| ReloadFault::ThreadLost)??;
        let dangers = new.dangers();
        if let Some(dangers) = &dangers {
            tracing::warn!(dangers, "the settings weaken this gateway");
        }
        let reloaded = let_count(centre, new, dangers).await?;
        self.note_files_of_refused(Vec::new());
        Ok(reloaded)
    }
}

/// Puts the new one on record, lets it count, and judges every open connection by it. For whoever has the
/// [`Reloader::turn`].
pub(crate) async fn let_count(
    centre: &Arc<Centre>,
    new: InForce,
    remark: Option<String>,
) -> Result<Reloaded, ReloadFault> {
    let generation = new.generation;
    let note = match remark {
        None => format!("generation {generation}"),
        Some(remark) => format!("generation {generation}; {remark}"),
    };
    centre.record(Entry { note: Some(note), ..centre.entry(Event::Reloaded) }).await?;
    centre.publish(new);
    centre.gate.limits_changed();
    let (judged, ended) = judge_all(centre).await;
    Ok(Reloaded { generation, judged, ended })
}

/// Settings that a running gateway cannot change, by name, and that differ.
fn changed_but_fixed(held: &GatewayConfig, new: &GatewayConfig) -> Vec<&'static str> {
    let is_confined = matches!(confine::in_force(), confine::Degree::Full | confine::Degree::Partly);
    let compared = [
        ("environment", held.environment == new.environment),
        ("role", held.role == new.role),
        ("parties", held.parties == new.parties),
        ("listen.address", held.listen.address == new.listen.address),
        ("listen.interface", held.listen.interface == new.listen.interface),
        ("listener (its tables, address, interface)", sockets(held).eq(sockets(new))),
        ("storage.data", held.storage.data == new.storage.data),
        ("storage.inbox", held.storage.inbox == new.storage.inbox),
        ("spool", held.spool == new.spool),
        ("limits.transfers_max", held.limits.transfers_max == new.limits.transfers_max),
        ("crl.serve", held.crl.serve == new.crl.serve),
        (
            "crl_urls or route.*.backend (another port)",
            !is_confined || confine::reached_ports(new).is_subset(&confine::reached_ports(held)),
        ),
        ("metrics.address", held.metrics.address == new.metrics.address),
        ("process.confine", held.process.confine == new.process.confine),
        ("process.cores", held.process.cores == new.process.cores),
        ("log.format", held.log.format == new.log.format),
        ("log.level", held.log.level == new.log.level),
    ];
    compared.into_iter().filter(|(_, same)| !same).map(|(name, _)| name).collect()
}

/// What the sockets of further listeners were opened with.
fn sockets(config: &GatewayConfig) -> impl Iterator<Item = (&str, SocketAddr, Option<&str>)> {
    let listeners = config.listeners.iter();
    listeners.map(|of| (of.name.as_str(), of.listen.address, of.listen.interface.as_deref()))
}

/// Judges every open connection by what is in force now, and ends those that no longer count. Also ends the attempts of
/// roles that lost the right to send. Says how many were judged, and how many ended.
pub async fn judge_all(centre: &Arc<Centre>) -> (usize, usize) {
    let in_force = centre.in_force();
    let judging = Arc::clone(&in_force);
    let open: Vec<Open> = centre.live.all().into_iter().filter(|open| !open.is_ending()).collect();
    let judged = open.len();
    let judged_now = tokio::task::spawn_blocking(move || {
        let now = clock::now();
        let no_longer = |open: Open| {
            let reason = judging.judge_again(&open.peer, &open.shown.chain, open.accepted, now).err()?;
            Some((open, reason))
        };
        open.into_iter().filter_map(no_longer).collect::<Vec<_>>()
    });
    let no_longer = match judged_now.await {
        Ok(no_longer) => no_longer,
        Err(_) => {
            // Who could not be judged must not stay.
            tracing::error!("open connections could not be judged; all of them are ended");
            centre.live.all().into_iter().map(|open| (open, "other")).collect()
        }
    };
    let ended = no_longer.len();
    let lost = |role| !in_force.permits(role, System::Claims, Action::Send);
    let stopped = centre.attempts.stop_roles(lost, Cause::Revoked);
    let still = |role, (system, action)| in_force.permits(role, system, action);
    let stopped = stopped + centre.exchanges.end_without(still);
    end_all(centre, &no_longer).await;
    if stopped > 0 {
        tracing::warn!(stopped, "attempts and streamed exchanges ended because their right was withdrawn");
    }
    (judged, ended)
}

/// Ends connections and what runs on them. When all of them are told and none of what they, or attempts told before,
/// brought can be committed any more, puts each on record.
pub async fn end_all(centre: &Arc<Centre>, ended: &[(Open, &'static str)]) {
    for (open, reason) in ended {
        tell_to_end(centre, open, reason);
    }
    centre.settle().await;
    for (open, reason) in ended {
        let entry = Entry {
            subject: Some(subject_of(&open.peer, open.source)),
            cause: Some(Cause::Revoked),
            note: Some((*reason).to_owned()),
            ..centre.entry(Event::ConnectionEnded)
        };
        // A log that cannot be written has broken the centre, and says so itself.
        let _ = centre.record(entry).await;
    }
}

fn tell_to_end(centre: &Centre, open: &Open, reason: &'static str) {
    // The connection first: an attempt that begins only now finds it ended. It still carries what runs for a moment, in
    // which those attempts are told why.
    open.end();
    centre.attempts.stop_on(open.id, Cause::Revoked);
    centre.counters.count(crate::counters::Stage::Certificate, "ended_open_connection");
    tracing::warn!(identity = %open.peer.identity(), serial = open.peer.serial(), reason, "open connection ended");
}
