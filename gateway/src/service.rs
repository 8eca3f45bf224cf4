//! One request: its head is checked, its route found, its right asked for, its handler run, its outcome answered.

use std::{convert::Infallible, sync::Arc};

use http_body_util::{BodyExt as _, Either, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};
use protocol::{
    limits::REQUEST_JSON_BYTES_MAX,
    problem::Problem,
    transfer_id::TransferKey,
    wire::{JOSE, JSON, LOG_SEEN, Offer},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::{self, Answer},
    ask,
    body::HyperBody,
    centre::Centre,
    conclude, denied, host,
    in_force::InForce,
    offer::{self, Recorded},
    peer::{Peer, Permit, TransferPermit},
    request,
    route::{Route, route},
    send,
    stream::{self, Answering},
    turned::Turned,
};

/// Ours is there whole; that of a streamed route comes while it is sent.
pub type AnswerBody = Either<Full<Bytes>, Answering>;

/// Answers one request of a peer whose certificate was judged, on a connection that was made to a host of this name.
///
/// A lost connection drops this future at any await. The request is therefore handled in a task of its own, which a
/// drain waits for: what was begun is finished, and what was turned down is put on record. Only what waits for a system behind
/// the gateway is given up.
pub async fn serve(
    centre: Arc<Centre>,
    peer: Peer,
    handshake_name: Option<Arc<str>>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Infallible> {
    let work = centre.work.clone();
    let gone = CancellationToken::new();
    let _cancelled_when_dropped = gone.clone().drop_guard();
    // Before anything is read or asked for it, and dropped with the connection.
    let turn = peer.take_turn(centre.in_force().config.limits.requests_per_identity_per_second_max).await;
    let handling = work.spawn(async move {
        let answer = match turn {
            Ok(()) => dispatch(&centre, &peer, handshake_name.as_deref(), request, &gone).await,
            Err(too_fast) => Err(too_fast),
        };
        match answer {
            Ok(answer) => answer,
            Err(turned) => {
                denied::note(&centre, &peer, &turned).await;
                whole(answer::problem(&turned))
            }
        }
    });
    let lost = |error| whole(answer::problem(&Turned::because(Problem::StorageFailed, error)));
    Ok(handling.await.unwrap_or_else(lost))
}

/// What a request is, as far as its head tells, and that its sender may do it. The same for every engine.
pub enum Asked {
    /// One for the system behind a streamed route.
    Streamed(Permit, Arc<stream::Route>),
    /// One for the centre.
    Own(Route, Arc<InForce>),
}

/// Finds out what a request is. Whoever handles it for the centre asks for the permit that its route needs.
pub fn asked<B>(
    centre: &Centre,
    peer: &Peer,
    handshake_name: Option<&str>,
    request: &Request<B>,
) -> Result<Asked, Problem> {
    request::check_framing(request)?;
    host::check(request, handshake_name, |host| centre.in_force().is_dialled_as(peer.listener(), host))?;
    let in_force = centre.in_force();
    if let Some(streamed) = in_force.route(request.uri().path()) {
        let (system, action) = streamed.config.right;
        return Ok(Asked::Streamed(peer.permit(&in_force, system, action)?, streamed));
    }
    Ok(Asked::Own(route(request.method(), request.uri().path(), request.uri().query())?, in_force))
}

/// Asks for the permit to do something with a transfer.
pub fn permit_transfer(
    centre: &Centre,
    peer: &Peer,
    in_force: &InForce,
    route: &Route,
    key: TransferKey,
) -> Result<TransferPermit, Problem> {
    let (system, action) = route.right();
    let permit = peer.permit_transfer(in_force, system, action, key)?;
    // Who acts for a sender that is kept out has no work for it.
    if centre.blocked.names(&permit.key().sender) { Err(Problem::Blocked) } else { Ok(permit) }
}

async fn dispatch(
    centre: &Arc<Centre>,
    peer: &Peer,
    handshake_name: Option<&str>,
    request: Request<Incoming>,
    gone: &CancellationToken,
) -> Result<Response<AnswerBody>, Turned> {
    match asked(centre, peer, handshake_name, &request)? {
        Asked::Streamed(permit, streamed) => {
            let answer = stream::pass_on(centre, permit, streamed, request, gone).await?;
            // Nobody is left to be answered if there is none.
            Ok(answer.map_or_else(|| whole(answer::done()), |answer| answer.map(AnswerBody::Right)))
        }
        Asked::Own(route, in_force) => Ok(whole(handle(centre, peer, route, in_force, request).await?)),
    }
}

fn whole(answer: Answer) -> Response<AnswerBody> {
    answer.map(|body| AnswerBody::Left(Full::new(body)))
}

async fn handle(
    centre: &Arc<Centre>,
    peer: &Peer,
    route: Route,
    in_force: Arc<InForce>,
    request: Request<Incoming>,
) -> Result<Answer, Turned> {
    let (system, action) = route.right();
    let permit = |key: &TransferKey| permit_transfer(centre, peer, &in_force, &route, key.clone());
    let log_seen = request::one_number(request.headers(), LOG_SEEN)?;
    match &route {
        Route::Offer => {
            let permit = peer.permit(&in_force, system, action)?;
            let body = read_text(centre, request, JSON).await?;
            let body: Offer = serde_json::from_str(&body).map_err(|_| Problem::BadRequest)?;
            let (status, key, state) = match offer::offer(centre, &permit, body).await? {
                Recorded::New(transfer) => {
                    let state = ask::state_of(centre, &transfer, log_seen).await?;
                    (hyper::StatusCode::CREATED, transfer.key, state)
                }
                Recorded::Known(key) => {
                    let state = ask::state_now(centre, &key, log_seen).await?;
                    (hyper::StatusCode::OK, key, state)
                }
            };
            Ok(answer::state(status, &state, Some(&key.location())))
        }
        Route::Send(key) => {
            let permit = permit(key)?;
            // Content may come for hours, and certificates and lists of now must not stay with it.
            drop(in_force);
            let sending = request::sending(request.headers())?;
            let body = HyperBody::new(request.into_body(), sending.declared);
            send::send(centre, permit, sending, body, log_seen).await
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
            Ok(answer::json(hyper::StatusCode::OK, &ask::consistency(centre, *from, *to).await?))
        }
    }
}

/// Reads a small body whole, within its limit and the deadline for heads.
async fn read_text(
    centre: &Centre,
    request: Request<Incoming>,
    content_type: &str,
) -> Result<String, Turned> {
    let length = request::content_length(request.headers())?;
    request::check_content_type(request.headers(), content_type)?;
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
