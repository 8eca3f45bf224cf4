//! One request on its way through a streamed route: what it may, what goes on of its head, and what it holds until its answer
//! is through. Whoever carries it, in either engine, carries this.

use std::sync::Arc;

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE},
    http::{request, uri::PathAndQuery},
};
use protocol::problem::Problem;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Route, exchanges::Exchange, headers, watch::Terms};
use crate::{centre::Centre, peer::Permit, request::declared_length, turned::Turned};

/// It.
pub struct Passage {
    /// Where it goes.
    pub route: Arc<Route>,
    /// Of the request, as it came.
    pub method: Method,
    /// Path and query, as they came.
    pub target: PathAndQuery,
    /// As the backend gets them.
    pub headers: HeaderMap,
    /// What its content is carried under.
    pub terms: Terms,
    /// To be dropped when the answer is through.
    pub held: Held,
}

/// What an exchange holds until its answer is through: its entry in the table, its place in the route, and a drain that
/// waits for it.
pub struct Held {
    /// Its entry.
    pub exchange: Exchange,
    _place: OwnedSemaphorePermit,
    _work: TaskTrackerToken,
}

impl Passage {
    /// Begins, if the request may pass now.
    pub fn begin(
        centre: &Arc<Centre>,
        permit: &Permit,
        route: Arc<Route>,
        head: &request::Parts,
    ) -> Result<Self, Turned> {
        let config = &route.config;
        check_head(head)?;
        let declared = declared_length(&head.headers)?.unwrap_or_default();
        if declared > config.body_bytes_max {
            return Err(Problem::BodyTooLarge.into());
        }
        if centre.stopping.is_cancelled() {
            return Err(Problem::Draining.into());
        }
        let work = centre.work.token();
        let place = Arc::clone(&route.places).try_acquire_owned().map_err(|_| Problem::TooMany)?;
        let peer = permit.peer();
        // The right may have been withdrawn since it was asked for; from here on whoever withdraws it finds the exchange.
        let exchange = centre.exchanges.begin(peer.identity().role(), config.right, peer.stop());
        let in_force = centre.in_force();
        peer.permit(&in_force, config.right.0, config.right.1)?;
        let credentials = peer.credentials().ok_or(Problem::NotPermitted)?;
        let target = head.uri.path_and_query().cloned();
        let terms = Terms {
            declared,
            stall_max: in_force.config.link.stall_max,
            bytes_per_second_min: in_force.config.link.min_rate_bytes_per_second,
            claims: config.claims,
        };
        Ok(Passage {
            method: head.method.clone(),
            target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
            headers: headers::to_backend(&head.headers, route.host.clone(), credentials),
            terms,
            held: Held { exchange, _place: place, _work: work },
            route,
        })
    }

    /// What goes back of the head of an answer with this status and these headers, if it can go back at all.
    pub fn answered(&self, status: StatusCode, came: &HeaderMap) -> Result<HeaderMap, Turned> {
        if is_framed(&self.method, status, came) {
            return Ok(headers::to_peer(came));
        }
        let detail = "its answer ends with its connection, so that nobody could tell a part from the whole";
        Err(Turned::because(Problem::BackendFailed, detail))
    }
}

/// What a request must not hold, whatever the backend makes of it.
fn check_head(head: &request::Parts) -> Result<(), Problem> {
    const TAKEN: [Method; 6] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if !TAKEN.contains(&head.method) {
        return Err(Problem::MethodNotAllowed);
    }
    if head.headers.contains_key(UPGRADE) || !is_plain(head.uri.path()) {
        return Err(Problem::BadRequest);
    }
    Ok(())
}

/// No path that somebody could read as one outside the route: no `.` and `..`, nothing empty, no slash in disguise.
fn is_plain(path: &str) -> bool {
    const DISGUISED: [&[u8]; 4] = [b"%2e", b"%2f", b"%5c", b"%00"];
    let is_disguised = |three: &[u8]| DISGUISED.iter().any(|part| three.eq_ignore_ascii_case(part));
    !path.contains('\\')
        && !path.contains("//")
        && !path.as_bytes().windows(3).any(is_disguised)
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

/// Has an answer no content, whatever its head says (RFC 9112 section 6.3)?
pub fn is_without_content(method: &Method, status: StatusCode) -> bool {
    *method == Method::HEAD || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Does the answer say where it ends? One that ends with its connection could be cut and look whole.
fn is_framed(method: &Method, status: StatusCode, headers: &HeaderMap) -> bool {
    let says = headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    status != StatusCode::SWITCHING_PROTOCOLS && (is_without_content(method, status) || says)
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
