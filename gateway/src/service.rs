//! One request: its head is checked, its route found, its right asked for, its handler run, its outcome answered.

use std::{convert::Infallible, sync::Arc};

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Version,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
};
use protocol::{
    entry::{Entry, Event},
    limits::REQUEST_JSON_BYTES_MAX,
    problem::{Advice, Problem},
    wire::{JOSE, JSON, LOG_SEEN, Offer, PARTIAL_UPLOAD, UPLOAD_COMPLETE, UPLOAD_OFFSET},
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    answer::{self, Answer},
    ask,
    body::HyperBody,
    centre::Centre,
    conclude,
    counters::Stage,
    host,
    offer::{self, Recorded},
    peer::{Peer, TransferPermit},
    receive::{self, Sending, Teller, Told},
    route::{Route, route},
    stream::{self, Patience},
    turned::Turned,
};

/// Answers one request of a peer whose certificate was judged, on a connection that was made to a host of this name.
///
/// A lost connection drops this future at any await. The request is therefore handled in a task of its own, which a
/// drain waits for: what was begun is finished, and what was turned down is put on record.
pub async fn serve(
    centre: Arc<Centre>,
    peer: Peer,
    handshake_name: Option<Arc<str>>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let work = centre.work.clone();
    // Before anything is read or asked for it, and dropped with the connection.
    let turn = peer.take_turn(centre.in_force().config.limits.requests_per_identity_per_second_max).await;
    let handling = work.spawn(async move {
        let answer = match turn {
            Ok(()) => dispatch(&centre, &peer, handshake_name.as_deref(), request).await,
            Err(too_fast) => Err(too_fast),
        };
        match answer {
            Ok(answer) => answer,
            Err(turned) => {
                deny(&centre, &peer, &turned).await;
                answer::problem(&turned)
            }
        }
    });
    let lost = |error| answer::problem(&Turned::because(Problem::StorageFailed, error));
    Ok(handling.await.unwrap_or_else(lost))
}

async fn dispatch(
    centre: &Arc<Centre>,
    peer: &Peer,
    handshake_name: Option<&str>,
    request: Request<Incoming>,
) -> Result<Answer, Turned> {
    check_framing(&request)?;
    host::check(&request, handshake_name, |host| centre.in_force().is_dialled_as(peer.listener(), host))?;
    let in_force = centre.in_force();
    if let Some(streamed) = in_force.route(request.uri().path()) {
        let (system, action) = streamed.config.right;
        let permit = peer.permit(&in_force, system, action)?;
        let declared = one_number(request.headers(), CONTENT_LENGTH.as_str())?.unwrap_or_default();
        let link = &in_force.config.link;
        let patience =
            Patience { stall_max: link.stall_max, bytes_per_second_min: link.min_rate_bytes_per_second };
        return stream::pass_on(centre, permit, streamed, patience, request, declared).await;
    }
    let route = route(request.method(), request.uri().path(), request.uri().query())?;
    let (system, action) = route.right();
    let permit = |key| {
        let permit = peer.permit_transfer(&in_force, system, action, key)?;
        // Who acts for a sender that is kept out has no work for it.
        if centre.blocked.names(&permit.key().sender) { Err(Problem::Blocked) } else { Ok(permit) }
    };
    let log_seen = one_number(request.headers(), LOG_SEEN)?;
    match route {
        Route::Offer => {
            let permit = peer.permit(&in_force, system, action)?;
            let body = read_text(centre, request, JSON).await?;
            let body: Offer = serde_json::from_str(&body).map_err(|_| Problem::BadRequest)?;
            let (status, transfer) = match offer::offer(centre, &permit, body).await? {
                Recorded::New(transfer) => (hyper::StatusCode::CREATED, transfer),
                Recorded::Known(transfer) => (hyper::StatusCode::OK, transfer),
            };
            let state = ask::state_of(centre, &transfer, log_seen).await?;
            Ok(answer::state(status, &state, Some(&transfer.key.location())))
        }
        Route::Send(key) => {
            let permit = permit(key)?;
            // Content may come for hours, and certificates and lists of now must not stay with it.
            drop(in_force);
            send(centre, permit, request, log_seen).await
        }
        Route::Ask(key) => {
            let permit = permit(key)?;
            let state = ask::ask(centre, &permit, log_seen).await?;
            Ok(answer::state(hyper::StatusCode::OK, &state, None))
        }
        Route::Receipt(key) => {
            let permit = permit(key)?;
            Ok(answer::jose(ask::receipt(centre, &permit).await?))
        }
        Route::Cancel(key) => {
            let permit = permit(key)?;
            conclude::cancel(centre, &permit).await?;
            Ok(answer::done())
        }
        Route::Acknowledge => {
            let permit = peer.permit(&in_force, system, action)?;
            let body = read_text(centre, request, JOSE).await?;
            conclude::acknowledge(centre, &permit, body).await?;
            Ok(answer::done())
        }
        Route::LogCheckpoint => {
            peer.permit(&in_force, system, action)?;
            Ok(answer::text(ask::checkpoint(centre).await?))
        }
        Route::LogConsistency { from, to } => {
            peer.permit(&in_force, system, action)?;
            Ok(answer::json(hyper::StatusCode::OK, &ask::consistency(centre, from, to).await?))
        }
    }
}

/// HTTP/1.1 with a plain Content-Length, or nothing: what no two parsers can read differently.
fn check_framing<B>(request: &Request<B>) -> Result<(), Problem> {
    if request.version() != Version::HTTP_11 {
        return Err(Problem::HttpVersion);
    }
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return Err(Problem::LengthRequired);
    }
    Ok(())
}

/// The declared length, which requests with a body must have.
fn content_length(headers: &HeaderMap) -> Result<u64, Problem> {
    one_number(headers, CONTENT_LENGTH.as_str())?.ok_or(Problem::LengthRequired)
}

/// The number in a header that may stand once.
fn one_number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), values.next()) {
        (Some(number), None) => Ok(Some(number)),
        _ => Err(Problem::BadUploadHeader),
    }
}

fn check_content_type(headers: &HeaderMap, expected: &str) -> Result<(), Problem> {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    match (values.next(), values.next()) {
        (Some(value), None) if value.as_bytes().eq_ignore_ascii_case(expected.as_bytes()) => Ok(()),
        _ => Err(Problem::UnsupportedMediaType),
    }
}

/// Reads a small body whole, within its limit and the deadline for heads.
async fn read_text(
    centre: &Centre,
    request: Request<Incoming>,
    content_type: &str,
) -> Result<String, Turned> {
    let length = content_length(request.headers())?;
    check_content_type(request.headers(), content_type)?;
    let limit = centre.in_force().config.limits.body_bytes_max.min(REQUEST_JSON_BYTES_MAX as u64);
    if length > limit {
        return Err(Problem::BodyTooLarge.into());
    }
    let whole = timeout(centre.in_force().config.link.header_max, request.into_body().collect()).await;
    let bytes = match whole {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) => return Err(Turned::because(Problem::LengthMismatch, error)),
        Err(_) => return Err(Problem::Stalled.into()),
    };
    String::from_utf8(bytes.into()).map_err(|_| Problem::BadRequest.into())
}

/// Starts an attempt in a task of its own and waits for its outcome, but not for ever: a check that takes longer than
/// `receipt_wait` is answered with "ask again".
async fn send(
    centre: &Arc<Centre>,
    permit: TransferPermit,
    request: Request<Incoming>,
    log_seen: Option<u64>,
) -> Result<Answer, Turned> {
    let headers = request.headers();
    let declared = content_length(headers)?;
    check_content_type(headers, PARTIAL_UPLOAD)?;
    let offset = one_number(headers, UPLOAD_OFFSET)?.ok_or(Problem::BadUploadHeader)?;
    let mut complete = headers.get_all(UPLOAD_COMPLETE).iter();
    let (Some(b"?1"), None) = (complete.next().map(|value| value.as_bytes()), complete.next()) else {
        return Err(Problem::BadUploadHeader.into());
    };
    let body = HyperBody::new(request.into_body(), declared);
    let key = permit.key().clone();
    let (tell, told) = oneshot::channel();
    let attempt = {
        let centre = Arc::clone(centre);
        let sending = Sending { offset, declared };
        async move { receive::receive(centre, permit, sending, body, Teller::new(tell)).await }
    };
    let mut attempt = centre.work.spawn(attempt);
    // What only the check and the commit are missing from is waited for, but not for ever.
    let early = async {
        match told.await {
            Ok(Told::Whole) => {
                tokio::time::sleep(centre.in_force().config.link.receipt_wait).await;
                Ok(answer::checking())
            }
            Ok(Told::Ended(problem)) => Err(Turned::from(problem)),
            Err(_) => std::future::pending().await,
        }
    };
    // Dropping the waiting does not drop the task.
    let outcome = tokio::select! {
        biased;
        outcome = &mut attempt => outcome,
        early = early => return early,
    };
    match outcome {
        Ok(Ok(transfer)) => match ask::receipt_answer(centre, &transfer, log_seen).await {
            Ok(receipt) => Ok(answer::json(hyper::StatusCode::OK, &receipt)),
            // It is committed; only its proofs cannot be read now. The sender asks for them.
            Err(_) => Ok(answer::checking()),
        },
        Ok(Err(turned)) => Err(turned),
        Err(lost) => {
            receive::recover_lost_attempt(centre, &key).await;
            Err(Turned::because(Problem::StorageFailed, lost))
        }
    }
}

/// Is a refusal put on record by itself? A signed one and the end of an attempt are on the transfer's own record, and
/// were logged there. What is beyond a limit is not, and shows who wanted too much.
fn leaves_entry(turned: &Turned) -> bool {
    let beyond_a_limit = matches!(
        turned.problem,
        Problem::TooMany
            | Problem::TooManyRequests
            | Problem::TooManyAttempts
            | Problem::OverQuota
            | Problem::StorageFull
    );
    let final_no = turned.problem.advice() == Advice::GiveUp || turned.problem == Problem::NotFound;
    turned.refusal.is_none() && (final_no || beyond_a_limit)
}

/// Notes a refusal: in the counters, in the log, and in the audit unless the transfer's own record speaks of it.
async fn deny(centre: &Arc<Centre>, peer: &Peer, turned: &Turned) {
    let problem = turned.problem;
    centre.counters.count(Stage::Request, problem.code());
    let (identity, address, detail) = (peer.identity(), peer.ends.source, turned.detail.as_deref());
    // The limit comes before the line: a connection that is kept can ask as fast as it likes.
    if !leaves_entry(turned) || !centre.denials.may(identity.clone(), pki::clock::now()) {
        tracing::debug!(%identity, %address, %problem, detail, "turned down");
        return;
    }
    tracing::warn!(%identity, %address, %problem, detail, "turned down");
    let entry =
        Entry { subject: Some(peer.subject()), problem: Some(problem), ..centre.entry(Event::Denied) };
    // A log that cannot be written has broken the centre, and says so itself.
    let _ = centre.record(entry).await;
}
