//! Streamed routes: a request is authenticated, permitted, limited and passed on to a system behind the gateway, its answer
//! likewise back, both while they come. Nothing is stored, there is no receipt, and a break on either side is passed on.
//!
//! [`Passage`] says what passes and under what; [`pass_on`] carries it with hyper, [`crate::bulk`] by hand.

mod backends;
mod content;
mod exchanges;
mod headers;
mod passage;
mod watch;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, Response, Uri, body::Incoming, header::HeaderValue};
use protocol::{cause::Cause, problem::Problem};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

pub use backends::{CONNECT_MAX, IDLE_MAX, IDLE_TIME_MAX};
pub use content::Answering;
pub use exchanges::Exchanges;
pub use headers::Credentials;
pub use passage::{Passage, is_without_content};
pub use watch::{Broken, Silence, Watch};

use crate::{centre::Centre, peer::Permit, turned::Turned};
use backends::Backends;
use content::Question;

/// A streamed route as it is in force.
pub struct Route {
    /// As configured.
    pub config: config::gateway::Route,
    /// One for each request that may be passed on at a time.
    places: Arc<Semaphore>,
    /// Connections to its backend, for hyper.
    backends: Backends,
    stall_max: Duration,
    /// What its backend is called in requests.
    host: HeaderValue,
}

impl Route {
    /// With all its places free. A backend that moves nothing for `stall_max` is given up.
    fn new(config: config::gateway::Route, stall_max: Duration) -> Self {
        let places = Arc::new(Semaphore::new(config.requests_max as usize));
        let host = host_of(config.backend);
        Route { config, places, backends: Backends::new(stall_max), stall_max, host }
    }

    /// The routes of a configuration; those that are as before are the very same, with their places and connections.
    pub fn all(
        routes: &[config::gateway::Route],
        stall_max: Duration,
        held: &[Arc<Route>],
    ) -> Vec<Arc<Route>> {
        let same = |new: &config::gateway::Route| {
            held.iter().find(|route| route.config == *new && route.stall_max == stall_max)
        };
        let route = |new: &config::gateway::Route| {
            same(new).map_or_else(|| Arc::new(Route::new(new.clone(), stall_max)), Arc::clone)
        };
        routes.iter().map(route).collect()
    }

    /// Is this path one of its?
    pub fn covers(&self, path: &str) -> bool {
        path.starts_with(&self.config.path)
    }
}

fn host_of(backend: SocketAddr) -> HeaderValue {
    // Never empty: every character of an address may stand in a header.
    HeaderValue::try_from(backend.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Passes a request on, and gives back the answer as soon as its head is there; none if its peer has gone meanwhile, which the
/// backend then sees.
pub async fn pass_on(
    centre: &Arc<Centre>,
    permit: Permit,
    route: Arc<Route>,
    request: Request<Incoming>,
    gone: &CancellationToken,
) -> Result<Option<Response<Answering>>, Turned> {
    let (head, incoming) = request.into_parts();
    let passage = Passage::begin(centre, &permit, route, &head)?;
    let config = &passage.route.config;
    let (question, mut ended) = Question::new(incoming, &passage.terms, passage.held.exchange.ends())
        .map_err(|broken| turned_by(&broken))?;
    let mut outgoing = Request::new(question);
    *outgoing.method_mut() = passage.method.clone();
    *outgoing.uri_mut() = at_backend(&passage)?;
    *outgoing.headers_mut() = passage.headers.clone();

    let asking = passage.route.backends.ask(outgoing);
    tokio::pin!(asking);
    // Whether the request went through is known first: a backend whose request broke has nothing to say.
    let (answered, end) = tokio::select! {
        biased;
        end = &mut ended => {
            if let Ok(Err(broken)) = &end {
                return Err(turned_by(broken));
            }
            let answered = tokio::select! {
                biased;
                () = passage.held.exchange.ends().cancelled() => {
                    return Err(turned_by(&Broken::Cut(Cause::Revoked)));
                }
                answered = timeout(config.answer_max, &mut asking) => answered,
                () = gone.cancelled() => return Ok(None),
            };
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
    let (mut head, incoming) = answer.into_parts();
    head.headers = passage.answered(head.status, &head.headers)?;
    Ok(Some(Response::from_parts(head, Answering::new(incoming, passage.terms.stall_max, passage.held))))
}

/// The same path and query, at the backend.
fn at_backend(passage: &Passage) -> Result<Uri, Turned> {
    let backend = passage.route.config.backend.to_string();
    let uri = Uri::builder().scheme("http").authority(backend).path_and_query(passage.target.clone()).build();
    uri.map_err(|error| Turned::because(Problem::BadRequest, error))
}

/// Did the request go through whole? If nothing is told of that, the backend took no more of it.
fn whole<E>(end: Result<Result<(), Broken>, E>) -> Result<(), Turned> {
    match end {
        Ok(Err(broken)) => Err(turned_by(&broken)),
        Ok(Ok(())) => Ok(()),
        Err(_) => Err(took_only_part()),
    }
}

/// The backend took no more of a request of which it needed the whole.
pub fn took_only_part() -> Turned {
    Turned::because(Problem::BackendFailed, "it took only part of the request")
}

/// The answer to a request whose content broke.
pub fn turned_by(broken: &Broken) -> Turned {
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
