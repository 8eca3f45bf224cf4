//! The admin socket: a Unix socket in the data directory, for the user the gateway runs as and nobody else. HTTP/1.1,
//! JSON in and out:
//!
//! | request | answer |
//! |---|---|
//! | `GET /status` | [`Status`] |
//! | `GET /metrics`, `/live`, `/ready` | as on the metrics address |
//! | `POST /reload` | [`Reloaded`], or `409` with why the old settings stay |
//! | `POST /drain` | `202`; the process finishes what runs, and ends |
//! | `POST /disconnect` [`Whom`] | [`Disconnected`] |
//! | `POST /block` [`Blocking`], `POST /unblock` [`Whom`] | [`Disconnected`] |
//! | `GET /blocked` | every [`Block`] |

use std::{collections::BTreeMap, convert::Infallible, future::Future, io, sync::Arc};

use config::reader::HttpUrl;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use protocol::{
    cause::Cause,
    entry::{Entry, Event},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    blocked::{Block, BlockFault, Blocked, Target},
    centre::Centre,
    chain::chain,
    confine,
    crl_fetch::Source,
    crl_serve,
    handover::Hold,
    health,
    limits::{
        ACCEPT_PAUSE_MAX, ADMIN_ANSWER_MAX, ADMIN_BODY_BYTES_MAX, ADMIN_CONNECTIONS_MAX, ADMIN_END_MAX,
        HOLD_WAIT_MAX,
    },
    metrics,
    reload::{Reloaded, Reloader, end_all},
};

/// The socket below the data directory.
pub const SOCKET_FILE: &str = "admin.sock";

/// What the gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Takes new work, or is being stopped.
    pub accepting: bool,
    /// Why a good sender would not get through now; empty if it would.
    pub not_ready: Vec<String>,
    /// Ledger, spool or inbox failed; the process must be started again.
    pub storage_failed: bool,
    /// How far the kernel confines the process: `full`, `partly`, `not` or `off`.
    pub confined: String,
    /// Number of the settings in force.
    pub generation: u64,
    /// Reloads that took effect, and that were refused.
    pub reloads: (u64, u64),
    /// Connections of judged peers.
    pub connections: usize,
    /// Attempts that bring content now.
    pub attempts_running: usize,
    /// Transfers by phase.
    pub transfers: BTreeMap<String, u64>,
    /// Committed and not yet handed over.
    pub undelivered: u64,
    /// The operator lets nothing be handed over now.
    pub held: bool,
    /// Committed and not yet acknowledged by the sender.
    pub unacknowledged: u64,
    /// Entries in the log.
    pub log_entries: u64,
    /// When our own certificates end.
    pub certificates: BTreeMap<String, String>,
    /// The revocation lists in force.
    pub revocation_lists: Vec<ListStatus>,
    /// The authorities without one, each with what stands in the way.
    pub missing_lists: Vec<String>,
    /// Where lists are fetched from.
    pub list_sources: Vec<SourceStatus>,
    /// Fetches since the start, by what came of them.
    pub list_fetches: BTreeMap<String, u64>,
    /// Peers kept out by hand.
    pub blocked: usize,
    /// What was turned down since the start, by reason.
    pub turned_down: BTreeMap<String, u64>,
}

/// One revocation list in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// Section of the configuration.
    pub section: String,
    /// Whose.
    pub issuer: String,
    /// Its number.
    pub number: String,
    /// When it was made.
    pub this_update: String,
    /// When it ends.
    pub next_update: String,
    /// Certificates that it names.
    pub revoked: usize,
    /// Where it is served, if lists are served.
    pub served_at: Option<String>,
}

/// Where a revocation list is fetched from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// The address.
    pub url: String,
    /// When it last gave a good list; none since the start.
    pub fetched_at: Option<String>,
    /// Why it gave none when it was asked last.
    pub failing: Option<String>,
}

/// Somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    /// A party or a certificate.
    pub target: String,
}

/// Somebody, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocking {
    /// A party or a certificate.
    pub target: String,
    /// For whoever looks later.
    pub reason: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disconnected {
    /// Did the list change?
    pub changed: bool,
    /// Connections that were ended.
    pub ended: usize,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotDone {
    /// For people, with the next step.
    pub error: String,
    /// What kind of mistake: `configuration`, `material`, `request` or another.
    pub reason: String,
}

/// What the sockets serve.
#[derive(Clone)]
pub struct Admin {
    /// The centre.
    pub centre: Arc<Centre>,
    /// Takes up what changed.
    pub reloader: Arc<Reloader>,
    /// Set to stop the process.
    pub stop: CancellationToken,
}

/// Opens the admin socket; the future serves it until the centre ends.
pub fn listen(admin: Admin) -> io::Result<impl Future<Output = ()>> {
    let path = admin.centre.data.join(SOCKET_FILE);
    // Left over from a process that was killed; the spool's lock has shown that none is running.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The data directory is the owner's alone, so the socket is too.
    let listener = UnixListener::bind(&path)?;
    Ok(async move {
        serve_all(admin, &listener, true).await;
        let _ = std::fs::remove_file(&path);
    })
}

/// Serves metrics and health, and nothing that changes anything, until the centre ends.
pub async fn listen_for_metrics(admin: Admin, listener: TcpListener) {
    serve_all(admin, &listener, false).await;
}

/// A socket that connections are accepted from.
trait Accepting: Sync {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// The next connection; dropping the wait loses none.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accepting for UnixListener {
    type Stream = UnixStream;
    async fn next(&self) -> io::Result<UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

impl Accepting for TcpListener {
    type Stream = TcpStream;
    async fn next(&self) -> io::Result<TcpStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// Serves some connections at a time, so that one that is slow does not keep a monitoring system waiting; those beyond
/// wait in the kernel. Ends, with all of them, when the centre does.
async fn serve_all(admin: Admin, listener: &impl Accepting, may_act: bool) {
    let mut serving = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = admin.centre.ending.cancelled() => break,
            Some(_) = serving.join_next() => continue,
            accepted = listener.next(), if serving.len() < ADMIN_CONNECTIONS_MAX => accepted,
        };
        match accepted {
            Ok(stream) => {
                let admin = admin.clone();
                serving.spawn(async move { serve_one(&admin, stream, may_act).await });
            }
            Err(_) => sleep(ACCEPT_PAUSE_MAX).await,
        }
    }
    // Whoever asked for the stop still gets its answer; an idle connection holds up nothing.
    let _ = timeout(ADMIN_END_MAX, async { while serving.join_next().await.is_some() {} }).await;
}

async fn serve_one(admin: &Admin, stream: impl AsyncRead + AsyncWrite + Unpin, may_act: bool) {
    let service = service_fn(|request| {
        // Whatever was begun is finished, whether anybody waits for the answer or not.
        let owned = admin.clone();
        let answering = admin.centre.work.spawn(async move { answer(&owned, request, may_act).await });
        async move {
            let lost =
                |_| json(StatusCode::INTERNAL_SERVER_ERROR, &not_done("other", "it ended unexpectedly"));
            Ok::<_, Infallible>(answering.await.unwrap_or_else(lost))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(admin.centre.in_force().config.link.header_max)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // Who does not read its answer, or breaks off, has lost it.
    let _ = timeout(ADMIN_ANSWER_MAX, serving).await;
}

async fn answer(admin: &Admin, request: Request<Incoming>, may_act: bool) -> Response<Full<Bytes>> {
    let centre = &admin.centre;
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match (method, path.as_str()) {
        (Method::GET, "/metrics") => metrics_answer(admin).await,
        (Method::GET, "/live") if health::is_live(centre) => json(StatusCode::OK, &"live"),
        (Method::GET, "/live") => json(StatusCode::SERVICE_UNAVAILABLE, &"broken"),
        (Method::GET, "/ready") => {
            let ready = health::ready(centre, pki::clock::now());
            json(if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &ready)
        }
        _ if !may_act => json(StatusCode::NOT_FOUND, &"there are /metrics, /live and /ready"),
        (Method::GET, "/status") => match status(admin).await {
            Some(status) => json(StatusCode::OK, &status),
            None => json(StatusCode::SERVICE_UNAVAILABLE, &not_done("storage", "the ledger does not answer")),
        },
        (Method::GET, "/blocked") => json(StatusCode::OK, &*centre.blocked.all()),
        (Method::POST, "/reload") => match admin.reloader.reload(centre, "asked for").await {
            Ok(reloaded) => json::<Reloaded>(StatusCode::OK, &reloaded),
            Err(fault) => json(StatusCode::CONFLICT, &not_done(fault.reason(), chain(&fault))),
        },
        (Method::POST, "/drain") => {
            admin.stop.cancel();
            json(StatusCode::ACCEPTED, &"draining")
        }
        (Method::POST, "/hold") => json(StatusCode::OK, &hold(centre).await),
        (Method::POST, "/release") => json(StatusCode::OK, &release(centre)),
        (Method::POST, "/disconnect") => acted(disconnect(centre, request).await),
        (Method::POST, "/block") => acted(block(centre, request).await),
        (Method::POST, "/unblock") => acted(unblock(centre, request).await),
        _ => json(StatusCode::NOT_FOUND, &not_done("request", "there is no such request")),
    }
}

async fn metrics_answer(admin: &Admin) -> Response<Full<Bytes>> {
    let ready = health::ready(&admin.centre, pki::clock::now()).ready;
    let status = status(admin).await;
    match metrics::text(&admin.centre, &admin.reloader, status.as_ref(), ready) {
        Ok(text) => {
            let mut response = Response::new(Full::new(text.into()));
            let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(openmetrics));
            response
        }
        Err(_) => json(StatusCode::INTERNAL_SERVER_ERROR, &"the metrics cannot be written"),
    }
}

fn json<T: Serialize + ?Sized>(status: StatusCode, body: &T) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(serde_json::to_vec(body).unwrap_or_default().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

fn not_done(reason: &str, error: impl ToString) -> NotDone {
    NotDone { error: error.to_string(), reason: reason.to_owned() }
}

fn acted(outcome: Result<Disconnected, NotDone>) -> Response<Full<Bytes>> {
    match outcome {
        Ok(disconnected) => json(StatusCode::OK, &disconnected),
        Err(not_done) => json(StatusCode::CONFLICT, &not_done),
    }
}

async fn body<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, NotDone> {
    let wrong = |error: &dyn ToString| not_done("request", error.to_string());
    let whole = Limited::new(request.into_body(), ADMIN_BODY_BYTES_MAX).collect().await;
    let bytes = whole.map_err(|error| wrong(&error))?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| wrong(&error))
}

fn target(text: &str) -> Result<Target, NotDone> {
    text.parse().map_err(|error| not_done("request", error))
}

async fn disconnect(centre: &Arc<Centre>, request: Request<Incoming>) -> Result<Disconnected, NotDone> {
    let target = target(&body::<Whom>(request).await?.target)?;
    Ok(Disconnected { changed: false, ended: end_open(centre, &target, "disconnected").await })
}

async fn block(centre: &Arc<Centre>, request: Request<Incoming>) -> Result<Disconnected, NotDone> {
    let Blocking { target: text, reason } = body(request).await?;
    let target = target(&text)?;
    let since = pki::clock::now();
    let new = Block { target: target.clone(), since, reason };
    let changed = change_blocked(centre, move |blocked| blocked.block(new)).await?;
    let stopped = match &target {
        // Agents that act for it stay; what they bring for it ends.
        Target::Party(party) => centre.attempts.stop_for(party, Cause::Revoked),
        Target::Certificate(_) => 0,
    };
    let ended = end_open(centre, &target, "blocked").await;
    if stopped > 0 {
        tracing::warn!(%target, stopped, "attempts ended because their sender is blocked");
    }
    if changed {
        note(centre, Event::Blocked, &target).await?;
    }
    Ok(Disconnected { changed, ended })
}

async fn unblock(centre: &Arc<Centre>, request: Request<Incoming>) -> Result<Disconnected, NotDone> {
    let target = target(&body::<Whom>(request).await?.target)?;
    let lifted = target.clone();
    let changed = change_blocked(centre, move |blocked| blocked.unblock(&lifted)).await?;
    if changed {
        note(centre, Event::Unblocked, &target).await?;
    }
    Ok(Disconnected { changed, ended: 0 })
}

/// Changes the list on a thread that may wait for the disk.
async fn change_blocked(
    centre: &Arc<Centre>,
    change: impl FnOnce(&Blocked) -> Result<bool, BlockFault> + Send + 'static,
) -> Result<bool, NotDone> {
    let owned = Arc::clone(centre);
    match tokio::task::spawn_blocking(move || change(&owned.blocked)).await {
        Ok(changed) => changed.map_err(|fault| not_done("block", chain(&fault))),
        Err(lost) => Err(not_done("block", lost)),
    }
}

async fn hold(centre: &Centre) -> Hold {
    let hold = centre.handover.hold(HOLD_WAIT_MAX).await;
    if hold.changed {
        tracing::warn!("nothing is handed over into the inbox from now on, by the operator");
    }
    hold
}

fn release(centre: &Centre) -> bool {
    let changed = centre.handover.release();
    if changed {
        tracing::warn!("what was held is handed over into the inbox again, by the operator");
    }
    changed
}

async fn note(centre: &Arc<Centre>, event: Event, target: &Target) -> Result<(), NotDone> {
    tracing::warn!(%target, ?event, "by the operator");
    let entry = Entry { note: Some(target.to_string()), ..centre.entry(event) };
    centre.record(entry).await.map_err(|fault| not_done("storage", chain(&fault)))
}

/// Ends every open connection of this target.
async fn end_open(centre: &Arc<Centre>, target: &Target, reason: &'static str) -> usize {
    let meant = centre.live.all().into_iter().filter(|open| target.is(&open.peer));
    let meant: Vec<_> = meant.map(|open| (open, reason)).collect();
    end_all(centre, &meant).await;
    meant.len()
}

async fn status(admin: &Admin) -> Option<Status> {
    let centre = &admin.centre;
    let in_force = centre.in_force();
    let counts = centre.ledger.counts().await.ok()?;
    let head = centre.audit.head().await.ok()?;
    let lists = in_force.trusts().into_iter().flat_map(|(section, trust)| {
        let is_served = in_force.config.crl.serve.is_some();
        trust.crls().each().map(move |(issuer, list)| ListStatus {
            section: section.to_owned(),
            issuer: list.issuer().to_owned(),
            number: list.number().to_string(),
            this_update: list.this_update().to_string(),
            next_update: list.next_update().to_string(),
            revoked: list.revoked_count(),
            served_at: is_served.then(|| crl_serve::path_of(issuer, list)),
        })
    });
    let mut revocation_lists: Vec<ListStatus> = lists.collect();
    revocation_lists.sort_by(|one, other| (&one.section, &one.issuer).cmp(&(&other.section, &other.issuer)));
    let source = |(url, source): (HttpUrl, Source)| SourceStatus {
        url: url.to_string(),
        fetched_at: source.fetched_at.map(|at| at.to_string()),
        failing: source.failing.map(|(_, text)| text),
    };
    let ready = health::ready(centre, pki::clock::now());
    Some(Status {
        accepting: !centre.stopping.is_cancelled(),
        not_ready: ready.reasons,
        storage_failed: centre.ledger.is_poisoned()
            || centre.spool.is_poisoned()
            || centre.inbox.is_poisoned(),
        confined: confine::in_force().to_string(),
        generation: in_force.generation,
        reloads: admin.reloader.counts(),
        connections: centre.live.count(),
        attempts_running: centre.attempts.count(),
        transfers: counts.phases.into_iter().collect(),
        undelivered: counts.undelivered,
        held: centre.handover.is_held(),
        unacknowledged: counts.unacknowledged,
        log_entries: head.checkpoint.size,
        certificates: in_force
            .ends()
            .into_iter()
            .map(|(section, ends)| (section.to_owned(), ends.to_string()))
            .collect(),
        revocation_lists,
        missing_lists: ready.missing_lists,
        list_fetches: centre.crl_sources.counts().map(|(result, count)| (result.to_owned(), count)).collect(),
        list_sources: centre.crl_sources.all().into_iter().map(source).collect(),
        blocked: centre.blocked.all().len(),
        turned_down: centre.counters.read(),
    })
}
