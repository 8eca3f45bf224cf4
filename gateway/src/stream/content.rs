//! The two contents of a streamed exchange as hyper carries them, each under its deadlines.
//!
//! A content that breaks is never ended cleanly: the far side sees a message that is broken off (guideline II.5(8)).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use protocol::cause::{self, Cause};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{
    passage::Held,
    watch::{Broken, Silence, Terms, Watch},
};

/// A request's content on its way to the backend.
pub struct Question {
    incoming: Incoming,
    watch: Watch,
    silence: Silence,
    told_to_end: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Told once: it went through whole, or why not. Not told: the backend took no more of it.
    end: Option<oneshot::Sender<Result<(), Broken>>>,
}

impl Question {
    /// Content under these terms; the receiver is told how it ended.
    pub fn new(
        incoming: Incoming,
        terms: &Terms,
        told_to_end: &CancellationToken,
    ) -> Result<(Self, oneshot::Receiver<Result<(), Broken>>), Broken> {
        let (end, ended) = oneshot::channel();
        let mut question = Question {
            incoming,
            watch: Watch::new(terms)?,
            silence: Silence::new(terms.stall_max),
            told_to_end: Box::pin(told_to_end.clone().cancelled_owned()),
            end: Some(end),
        };
        question.end_if_through();
        Ok((question, ended))
    }

    /// Whoever sends it on knows the length, and may not ask for an end after the last byte.
    fn end_if_through(&mut self) {
        if self.watch.left() == 0 {
            self.ends(Ok(()));
        }
    }

    fn ends(&mut self, how: Result<(), Broken>) {
        if let Some(end) = self.end.take() {
            // Nobody may be waiting any more.
            let _ = end.send(how);
        }
    }

    /// The next bytes as they came, watched.
    fn poll_came(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Broken>> {
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
                None => return Poll::Ready(Err(Broken::Cut(Cause::PeerClosed))),
            };
            self.watch.came(&bytes, Instant::now())?;
            return Poll::Ready(Ok(bytes));
        }
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
        let came = ready!(self.poll_came(context));
        match &came {
            Ok(_) => self.end_if_through(),
            Err(broken) => self.ends(Err(broken.clone())),
        }
        Poll::Ready(Some(came.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.end.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.watch.left())
    }
}

/// An answer's content on its way to the peer.
pub struct Answering {
    incoming: Incoming,
    silence: Silence,
    told_to_end: Pin<Box<WaitForCancellationFutureOwned>>,
    _held: Held,
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
