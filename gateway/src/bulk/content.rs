//! Content of a transfer, from the line into the buffer of whoever takes it in.

use std::{
    future::poll_fn,
    task::{Context, Poll, ready},
};

use tokio::sync::oneshot;

use super::{scratch::read_at_once, wire::Wire};
use crate::{
    body::{BodyFault, BodySource, Filled},
    cores::Busy,
};

/// What is said to a peer that asked whether it may send its content (RFC 9110 section 10.1.1).
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The content of one request.
pub struct LineBody {
    wire: Wire,
    /// What else its core does.
    busy: Busy,
    left: u64,
    asked_first: bool,
    all_came: Option<oneshot::Sender<()>>,
}

impl LineBody {
    /// The next `declared` bytes of the line; its peer may wait for leave to send them. Once `all_came` is told, the line is
    /// read no more.
    pub fn new(
        wire: Wire,
        busy: Busy,
        declared: u64,
        asked_first: bool,
        all_came: oneshot::Sender<()>,
    ) -> Self {
        let mut body = LineBody { wire, busy, left: declared, asked_first, all_came: Some(all_came) };
        body.tell_if_all_came();
        body
    }

    fn tell_if_all_came(&mut self) {
        if self.left == 0
            && let Some(all_came) = self.all_came.take()
        {
            // Nobody may be waiting for it any more.
            let _ = all_came.send(());
        }
    }

    fn poll_fill(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<Filled, BodyFault>> {
        if self.left == 0 {
            return Poll::Ready(Ok(Filled::Complete));
        }
        let mut line = self.wire.line();
        if self.asked_first {
            // Whoever cannot be told will not send, which is noticed.
            let _ = line.put(CONTINUE);
            self.asked_first = false;
        }
        let _ = line.poll_flush(context);
        let at_once = read_at_once(self.busy.requests());
        let want = buffer.len().min(at_once).min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut at = 0;
        let came = line.poll_read(context, want, &mut |piece| {
            if let Some(place) = buffer.get_mut(at..at + piece.len()) {
                place.copy_from_slice(piece);
            }
            at += piece.len();
        });
        let count = ready!(came).map_err(|gone| BodyFault::Cut(gone.cause()))?;
        self.left = self.left.checked_sub(count as u64).ok_or(BodyFault::TooLong)?;
        drop(line);
        self.tell_if_all_came();
        Poll::Ready(Ok(Filled::Bytes(count)))
    }
}

impl BodySource for LineBody {
    async fn fill(&mut self, buffer: &mut [u8]) -> Result<Filled, BodyFault> {
        poll_fn(|context| self.poll_fill(context, buffer)).await
    }
}
