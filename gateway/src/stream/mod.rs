//! Streamed routes: a request is authenticated, permitted, limited and passed on to a system behind the gateway, its answer
//! likewise back, both while they come. Nothing is stored, there is no receipt, and a break on either side is passed on.

mod backends;
mod content;
mod exchanges;
mod headers;

use std::{sync::Arc, time::Duration};

use hyper::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING, UPGRADE},
};
use protocol::problem::Problem;
use tokio::{sync::Semaphore, time::timeout};

pub use backends::Backends;
pub use content::Answering;
pub use exchanges::Exchanges;
pub use headers::Credentials;

use crate::{
    answer::{Answer, AnswerBody},
    centre::Centre,
    peer::Permit,
    turned::Turned,
};
use content::{Broken, Held, Question, Terms};

/// A streamed route as it is in force.
pub struct Route {
    /// As configured.
    pub config: config::gateway::Route,
    /// One for each request that may be passed on at a time.
    places: Arc<Semaphore>,
}

impl Route {
    /// With all its places free.
    pub fn new(config: config::gateway::Route) -> Self {
        let places = Arc::new(Semaphore::new(config.requests_max as usize));
        Route { config, places }
    }

    /// Is this path one of its?
    pub fn covers(&self, path: &str) -> bool {
        path.starts_with(&self.config.path)
    }
}

/// How long a content may pause, and how slow it may be.
#[derive(Clone, Copy)]
pub struct Patience {
    /// Nothing for this long, and the exchange is broken off.
    pub stall_max: Duration,
    /// The slowest request borne, over `stall_max`.
    pub bytes_per_second_min: u64,
}

/// Passes a request on, and gives back the answer as soon as its head is there. `declared` is the length of its content.
pub async fn pass_on(
    centre: &Arc<Centre>,
    permit: Permit,
    route: Arc<Route>,
    patience: Patience,
    request: Request<Incoming>,
    declared: u64,
) -> Result<Answer, Turned> {
    let config = &route.config;
    check_head(&request)?;
    if declared > config.body_bytes_max {
        return Err(Problem::BodyTooLarge.into());
    }
    if centre.stopping.is_cancelled() {
        return Err(Problem::Draining.into());
    }
    let work = centre.work.token();
    let place = Arc::clone(&route.places).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    let (head, incoming) = request.into_parts();
    let peer = permit.peer();
    // The right may have been withdrawn since it was asked for; from here on whoever withdraws it finds the exchange.
    let exchange = centre.exchanges.begin(peer.identity().role(), config.right, peer.stop());
    peer.permit(&centre.in_force(), config.right.0, config.right.1)?;
    let credentials = permit.peer().credentials().ok_or(Problem::NotPermitted)?;
    let host = host_of(config)?;
    let terms = Terms {
        stall_max: patience.stall_max,
        bytes_per_second_min: patience.bytes_per_second_min,
        ends: exchange.ends().clone(),
        claims: config.claims,
    };
    let (question, mut ended) = Question::new(incoming, declared, terms);
    let mut outgoing = Request::new(question);
    *outgoing.method_mut() = head.method.clone();
    *outgoing.uri_mut() = at_backend(config, &head.uri)?;
    *outgoing.headers_mut() = headers::to_backend(&head.headers, host, &credentials);

    let asking = centre.backends.ask(outgoing);
    tokio::pin!(asking);
    // Whether the request went through is known first: a backend whose request broke has nothing to say.
    let (answered, end) = tokio::select! {
        biased;
        end = &mut ended => {
            if let Ok(Err(broken)) = &end {
                return Err(turned_by(broken));
            }
            let answered = timeout(config.answer_max, &mut asking).await;
            (answered.map_err(|_| Problem::BackendTimeout)?, Some(end))
        }
        answered = &mut asking => (answered, None),
    };
    let answer = answered.map_err(|error| match broken_in(&error) {
        Some(broken) => turned_by(broken),
        None => Turned::because(Problem::BackendFailed, crate::chain::chain(&error)),
    })?;
    if config.claims.is_some() {
        // No answer to a part of a claims file.
        let end = match end {
            Some(end) => end,
            None => ended.await,
        };
        whole(end)?;
    }
    if !is_framed(&head.method, &answer) {
        let detail = "its answer ends with its connection, so that nobody could tell a part from the whole";
        return Err(Turned::because(Problem::BackendFailed, detail));
    }
    let (mut head, incoming) = answer.into_parts();
    head.headers = headers::to_peer(&head.headers);
    Ok(Response::from_parts(
        head,
        AnswerBody::Right(Answering::new(incoming, patience.stall_max, Held { exchange, place, work })),
    ))
}

/// What a request must not hold, whatever the backend makes of it.
fn check_head(request: &Request<Incoming>) -> Result<(), Problem> {
    const TAKEN: [Method; 6] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if !TAKEN.contains(request.method()) {
        return Err(Problem::MethodNotAllowed);
    }
    if request.headers().contains_key(UPGRADE) || !is_plain(request.uri().path()) {
        return Err(Problem::BadRequest);
    }
    Ok(())
}

/// No path that somebody could read as one outside the route: no `.` and `..`, nothing empty, no slash in disguise.
fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let disguised = ["%2e", "%2f", "%5c", "\\", "%00", "//"].iter().any(|part| lower.contains(part));
    !disguised && !path.split('/').any(|segment| segment == "." || segment == "..")
}

fn host_of(config: &config::gateway::Route) -> Result<HeaderValue, Turned> {
    HeaderValue::try_from(config.backend.to_string())
        .map_err(|error| Turned::because(Problem::BackendFailed, error))
}

/// The same path and query, at the backend.
fn at_backend(config: &config::gateway::Route, asked: &Uri) -> Result<Uri, Turned> {
    let path = asked.path_and_query().map_or("/", |path| path.as_str());
    let uri =
        Uri::builder().scheme("http").authority(config.backend.to_string()).path_and_query(path).build();
    uri.map_err(|error| Turned::because(Problem::BadRequest, error))
}

/// Did the request go through whole? If nothing is told of that, the backend took no more of it.
fn whole<E>(end: Result<Result<(), Broken>, E>) -> Result<(), Turned> {
    match end {
        Ok(Err(broken)) => Err(turned_by(&broken)),
        Ok(Ok(())) => Ok(()),
        Err(_) => Err(Turned::because(Problem::BackendFailed, "it took only part of the request")),
    }
}

fn turned_by(broken: &Broken) -> Turned {
    Turned::because(broken.problem(), broken)
}

fn broken_in<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Broken> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(broken) = error.downcast_ref::<Broken>() {
            return Some(broken);
        }
        next = error.source();
    }
    None
}

/// Does the answer say where it ends? One that ends with its connection could be cut and look whole.
fn is_framed(method: &Method, answer: &Response<Incoming>) -> bool {
    let without_content = *method == Method::HEAD
        || matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let says =
        |headers: &HeaderMap| headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    answer.status() != StatusCode::SWITCHING_PROTOCOLS && (without_content || says(answer.headers()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_could_lead_out_of_its_route_is_not_plain() {
        for path in [
            "/a/../b",
            "/a/..",
            "/a/./b",
            "/a/%2e%2e/b",
            "/a/%2E./b",
            "/a%2fb",
            "/a%2Fb",
            "/a\\..\\b",
            "/a/%5c../b",
            "/a//b",
            "/a/%00",
        ] {
            assert!(!is_plain(path), "{path}");
        }
        for path in ["/a/", "/a/b.c", "/a/..b", "/a/b..", "/a/%E3%81%82"] {
            assert!(is_plain(path), "{path}");
        }
    }
}
