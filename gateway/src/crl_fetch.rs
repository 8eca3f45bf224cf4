//! Fetching revocation lists: from each configured address as often as `crl.refresh` says, and every minute while what it
//! gives is missing, has ended or soon ends. What is good counts at once; what is not leaves the last good one in force.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use config::{gateway::GatewayConfig, reader::HttpUrl};
use pki::{
    clock,
    crl::Crl,
    crl_cache::CrlCache,
    fetch::{FetchFault, fetch},
    random::random_bytes,
    trust::{Fetched, TrustFault},
};
use protocol::moment::Moment;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    centre::Centre,
    chain::chain,
    in_force::{InForce, sections},
    limits::{CRL_FETCHES_AT_ONCE, CRL_SOON_EVERY, CRL_SOON_MS, LISTS_NAMED_MAX},
    listener::refusal_observer,
    reload::{ReloadFault, Reloader, let_count},
};

/// How often it is looked whether an address is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What came of a fetch, for metrics: every word there is.
const RESULTS: [&str; 10] = [
    "new",
    "unchanged",
    "unreachable",
    "status",
    "broken",
    "too_large",
    "too_slow",
    "crl_invalid",
    "crl_rollback",
    "not_taken_up",
];

/// Why what an address gives does not count.
#[derive(Debug, thiserror::Error)]
enum NotFetched {
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    #[error("what was fetched is not used under [{section}]")]
    Refused {
        section: String,
        #[source]
        source: TrustFault,
    },
    #[error("what was fetched could not be taken up")]
    NotTakenUp(#[from] ReloadFault),
}

impl NotFetched {
    fn reason(&self) -> &'static str {
        match self {
            NotFetched::Fetch(fault) => fault.reason(),
            NotFetched::Refused { source: TrustFault::Crl { source, .. }, .. } => source.code(),
            NotFetched::Refused { .. } => "crl_invalid",
            NotFetched::NotTakenUp(_) => "not_taken_up",
        }
    }
}

/// One address, as it stands.
#[derive(Clone, Debug)]
pub struct Source {
    /// When it is asked next; while it is asked, when it is asked again if nothing ever comes of that.
    next: Instant,
    /// When the list that it gave last was made, and when it ends; none if it gave none since the start.
    life: Option<(Moment, Moment)>,
    /// When it last gave a good list.
    pub fetched_at: Option<Moment>,
    /// Why it gave none when it was asked last: stable word, and the text for people.
    pub failing: Option<(&'static str, String)>,
}

/// The addresses that lists are fetched from, and what came of it.
pub struct CrlSources {
    sources: Mutex<BTreeMap<HttpUrl, Source>>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    at_once: Semaphore,
}

impl Default for CrlSources {
    fn default() -> Self {
        CrlSources {
            sources: Mutex::default(),
            counts: Mutex::default(),
            at_once: Semaphore::new(CRL_FETCHES_AT_ONCE),
        }
    }
}

impl CrlSources {
    /// Every address as it stands.
    pub fn all(&self) -> BTreeMap<HttpUrl, Source> {
        lock(&self.sources).clone()
    }

    /// Fetches since the start, by what came of them.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = lock(&self.counts).clone();
        RESULTS.into_iter().map(move |result| (result, counts.get(result).copied().unwrap_or_default()))
    }

    /// The configured addresses that are due. None of them is due again before [`CrlSources::note`] was told what came, or
    /// that is overdue.
    fn due(&self, config: &GatewayConfig, now: Instant) -> Vec<HttpUrl> {
        let mut sources = lock(&self.sources);
        let configured: Vec<&HttpUrl> = sections(config).flat_map(|(_, files)| &files.crl_urls).collect();
        sources.retain(|url, _| configured.contains(&url));
        let mut due = Vec::new();
        for url in configured {
            let new = || Source { next: now, life: None, fetched_at: None, failing: None };
            let source = sources.entry(url.clone()).or_insert_with(new);
            if source.next <= now {
                source.next = now + config.crl.fetching.fetch_max + CRL_SOON_EVERY;
                due.push(url.clone());
            }
        }
        due
    }

    /// Notes what came of a fetch, and says it where it is news.
    fn note(&self, url: &HttpUrl, refresh: Duration, outcome: Result<TakenUp, NotFetched>) {
        let result = match &outcome {
            Ok(TakenUp { ended: Some(_), .. }) => "new",
            Ok(_) => "unchanged",
            Err(fault) => fault.reason(),
        };
        *lock(&self.counts).entry(result).or_default() += 1;
        let mut sources = lock(&self.sources);
        // Else it is no longer configured.
        let Some(source) = sources.get_mut(url) else { return };
        let failed_before = source.failing.take();
        match outcome {
            Ok(TakenUp { lists, ended }) => {
                if let Some(ended) = ended {
                    for list in &lists {
                        let (issuer, number, ends) = (list.issuer(), list.number(), list.next_update());
                        tracing::info!(%url, issuer, %number, %ends, ended, "revocation list taken up");
                    }
                } else if failed_before.is_some() {
                    tracing::info!(%url, "the revocation list is fetched again");
                }
                source.fetched_at = Some(clock::now());
                source.life =
                    lists.iter().map(|l| (l.this_update(), l.next_update())).min_by_key(|(_, ends)| *ends);
            }
            Err(fault) => {
                if failed_before.is_none_or(|(reason, _)| reason != fault.reason()) {
                    tracing::warn!(
                        %url, reason = fault.reason(), fault = %chain(&fault),
                        "a revocation list could not be fetched; the last good one stays in force"
                    );
                }
                source.failing = Some((fault.reason(), chain(&fault)));
            }
        }
        source.next = Instant::now() + pause(source.life, refresh, clock::now());
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds the lock can leave the state half changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until the next fetch: less while a newer list is needed soon, and a part of it random, so that not all gateways and
/// senders ask in the same moment.
fn pause(life: Option<(Moment, Moment)>, refresh: Duration, now: Moment) -> Duration {
    let soon = life.is_none_or(|(made, ends)| {
        let left = ends.ms_since(now);
        left < CRL_SOON_MS && left < ends.ms_since(made) / 4
    });
    let longest = if soon { refresh.min(CRL_SOON_EVERY) } else { refresh };
    let [random] = random_bytes::<1>().unwrap_or_default();
    longest - longest * u32::from(random) / (10 * 256)
}

/// What a good answer changed.
struct TakenUp {
    lists: Vec<Arc<Crl>>,
    /// Open connections that no longer count, and were ended; none if nothing is new.
    ended: Option<usize>,
}

/// Fetches under way.
pub type Asking = JoinSet<()>;

/// Begins to fetch. If there are authorities without any list it waits until there are none, as long as one fetch may
/// take: whoever starts with nothing listens with what can be had.
pub async fn begin(centre: &Arc<Centre>, reloader: &Arc<Reloader>, stop: &CancellationToken) -> Asking {
    let mut asking = Asking::new();
    ask_due(centre, reloader, &mut asking);
    let lacks = || centre.in_force().trusts().iter().any(|(_, trust)| !trust.missing().is_empty());
    let fetched = async {
        while lacks()
            && let Some(ended) = asking.join_next().await
        {
            note_end(ended);
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = centre.broken.cancelled() => {}
        // What has not come by then goes on.
        _ = timeout(centre.in_force().config.crl.fetching.fetch_max, fetched) => {}
    }
    for (section, trust) in centre.in_force().trusts() {
        for issuer in trust.missing() {
            tracing::error!(
                section,
                issuer,
                "there is no revocation list; nobody of this issuer is let in until one is here"
            );
        }
    }
    asking
}

/// Fetches until the centre ends.
pub async fn run(centre: Arc<Centre>, reloader: Arc<Reloader>, mut asking: Asking) {
    loop {
        tokio::select! {
            biased;
            () = centre.ending.cancelled() => return,
            Some(ended) = asking.join_next() => note_end(ended),
            () = sleep(LOOK_EVERY) => ask_due(&centre, &reloader, &mut asking),
        }
    }
}

/// Says it if a fetch broke down: its address is asked again when that is overdue.
fn note_end(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "fetching a revocation list broke down");
    }
}

fn ask_due(centre: &Arc<Centre>, reloader: &Arc<Reloader>, asking: &mut Asking) {
    for url in centre.crl_sources.due(&centre.in_force().config, Instant::now()) {
        asking.spawn(ask(Arc::clone(centre), Arc::clone(reloader), url));
    }
}

async fn ask(centre: Arc<Centre>, reloader: Arc<Reloader>, url: HttpUrl) {
    let fetching = centre.in_force().config.crl.fetching.clone();
    let outcome = {
        // The semaphore is never closed.
        let _place = centre.crl_sources.at_once.acquire().await;
        let (url, within) = (url.clone(), fetching.fetch_max);
        let fetched = tokio::task::spawn_blocking(move || fetch(url.as_str(), within)).await;
        match fetched {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(fault)) => Err(fault.into()),
            Err(_) => Err(ReloadFault::ThreadLost.into()),
        }
    };
    let outcome = match outcome {
        Ok(bytes) => take_up(&centre, &reloader, url.clone(), bytes).await,
        Err(fault) => Err(fault),
    };
    centre.crl_sources.note(&url, fetching.refresh, outcome);
}

/// Lets what was fetched count, if it is good and new.
async fn take_up(
    centre: &Arc<Centre>,
    reloader: &Reloader,
    url: HttpUrl,
    bytes: Vec<u8>,
) -> Result<TakenUp, NotFetched> {
    let _turn = reloader.turn().await;
    let held = centre.in_force();
    let following = tokio::task::spawn_blocking(move || follow(&held, &url, &bytes));
    let (new, lists) = following.await.map_err(|_| ReloadFault::ThreadLost)??;
    let Some(new) = new else { return Ok(TakenUp { lists, ended: None }) };
    let reloaded = let_count(centre, new, Some(named(&lists))).await?;
    Ok(TakenUp { lists, ended: Some(reloaded.ended) })
}

/// These lists for the audit log, the first of them by name.
fn named(lists: &[Arc<Crl>]) -> String {
    let first = lists.iter().take(LISTS_NAMED_MAX);
    let mut named: Vec<String> =
        first.map(|list| format!("list {} of {}", list.number(), list.issuer())).collect();
    if let more @ 1.. = lists.len().saturating_sub(LISTS_NAMED_MAX) {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// Verifies what was fetched for each section that names this address, and keeps it on the disk. What only one of them
/// can use is refused for both: a list of the wrong authority shows where it was written.
fn follow(
    held: &InForce,
    url: &HttpUrl,
    bytes: &[u8],
) -> Result<(Option<InForce>, Vec<Arc<Crl>>), NotFetched> {
    let now = clock::now();
    let mut lists = Vec::new();
    let mut new = BTreeMap::new();
    let mut is_named = false;
    for (section, _) in sections(&held.config).filter(|(_, files)| files.crl_urls.contains(url)) {
        let Some((_, trust)) = held.trusts().into_iter().find(|(name, _)| *name == section) else { continue };
        is_named = true;
        match trust.follow(url.as_str(), bytes, now) {
            Ok(Fetched { trust, lists: found }) => {
                lists = found;
                new.extend(trust.map(|trust| (section, trust)));
            }
            Err(source) => return Err(NotFetched::Refused { section, source }),
        }
    }
    if !is_named {
        // The settings were changed while it was fetched: it is not verified, and nobody's.
        return Ok((None, lists));
    }
    let new = if new.is_empty() {
        None
    } else {
        Some(held.with_lists(new, refusal_observer()).map_err(ReloadFault::from)?)
    };
    // Kept before it counts: what was in force must not be older after a restart.
    if let Err(error) = CrlCache::below(&held.config.storage.data).keep(url.as_str(), bytes) {
        tracing::error!(%url, %error, "a revocation list counts, but could not be kept; after a restart it is fetched again");
    }
    Ok((new, lists))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: i64) -> Moment {
        Moment::from_unix_ms(hours * 3_600_000)
    }

    fn is_about(pause: Duration, longest: Duration) -> bool {
        pause <= longest && pause >= longest * 9 / 10
    }

    #[test]
    fn a_list_that_is_missing_ended_or_near_its_end_is_asked_for_every_minute_and_any_other_by_the_hour() {
        assert!(is_about(pause(None, HOUR, at(0)), CRL_SOON_EVERY));
        let week = Some((at(0), at(168)));
        assert!(is_about(pause(week, HOUR, at(1)), HOUR));
        assert!(is_about(pause(week, HOUR, at(163)), CRL_SOON_EVERY));
        assert!(is_about(pause(week, HOUR, at(200)), CRL_SOON_EVERY));
        // One that lives for an hour is no emergency in its first half.
        assert!(is_about(pause(Some((at(0), at(1))), HOUR, at(0)), HOUR));
        let second = Duration::from_secs(1);
        assert!(is_about(pause(None, second, at(0)), second), "never more seldom than usual");
    }
}
