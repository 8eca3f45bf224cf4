//! Serving the revocation lists in force to whoever cannot reach their authority: `GET /crl/` names them, `GET
//! /crl/NAME.crl` is one of them. Plain HTTP and for everybody, since a list is signed and no secret; nothing else is served
//! here.

use std::{collections::BTreeMap, convert::Infallible, net::IpAddr, sync::Arc};

use bytes::Bytes;
use config::gateway::Limits;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pki::{crl::Crl, issuer::IssuerId, platform::apply_link_timers};
use protocol::link::LinkTimers;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    centre::Centre,
    counters::Stage,
    gate::{Admission, Gate, Terms},
    in_force::InForce,
    limits::{
        ACCEPT_PAUSE_MAX, HEADERS_MAX, SERVED_LIST_ANSWER_MAX, SERVED_LISTS_CONNECTIONS_MAX,
        SERVED_LISTS_CONNECTIONS_PER_PREFIX_MAX,
    },
};

/// One list, as the index has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// Whose.
    pub issuer: String,
    /// Its number.
    pub number: String,
    /// When it was made.
    pub this_update: String,
    /// When it ends.
    pub next_update: String,
    /// Where it is served, the same for all its numbers.
    pub path: String,
}

/// Where the list of this authority and scope is served.
pub fn path_of(issuer: &IssuerId, list: &Crl) -> String {
    format!("/crl/{}.crl", issuer.list_name(list.scope()))
}

/// Serves until the centre ends.
pub async fn listen(centre: Arc<Centre>, listener: TcpListener) {
    // A gate of its own: whoever asks for a list takes no place from a sender.
    let gate = Gate::default();
    let mut serving = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = centre.ending.cancelled() => return,
            Some(_) = serving.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, source)) => {
                let source = source.ip().to_canonical();
                if let Some(admission) = admit(&centre, &gate, source).await {
                    serving.spawn(serve(Arc::clone(&centre), stream, admission));
                }
            }
            Err(error) => {
                tracing::error!(%error, "a connection for a revocation list could not be accepted");
                sleep(ACCEPT_PAUSE_MAX).await;
            }
        }
    }
}

/// Asks at the gate; while every place is taken by somebody who has only just come, whoever comes waits.
async fn admit(centre: &Centre, gate: &Gate, source: IpAddr) -> Option<Admission> {
    let terms = || {
        let limits = Limits {
            connections_max: SERVED_LISTS_CONNECTIONS_MAX,
            handshakes_max: SERVED_LISTS_CONNECTIONS_MAX,
            connections_per_prefix_max: SERVED_LISTS_CONNECTIONS_PER_PREFIX_MAX,
            ..centre.in_force().config.limits.clone()
        };
        Some(Terms { allowed: Vec::new(), limits })
    };
    let admitted = tokio::select! {
        biased;
        () = centre.ending.cancelled() => return None,
        admitted = gate.admit_in_turn(source, terms) => admitted,
    };
    admitted.inspect_err(|closed| centre.counters.count_from(Stage::Connection, closed.reason(), source)).ok()
}

/// One request and its answer. There is no handshake that could be over: for whoever comes later where all places are
/// taken, the one that has taken longest gives way.
async fn serve(centre: Arc<Centre>, stream: TcpStream, admission: Admission) {
    let link = centre.in_force().config.link.clone();
    if let Err(error) = apply_link_timers(&stream, LinkTimers::for_detect_max(link.detect_max)) {
        // Without its timers a dead line would be held until the deadline.
        tracing::error!(%error, "the link timers could not be set; connection closed");
        return;
    }
    let service = service_fn(|request| {
        let answer = answer(&centre.in_force(), &request);
        async move { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(link.header_max)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = admission.gives_way.cancelled() => {}
        // Who does not read its answer, or breaks off, has lost it.
        _ = timeout(SERVED_LIST_ANSWER_MAX, serving) => {}
    }
}

fn answer(in_force: &InForce, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let lists = served(in_force);
    let path = request.uri().path();
    if request.method() != Method::GET || request.uri().query().is_some() {
        return not_found();
    }
    if path == "/crl/" {
        let index: Vec<Served> = lists.iter().map(|(path, list)| index_entry(path, list)).collect();
        let body = serde_json::to_vec(&index).unwrap_or_default();
        return of_type("application/json", body.into());
    }
    match lists.get(path) {
        Some(list) => of_type("application/pkix-crl", Bytes::from_owner(Der(Arc::clone(list)))),
        None => not_found(),
    }
}

fn of_type(content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = of_type("text/plain", Bytes::from_static(b"GET /crl/ names what is served here\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The bytes of a list, shared by all who are served.
struct Der(Arc<Crl>);

impl AsRef<[u8]> for Der {
    fn as_ref(&self) -> &[u8] {
        self.0.der()
    }
}

/// The lists in force by their paths: of two of one authority and scope, one for each section, the newer.
fn served(in_force: &InForce) -> BTreeMap<String, Arc<Crl>> {
    let mut lists = BTreeMap::<String, Arc<Crl>>::new();
    for (issuer, list) in in_force.trusts().into_iter().flat_map(|(_, trust)| trust.crls().each()) {
        let newest = lists.entry(path_of(issuer, list)).or_insert_with(|| Arc::clone(list));
        if list.number() > newest.number() {
            *newest = Arc::clone(list);
        }
    }
    lists
}

fn index_entry(path: &str, list: &Crl) -> Served {
    Served {
        issuer: list.issuer().to_owned(),
        number: list.number().to_string(),
        this_update: list.this_update().to_string(),
        next_update: list.next_update().to_string(),
        path: path.to_owned(),
    }
}
