//! The requests of the protocol, and what their answers mean.

use std::time::Duration;

use hyper::{
    Method, Request, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use protocol::{
    problem::Problem,
    transfer_id::TransferKey,
    wire::{
        ACKNOWLEDGEMENTS, Consistency, JOSE, JSON, LOG_CONSISTENCY, LOG_SEEN, Offer, PARTIAL_UPLOAD,
        PROBLEM_JSON, ProblemBody, ReceiptAnswer, State, TRANSFERS, UPLOAD_COMPLETE, UPLOAD_OFFSET,
    },
};
use serde::de::DeserializeOwned;

use super::{Answer, Break, RequestBody};

/// What the centre said.
#[derive(Debug)]
pub(crate) enum Reply<T> {
    /// What was asked for.
    Done(T),
    /// Everything is there and being checked; ask again after this time.
    Checking(Option<Duration>),
    /// A no.
    Turned(Turned),
}

/// A no, as it came. A refusal in it counts only after it was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turned {
    pub problem: Problem,
    pub log_size: Option<u64>,
    pub refusal: Option<String>,
    pub retry_after: Option<Duration>,
}

/// Offers a transfer.
pub(crate) fn offer(offer: &Offer, log_seen: Option<u64>) -> Request<RequestBody> {
    // Two strings and a list of hashes always serialise.
    let body = serde_json::to_vec(offer).unwrap_or_default();
    let mut request = request(Method::POST, TRANSFERS, RequestBody::of(body));
    with_type(&mut request, JSON);
    with_log_seen(&mut request, log_seen);
    request
}

/// Reads the answer to an offer. The location must be the one that follows from the manifest: another one would lead
/// the content astray.
pub(crate) fn offered(answer: &Answer, key: &TransferKey) -> Result<Reply<State>, Break> {
    let reply = reply::<State>(answer, &[StatusCode::OK, StatusCode::CREATED])?;
    match &reply {
        Reply::Done(_) if answer.location.as_deref() != Some(key.location().as_str()) => {
            Err(Break::BadAnswer("it names another location than that of the transfer"))
        }
        Reply::Checking(_) => Err(Break::BadAnswer("202 is no answer to an offer")),
        _ => Ok(reply),
    }
}

/// Sends content from an offset to the end.
pub(crate) fn send(
    key: &TransferKey,
    offset: u64,
    body: RequestBody,
    log_seen: Option<u64>,
) -> Request<RequestBody> {
    let mut request = request(Method::PATCH, &key.location(), body);
    with_type(&mut request, PARTIAL_UPLOAD);
    let headers = request.headers_mut();
    headers.insert(HeaderName::from_static(UPLOAD_OFFSET), HeaderValue::from(offset));
    headers.insert(HeaderName::from_static(UPLOAD_COMPLETE), HeaderValue::from_static("?1"));
    with_log_seen(&mut request, log_seen);
    request
}

/// Reads the answer to content.
pub(crate) fn sent(answer: &Answer) -> Result<Reply<ReceiptAnswer>, Break> {
    reply(answer, &[StatusCode::OK])
}

/// Asks where a transfer stands.
pub(crate) fn ask(key: &TransferKey, log_seen: Option<u64>) -> Request<RequestBody> {
    let mut request = request(Method::GET, &key.location(), RequestBody::of(""));
    with_log_seen(&mut request, log_seen);
    request
}

/// Reads where a transfer stands.
pub(crate) fn asked(answer: &Answer) -> Result<Reply<State>, Break> {
    reply(answer, &[StatusCode::OK])
}

/// Asks for proof that the centre's log of `from` entries is the beginning of that of `to`.
pub(crate) fn prove(from: u64, to: u64) -> Request<RequestBody> {
    request(Method::GET, &format!("{LOG_CONSISTENCY}?from={from}&to={to}"), RequestBody::of(""))
}

/// Reads that proof.
pub(crate) fn proved(answer: &Answer) -> Result<Reply<Consistency>, Break> {
    reply(answer, &[StatusCode::OK])
}

/// Says that a receipt is held.
pub(crate) fn acknowledge(statement: String) -> Request<RequestBody> {
    let mut request = request(Method::POST, ACKNOWLEDGEMENTS, RequestBody::of(statement));
    with_type(&mut request, JOSE);
    request
}

/// Calls a transfer off.
pub(crate) fn cancel(key: &TransferKey) -> Request<RequestBody> {
    request(Method::DELETE, &key.location(), RequestBody::of(""))
}

/// Reads an answer that has nothing to say but that it was done.
pub(crate) fn done(answer: &Answer) -> Result<Reply<()>, Break> {
    if answer.status == StatusCode::NO_CONTENT {
        Ok(Reply::Done(()))
    } else {
        turned(answer).map(Reply::Turned)
    }
}

fn request(method: Method, path: &str, body: RequestBody) -> Request<RequestBody> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // Every path here is made of ASCII letters, digits, `/`, `:` and `-`, every query of `?`, `=` and `&` beside them.
    *request.uri_mut() = path.parse().unwrap_or_default();
    request
}

fn with_type(request: &mut Request<RequestBody>, media_type: &'static str) {
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
}

fn with_log_seen(request: &mut Request<RequestBody>, log_seen: Option<u64>) {
    if let Some(size) = log_seen {
        request.headers_mut().insert(HeaderName::from_static(LOG_SEEN), HeaderValue::from(size));
    }
}

fn reply<T: DeserializeOwned>(answer: &Answer, good: &[StatusCode]) -> Result<Reply<T>, Break> {
    if good.contains(&answer.status) {
        return Ok(Reply::Done(json(answer, JSON)?));
    }
    if answer.status == StatusCode::ACCEPTED {
        return Ok(Reply::Checking(answer.retry_after));
    }
    turned(answer).map(Reply::Turned)
}

fn turned(answer: &Answer) -> Result<Turned, Break> {
    let body: ProblemBody = json(answer, PROBLEM_JSON)?;
    // The status must be that of the code: an answer that contradicts itself is nobody's to act on.
    if answer.status.as_u16() != body.code.status() {
        return Err(Break::BadAnswer("its status is not that of its problem"));
    }
    Ok(Turned {
        problem: body.code,
        log_size: body.log_size,
        refusal: body.refusal,
        retry_after: answer.retry_after,
    })
}

fn json<T: DeserializeOwned>(answer: &Answer, media_type: &str) -> Result<T, Break> {
    if answer.content_type.as_deref() != Some(media_type) {
        return Err(Break::BadAnswer("it is of another content type, as from another kind of server"));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Break::BadAnswer("its body is not the documented JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            content_type: Some(content_type.to_owned()),
            location: Some("/elsewhere".to_owned()),
            retry_after: None,
            body: body.as_bytes().to_vec(),
        }
    }

    fn key() -> TransferKey {
        crate::testing::manifest(b"content").1.key()
    }

    const OFFERED: &str = r#"{"phase":"offered","offset":0,"attempts":0,"since":"2026-11-10T00:00:00.000Z"}"#;

    #[test]
    fn content_never_follows_a_location_that_is_not_the_transfers_own() {
        let mut answer = answer(201, JSON, OFFERED);
        assert!(matches!(offered(&answer, &key()), Err(Break::BadAnswer(_))));
        answer.location = Some(key().location());
        assert!(matches!(offered(&answer, &key()), Ok(Reply::Done(_))));
    }

    #[test]
    fn a_problem_is_told_from_the_page_of_some_other_server() {
        let body = serde_json::to_string(&ProblemBody::new(Problem::TooLarge)).unwrap();
        let turned = asked(&answer(413, PROBLEM_JSON, &body));
        assert!(matches!(turned, Ok(Reply::Turned(Turned { problem: Problem::TooLarge, .. }))));
        for (status, media_type, body) in [
            (413, "text/html", body.as_str()),
            (413, PROBLEM_JSON, "<html>"),
            (404, PROBLEM_JSON, &body),
            (200, JSON, "{}"),
            (200, "text/html", OFFERED),
        ] {
            let answer = answer(status, media_type, body);
            assert!(matches!(asked(&answer), Err(Break::BadAnswer(_))), "{status} {media_type} {body}");
        }
    }
}
