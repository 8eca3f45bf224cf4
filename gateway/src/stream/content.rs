//! The two contents of a streamed exchange on their way through, each under its deadlines.
//!
//! A content that breaks is never ended cleanly: the far side sees a message that is broken off (guideline II.5(8)).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use protocol::{
    cause::{self, Cause},
    claims::{ClaimsCheck, Fault, Mismatch},
    kind::Kind,
    problem::Problem,
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::{Sleep, sleep},
};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::task_tracker::TaskTrackerToken,
};

use super::exchanges::Exchange;
use crate::pace::Pace;

/// Why a content was broken off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection that it came from, or its pace.
    #[error("the content was cut off ({0})")]
    Cut(Cause),
    /// It is no claims file, or no whole one.
    #[error("the content is not a complete claims file: {0}")]
    Claims(Fault),
    /// It is a claims file of another kind.
    #[error("the content is another kind of claims file: {0}")]
    Kind(Mismatch),
}

impl Broken {
    /// What the peer is told.
    pub fn problem(&self) -> Problem {
        match self {
            Broken::Cut(Cause::Stalled) => Problem::Stalled,
            Broken::Cut(Cause::TooSlow) => Problem::TooSlow,
            Broken::Cut(Cause::Revoked) => Problem::Revoked,
            Broken::Cut(_) => Problem::LengthMismatch,
            Broken::Claims(_) => Problem::ClaimsIncomplete,
            Broken::Kind(_) => Problem::ClaimsKindMismatch,
        }
    }
}

/// A request's content on its way to the backend.
pub struct Question {
    incoming: Incoming,
    /// Bytes that the declared length still promises.
    left: u64,
    pace: Pace,
    silence: Silence,
    told_to_end: Pin<Box<WaitForCancellationFutureOwned>>,
    claims: Option<Claims>,
    /// Told once: it went through whole, or why not. Not told: the backend took no more of it.
    end: Option<oneshot::Sender<Result<(), Broken>>>,
}

/// The claims check of a content that passes, and the bytes that wait for its verdict.
struct Claims {
    check: ClaimsCheck,
    kind: Kind,
    held: Option<Bytes>,
}

/// What a question is carried under.
pub struct Terms {
    /// Nothing came for this long: it is broken off.
    pub stall_max: Duration,
    /// Below this rate over `stall_max` likewise.
    pub bytes_per_second_min: u64,
    /// Cancelled when the exchange is to be broken off.
    pub ends: CancellationToken,
    /// It must be a claims file of this kind.
    pub claims: Option<Kind>,
}

impl Question {
    /// Content of `declared` bytes; the receiver is told how it ended.
    pub fn new(
        incoming: Incoming,
        declared: u64,
        terms: Terms,
    ) -> (Self, oneshot::Receiver<Result<(), Broken>>) {
        let (end, ended) = oneshot::channel();
        let mut question = Question {
            incoming,
            left: declared,
            pace: Pace::new(terms.bytes_per_second_min, terms.stall_max, Instant::now()),
            silence: Silence::new(terms.stall_max),
            told_to_end: Box::pin(terms.ends.cancelled_owned()),
            claims: terms.claims.map(|kind| Claims { check: ClaimsCheck::new(), kind, held: None }),
            end: Some(end),
        };
        if question.is_through() {
            question.ends(Ok(()));
        }
        (question, ended)
    }

    /// Is nothing missing any more? Whoever sends it on knows the length, and may not ask for an end after the last byte.
    fn is_through(&self) -> bool {
        self.left == 0 && self.claims.is_none()
    }

    fn ends(&mut self, how: Result<(), Broken>) -> Option<Result<Frame<Bytes>, Broken>> {
        if let Some(end) = self.end.take() {
            // Nobody may be waiting any more.
            let _ = end.send(how.clone());
        }
        how.err().map(Err)
    }

    /// The next bytes as they came; none: the declared length came, and not a byte more.
    fn poll_came(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Broken>> {
        if self.told_to_end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Broken::Cut(Cause::Revoked)));
        }
        loop {
            let Poll::Ready(came) = Pin::new(&mut self.incoming).poll_frame(context) else {
                ready!(self.silence.poll(context));
                return Poll::Ready(Err(Broken::Cut(Cause::Stalled)));
            };
            self.silence.broken();
            let bytes = match came {
                // Trailers do not cross: nothing here reads them.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => bytes,
                    _ => continue,
                },
                Some(Err(error)) => return Poll::Ready(Err(Broken::Cut(cause::of_connection_error(&error)))),
                None if self.left == 0 => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(Err(Broken::Cut(Cause::PeerClosed))),
            };
            let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
                return Poll::Ready(Err(Broken::Cut(Cause::LengthMismatch)));
            };
            self.left = left;
            if !self.pace.fast_enough(bytes.len(), Instant::now()) {
                return Poll::Ready(Err(Broken::Cut(Cause::TooSlow)));
            }
            return Poll::Ready(Ok(Some(bytes)));
        }
    }
}

impl Claims {
    /// Looks at bytes that came, keeps them, and gives back those before them.
    fn pass(&mut self, bytes: Bytes) -> Option<Bytes> {
        self.check.update(&bytes);
        self.held.replace(bytes)
    }

    /// The verdict, and the bytes that waited for it.
    fn finish(self) -> Result<Option<Bytes>, Broken> {
        let summary = self.check.finish().map_err(Broken::Claims)?;
        summary.matches_kind(self.kind).map_err(Broken::Kind)?;
        Ok(self.held)
    }
}

impl Body for Question {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.end.is_none() {
            return Poll::Ready(None);
        }
        loop {
            let came = match ready!(self.poll_came(context)) {
                Ok(came) => came,
                Err(broken) => return Poll::Ready(self.ends(Err(broken))),
            };
            let goes = match (came, self.claims.as_mut()) {
                (Some(bytes), None) => {
                    if self.is_through() {
                        self.ends(Ok(()));
                    }
                    Some(bytes)
                }
                (Some(bytes), Some(claims)) => match claims.pass(bytes) {
                    // What the check has found wrong already need not be waited for.
                    Some(_) if claims.check.fault().is_some() => {
                        let fault = claims.check.fault().map(Broken::Claims);
                        return Poll::Ready(fault.and_then(|broken| self.ends(Err(broken))));
                    }
                    None => continue,
                    before => before,
                },
                (None, _) => {
                    let held = self.claims.take().map(Claims::finish);
                    match held.unwrap_or(Ok(None)) {
                        Ok(held) => {
                            // The length is told to the backend, so that these bytes are the end of it.
                            self.ends(Ok(()));
                            held
                        }
                        Err(broken) => return Poll::Ready(self.ends(Err(broken))),
                    }
                }
            };
            return Poll::Ready(goes.map(|bytes| Ok(Frame::data(bytes))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.claims.as_ref().and_then(|claims| claims.held.as_ref()).map_or(0, Bytes::len);
        SizeHint::with_exact(self.left + held as u64)
    }
}

/// An answer's content on its way to the peer.
pub struct Answering {
    incoming: Incoming,
    silence: Silence,
    told_to_end: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: Held,
}

/// What an exchange holds until its answer is through: its entry in the table, its place in the route, and a drain that
/// waits for it.
pub struct Held {
    /// Its entry.
    pub exchange: Exchange,
    /// Its place.
    pub place: OwnedSemaphorePermit,
    /// Makes a drain wait.
    pub work: TaskTrackerToken,
}

/// The backend broke off its answer, or stopped in the middle of it.
#[derive(Debug, thiserror::Error)]
pub enum AnswerBroken {
    /// Broke off.
    #[error("the backend broke off its answer")]
    Cut(#[source] hyper::Error),
    /// Stopped.
    #[error("the backend stopped in the middle of its answer")]
    Stalled,
    /// We were told to.
    #[error("the exchange was broken off on this side")]
    Ended,
}

impl Answering {
    /// The backend's content.
    pub fn new(incoming: Incoming, stall_max: Duration, held: Held) -> Self {
        let told_to_end = Box::pin(held.exchange.ends().clone().cancelled_owned());
        Answering { incoming, silence: Silence::new(stall_max), told_to_end, _held: held }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = AnswerBroken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerBroken>>> {
        if self.told_to_end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(AnswerBroken::Ended)));
        }
        loop {
            let Poll::Ready(came) = Pin::new(&mut self.incoming).poll_frame(context) else {
                ready!(self.silence.poll(context));
                return Poll::Ready(Some(Err(AnswerBroken::Stalled)));
            };
            self.silence.broken();
            return Poll::Ready(match came {
                // Trailers do not cross.
                Some(Ok(frame)) if frame.is_trailers() => continue,
                came => came.map(|came| came.map_err(AnswerBroken::Cut)),
            });
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// Measures how long nothing has come.
struct Silence {
    max: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    fn new(max: Duration) -> Self {
        Silence { max, running: None }
    }

    /// Ready when nothing came for the whole time.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let max = self.max;
        self.running.get_or_insert_with(|| Box::pin(sleep(max))).as_mut().poll(context)
    }

    /// Something came.
    fn broken(&mut self) {
        self.running = None;
    }
}
