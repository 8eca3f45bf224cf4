//! Holds content back to the pace that is wanted.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep_until},
};

use crate::pace::Pace;

/// Holds each block back until it may leave.
pub(crate) struct Turnstile {
    pace: Arc<Pace>,
    held: Option<(Bytes, Pin<Box<Sleep>>)>,
}

impl Turnstile {
    /// That lets nothing through yet.
    pub fn new(pace: Arc<Pace>) -> Self {
        Turnstile { pace, held: None }
    }

    /// Lets one through: the one that is held, or the next of these.
    pub fn poll_next(
        &mut self,
        context: &mut Context<'_>,
        blocks: &mut mpsc::Receiver<Bytes>,
    ) -> Poll<Option<Bytes>> {
        if self.held.is_none() {
            let Some(block) = ready!(blocks.poll_recv(context)) else { return Poll::Ready(None) };
            let at = self.pace.take(block.len());
            self.held = Some((block, Box::pin(sleep_until(at.into()))));
        }
        if let Some((_, until)) = &mut self.held {
            ready!(until.as_mut().poll(context));
        }
        Poll::Ready(self.held.take().map(|(block, _)| block))
    }
}
