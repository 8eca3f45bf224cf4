//! The second engine: HTTP/1.1 by hand, for what moves much, with as few steps and as little memory as the machine needs.
//!
//! A peer asks for it by name when it connects (ALPN `sekisho/1`), after the same handshake and the same judging. It takes
//! requests of streamed routes, and content of transfers; for everything else there is the first one. What may pass, what
//! is told to the backend and what breaks an exchange off is the same in both: [`crate::service::asked`],
//! [`crate::stream::Passage`], [`crate::send`]. After a problem the connection closes.

mod ahead;
mod answering;
mod backend;
mod chunks;
mod content;
mod exchange;
pub mod head;
mod line;
mod places;
mod scratch;
mod wire;

use std::{
    future::{Future, pending, poll_fn},
    io,
    pin::pin,
    sync::Arc,
};

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{EXPECT, HeaderValue},
};
use protocol::{
    cause::{Cause, of_connection_error},
    problem::Problem,
    wire::LOG_SEEN,
};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;

pub use backend::{close_all, close_idle};

use crate::{
    answer::{self, Answer},
    centre::Centre,
    connection::{LAST_ANSWER_MAX, Patience, no_more_requests},
    cores::{Busy, Seat},
    counters::Stage,
    denied,
    peer::{Peer, TransferPermit},
    request,
    route::Route,
    send,
    service::{Asked, asked, permit_transfer},
    stream::{Broken, Passage, Silence},
    turned::Turned,
};
use answering::AnswerBroken;
use content::LineBody;
use exchange::{Carried, carry};
use head::{Framing, HeadFault, lists, write_answer};
use line::Gone;
use wire::Wire;

/// One connection.
struct Connection {
    centre: Arc<Centre>,
    peer: Peer,
    patience: Patience,
    handshake_name: Option<Arc<str>>,
    wire: Wire,
    seat: Seat,
}

/// What comes after a request.
enum Next {
    /// Another one.
    Request,
    /// The connection closes, in good order.
    Close,
    /// It ends as it is: what was said must be seen to be broken off. The word that is counted.
    Drop(&'static str),
}

/// How a connection ended.
enum End {
    /// Nothing was under way.
    Quiet,
    /// An answer told the peer.
    Answered,
    /// Something was under way; the word that is counted.
    Early(&'static str),
    /// It was told to end.
    ByUs,
}

/// Serves a connection to its end.
pub fn serve(
    centre: Arc<Centre>,
    patience: Patience,
    peer: Peer,
    stream: TlsStream<TcpStream>,
    seat: Seat,
) -> impl Future<Output = ()> + Send + 'static {
    // Before the future is made, which would keep room for the stream as it came.
    let handshake_name = stream.get_ref().1.server_name().map(Arc::from);
    let wire = Wire::new(stream);
    serve_to_its_end(Arc::new(Connection { centre, peer, patience, handshake_name, wire, seat }))
}

async fn serve_to_its_end(connection: Arc<Connection>) {
    let end = connection.run().await;
    let (centre, identity) = (&connection.centre, connection.peer.identity());
    match end {
        End::Quiet | End::Answered => {}
        End::Early(reason) => {
            centre.counters.count(Stage::Http, reason);
            tracing::debug!(%identity, reason, "connection ended");
        }
        End::ByUs => {
            tracing::info!(%identity, cause = ?connection.peer.stop().told(), "connection ended from this side");
            centre.counters.count(Stage::Connection, "ended_by_us");
        }
    }
}

impl Connection {
    async fn run(self: &Arc<Self>) -> End {
        let mut told_to_end = pin!(self.peer.stop().stopped());
        let mut head_due = Silence::new(self.patience.head);
        let mut no_more = pin!(no_more_requests(&self.centre, self.patience.life));
        loop {
            // Each may be dropped: a part of a head stays in the line.
            let came = tokio::select! {
                biased;
                _ = &mut told_to_end => {
                    self.wire.close(LAST_ANSWER_MAX).await;
                    return End::ByUs;
                }
                () = &mut no_more => {
                    self.wire.close(LAST_ANSWER_MAX).await;
                    return End::Quiet;
                }
                came = self.wire.head() => Some(came),
                () = poll_fn(|context| head_due.poll(context)) => None,
            };
            head_due.broken();
            let request = match came {
                Some(Ok(Some(request))) => request,
                Some(Ok(None)) => return End::Quiet,
                Some(Err(HeadFault::Gone(gone))) => return End::Early(gone.cause().name()),
                Some(Err(fault)) => {
                    self.refuse(&fault).await;
                    return End::Early("malformed");
                }
                None => {
                    self.wire.close(LAST_ANSWER_MAX).await;
                    return End::Early("head_timeout");
                }
            };
            let next = places::run(Arc::clone(self).handle(request)).await;
            match next {
                Ok(Next::Request) => {}
                Ok(Next::Close) => {
                    self.wire.close(LAST_ANSWER_MAX).await;
                    return if self.peer.is_ended() { End::ByUs } else { End::Answered };
                }
                Ok(Next::Drop(_)) if self.peer.is_ended() => return End::ByUs,
                Ok(Next::Drop(reason)) => return End::Early(reason),
                Err(error) => return End::Early(of_connection_error(&error).name()),
            }
        }
    }

    /// Answers what is no request, as briefly as the other engine does.
    async fn refuse(&self, fault: &HeadFault) {
        tracing::debug!(identity = %self.peer.identity(), %fault, "no request");
        let status = match fault {
            HeadFault::TooLong | HeadFault::TooMany => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            HeadFault::Malformed(_) | HeadFault::Gone(_) => StatusCode::BAD_REQUEST,
        };
        let mut head = Vec::new();
        write_answer(&mut head, status, &HeaderMap::new(), Framing::Length(0), true);
        // Whatever cannot be told is lost with the connection.
        let _ = timeout(LAST_ANSWER_MAX, self.wire.send(&head)).await;
        self.wire.close(LAST_ANSWER_MAX).await;
    }

    /// Handles one request. An error is one of the connection, when an answer was to be sent.
    async fn handle(self: Arc<Self>, request: Request<()>) -> io::Result<Next> {
        let running = self.seat.running();
        // A drain waits for what was begun, and what was turned down is put on record.
        let _work = self.centre.work.token();
        let (centre, peer) = (&self.centre, &self.peer);
        let (closes, method) = (lists(request.headers(), "close"), request.method().clone());
        let turn = peer.take_turn(centre.in_force().config.limits.requests_per_identity_per_second_max).await;
        let found = turn.and_then(|()| Ok(asked(centre, peer, self.handshake_name.as_deref(), &request)?));
        let handled = match found {
            Ok(Asked::Streamed(permit, route)) => {
                let (head, ()) = request.into_parts();
                let asked_first = asks_first(&head.headers);
                match Passage::begin(centre, &permit, route, &head) {
                    Ok(passage) => {
                        let carried = carry(&self.wire, running.core(), passage, asked_first, closes).await;
                        return self.after(carried, &method).await;
                    }
                    Err(turned) => Err(turned),
                }
            }
            Ok(Asked::Own(route, in_force)) => {
                let permit = match &route {
                    Route::Send(key) => permit_transfer(centre, peer, &in_force, &route, key.clone()),
                    // There is another engine for them.
                    _ => Err(Problem::MethodNotAllowed),
                };
                // Content may come for hours, and certificates and lists of now must not stay with it.
                drop(in_force);
                match permit {
                    Ok(permit) => {
                        // In a place of its own: a streamed exchange, of which there may be many in a second, needs none
                        // for it.
                        let (all_came, taken) = oneshot::channel();
                        let receiving = Box::pin(self.receive(running.core(), permit, &request, all_came));
                        tokio::select! {
                            biased;
                            received = receiving => received,
                            // The attempt ends by itself; nobody is left to be told.
                            () = self.answered_no_more() => return Ok(Next::Drop(Cause::Revoked.name())),
                            // Likewise: check and commit go on without whoever brought the content.
                            gone = self.gone_without_answer(taken) => return Ok(Next::Drop(gone.cause().name())),
                        }
                    }
                    Err(problem) => Err(problem.into()),
                }
            }
            Err(turned) => Err(turned),
        };
        match handled {
            Ok(answer) => {
                self.tell(answer, &method, closes).await?;
                Ok(if closes { Next::Close } else { Next::Request })
            }
            Err(turned) => self.turn_down(&turned, &method).await,
        }
    }

    /// Until the connection was told to end, and the time is over in which it may still be answered why.
    async fn answered_no_more(&self) {
        self.peer.stop().stopped().await;
        sleep(LAST_ANSWER_MAX).await;
    }

    /// Until the peer has gone whose content is all `taken`. While content comes, its attempt reads the line, and notices by
    /// itself.
    async fn gone_without_answer(&self, taken: oneshot::Receiver<()>) -> Gone {
        match taken.await {
            Ok(()) => self.wire.gone().await,
            // It ended before, and is being answered.
            Err(_) => pending().await,
        }
    }

    /// Takes in the content of a transfer, and tells when all of it came.
    async fn receive(
        &self,
        busy: Busy,
        permit: TransferPermit,
        request: &Request<()>,
        all_came: oneshot::Sender<()>,
    ) -> Result<Answer, Turned> {
        let log_seen = request::one_number(request.headers(), LOG_SEEN)?;
        let sending = request::sending(request.headers())?;
        let asks_first = asks_first(request.headers());
        let body = LineBody::new(self.wire.clone(), busy, sending.declared, asks_first, all_came);
        send::send(&self.centre, permit, sending, body, log_seen).await
    }

    /// What comes after a streamed exchange.
    async fn after(&self, carried: Result<Carried, Turned>, method: &Method) -> io::Result<Next> {
        match carried {
            Ok(Carried::Through) => Ok(Next::Request),
            Ok(Carried::Answered) => Ok(Next::Close),
            Ok(Carried::BrokenOff(broken)) => {
                tracing::debug!(identity = %self.peer.identity(), broken = %crate::chain::chain(&broken), "an exchange was broken off");
                match broken {
                    AnswerBroken::NotTaken(error) => Err(error),
                    AnswerBroken::Unwanted(gone) => Ok(Next::Drop(gone.cause().name())),
                    AnswerBroken::Request(Broken::Cut(Cause::LinkLost)) => {
                        Ok(Next::Drop(Cause::LinkLost.name()))
                    }
                    _ => Ok(Next::Drop(Cause::PeerClosed.name())),
                }
            }
            Err(turned) => self.turn_down(&turned, method).await,
        }
    }

    async fn turn_down(&self, turned: &Turned, method: &Method) -> io::Result<Next> {
        denied::note(&self.centre, &self.peer, turned).await;
        self.tell(answer::problem(turned), method, true).await?;
        Ok(Next::Close)
    }

    /// Answers with what is there whole. Whoever does not take it in a while is given up.
    async fn tell(&self, answer: Answer, method: &Method, closes: bool) -> io::Result<()> {
        let (head, body) = answer.into_parts();
        let framing = match head.status {
            StatusCode::NO_CONTENT => Framing::Empty,
            _ => Framing::Length(body.len() as u64),
        };
        let mut message = Vec::new();
        write_answer(&mut message, head.status, &head.headers, framing, closes);
        if *method != Method::HEAD {
            message.extend_from_slice(&body);
        }
        let ending = self.peer.is_ended() || self.centre.stopping.is_cancelled();
        let patience = if ending { LAST_ANSWER_MAX } else { self.patience.answer };
        match timeout(patience, self.wire.send(&message)).await {
            Ok(sent) => sent,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// Does the peer wait for leave to send its content (RFC 9110 section 10.1.1)?
fn asks_first(headers: &HeaderMap) -> bool {
    let is_it = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    headers.get(EXPECT).is_some_and(is_it)
}
