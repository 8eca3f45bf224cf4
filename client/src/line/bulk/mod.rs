//! A line for content alone, its messages written and read by hand.
//!
//! What is read of the file at once is given to TLS at once, and leaves by one write if the system takes it: nothing more is
//! given before that. The answer is looked for all the while, since the centre may say no before it has read everything.

mod head;

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::Request;
use protocol::limits::ANSWER_JSON_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::{Answer, Break, RequestBody, blame::explain, watch::Watch};
use head::AnswerHead;

/// Bytes of an answer that are read at once: mostly all of it.
const READ_AT_ONCE: usize = 16 * 1024;

/// What the bytes go over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for S {}

/// A connection that brings content. Dropping it closes the connection at once.
pub(crate) struct BulkLine {
    stream: Box<dyn Stream>,
    watch: Watch,
    host: String,
}

impl BulkLine {
    /// Over this stream, which must hold back no more than what it was given last.
    pub(super) fn new<S>(stream: S, watch: Watch, host: String) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
    {
        BulkLine { stream: Box::new(stream), watch, host }
    }

    /// Sends the one request that goes over it, and waits for its answer. `tick` is called several times a second.
    pub async fn exchange(
        mut self,
        request: Request<RequestBody>,
        stop: &CancellationToken,
        tick: impl FnMut(),
    ) -> Result<Answer, Break> {
        let outgoing = request.body().outgoing();
        let head = head::of_request(&request, &self.host);
        let mut exchange = Exchange {
            stream: self.stream.as_mut(),
            piece: head.into(),
            body: request.into_body(),
            came: Vec::new(),
            head: None,
        };
        let answered = poll_fn(|context| exchange.poll(context));
        match self.watch.until_answered(answered, || outgoing.is_out(), stop, tick).await? {
            Ok(answer) => Ok(answer),
            Err(Fault::Answer(reason)) => Err(Break::BadAnswer(reason)),
            Err(Fault::Line(error)) => Err(explain(&error, &self.watch.pulse)),
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Fault {
    /// What came is none.
    Answer(&'static str),
    /// The line ended, or the content did.
    Line(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Line(error)
    }
}

/// The request on its way, and what came of its answer.
struct Exchange<'a> {
    stream: &'a mut dyn Stream,
    /// Given to the stream next.
    piece: Bytes,
    body: RequestBody,
    came: Vec<u8>,
    head: Option<AnswerHead>,
}

impl Exchange<'_> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, Fault>> {
        // The answer counts, whatever has become of the request.
        if let Poll::Ready(answer) = self.poll_answer(context) {
            return Poll::Ready(answer);
        }
        match self.poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Ready when all of the request has left.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(Pin::new(&mut *self.stream).poll_flush(context))?;
            if self.piece.is_empty() {
                match ready!(self.body.poll_next(context)) {
                    Some(piece) => self.piece = piece?,
                    None => return Poll::Ready(Ok(())),
                }
            }
            let taken = ready!(Pin::new(&mut *self.stream).poll_write(context, &self.piece))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // When nothing is left of a block its buffer goes back.
            self.piece = self.piece.split_off(taken.min(self.piece.len()));
        }
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer, Fault>> {
        loop {
            let mut bytes = [0; READ_AT_ONCE];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *self.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            self.came.extend_from_slice(read.filled());
            if let Some(answer) = self.answer().map_err(Fault::Answer)? {
                return Poll::Ready(Ok(answer));
            }
        }
    }

    /// The answer, if all of it came.
    fn answer(&mut self) -> Result<Option<Answer>, &'static str> {
        if self.head.is_none() {
            let Some((head, length)) = head::of_answer(&self.came)? else { return Ok(None) };
            if head.length > ANSWER_JSON_BYTES_MAX {
                return Err("it is longer than any answer of this protocol");
            }
            self.came.drain(..length);
            self.head = Some(head);
        }
        let whole = |head: &mut AnswerHead| self.came.len() >= head.length;
        let Some(head) = self.head.take_if(whole) else { return Ok(None) };
        if self.came.len() > head.length {
            return Err("something stands behind it");
        }
        Ok(Some(head.with_body(std::mem::take(&mut self.came))))
    }
}
