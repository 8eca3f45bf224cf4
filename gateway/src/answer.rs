//! Answers: the one place that turns outcomes into HTTP.

use hyper::{
    Response, StatusCode,
    body::Bytes,
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER},
};
use protocol::{
    problem::{Advice, Problem},
    wire::{JOSE, JSON, PHASE, PROBLEM_JSON, ProblemBody, State, TEXT, UPLOAD_OFFSET},
};
use serde::Serialize;

use crate::turned::Turned;

/// What every handler returns: an answer that is there whole.
pub type Answer = Response<Bytes>;

/// Seconds after which a sender asks again while its content is being checked.
const ASK_AGAIN_SECONDS: u64 = 1;

/// Seconds after which a sender tries again when there was too much at once, or storage failed.
const RETRY_SECONDS: u64 = 30;

fn answer(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// JSON with this status.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(body) => answer(status, JSON, body),
        Err(error) => problem(&Turned::because(Problem::StorageFailed, error)),
    }
}

/// Where a transfer stands; `location` is added for an answer to an offer.
pub fn state(status: StatusCode, state: &State, location: Option<&str>) -> Answer {
    let mut answer = json(status, state);
    let headers = answer.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(state.offset));
    if let Ok(phase) = HeaderValue::from_str(&state.phase) {
        headers.insert(PHASE, phase);
    }
    if let Some(Ok(location)) = location.map(HeaderValue::from_str) {
        headers.insert(LOCATION, location);
    }
    answer
}

/// The content is whole and being checked; the sender asks again.
pub fn checking() -> Answer {
    let mut answer = answer(StatusCode::ACCEPTED, JSON, "{}");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ASK_AGAIN_SECONDS));
    answer
}

/// A bare signed statement.
pub fn jose(text: String) -> Answer {
    answer(StatusCode::OK, JOSE, text)
}

/// Plain text, for checkpoints.
pub fn text(text: String) -> Answer {
    answer(StatusCode::OK, TEXT, text)
}

/// Done, nothing to say.
pub fn done() -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// The answer to a request that is turned down: stable code and short text, no detail.
pub fn problem(turned: &Turned) -> Answer {
    let problem = turned.problem;
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = ProblemBody {
        offset: turned.offset,
        log_size: turned.log_size,
        refusal: turned.refusal.clone(),
        ..ProblemBody::new(problem)
    };
    // A problem's body holds nothing that could fail to serialise.
    let mut answer = answer(status, PROBLEM_JSON, serde_json::to_vec(&body).unwrap_or_default());
    let headers = answer.headers_mut();
    if let Some(offset) = turned.offset {
        headers.insert(UPLOAD_OFFSET, HeaderValue::from(offset));
    }
    if problem.advice() == Advice::Retry {
        let seconds = turned.retry_after_seconds.unwrap_or(RETRY_SECONDS);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem == Problem::MethodNotAllowed {
        // RFC 9110 section 15.5.6 wants the header; which methods fit is documented for each address.
        headers.insert(ALLOW, HeaderValue::from_static("POST, PATCH, GET, HEAD, DELETE"));
    }
    if matches!(problem, Problem::LengthRequired | Problem::HttpVersion) {
        // Framing that is not understood must not be followed by another message (RFC 9112 section 6.3).
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
