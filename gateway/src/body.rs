//! The seam between whatever engine speaks HTTP and whoever wants a request's content.
//!
//! Handlers read content through [`BodySource`] into their own buffers and never see an engine's types. A body has
//! three ends, and only one of them is good: complete, cut, too long.

use std::future::Future;

use hyper::body::{Body as _, Bytes, Incoming};
use protocol::cause::{self, Cause};

/// What one reading yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// This many bytes at the beginning of the buffer, at least one.
    Bytes(usize),
    /// The declared length came, and not a byte more. Only this is an end; everything else is a cut.
    Complete,
}

/// Why a body did not come whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    /// The connection ended, or its framing broke, before the declared length.
    #[error("the content was cut off ({0})")]
    Cut(Cause),
    /// More bytes than declared.
    #[error("the content is longer than declared")]
    TooLong,
}

/// Content of one request.
pub trait BodySource: Send {
    /// Fills the buffer, from its beginning, with what is there; waits only for the first byte. Dropping the future
    /// loses nothing: a later call goes on where the last one stopped.
    fn fill(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<Filled, BodyFault>> + Send;
}

/// Content as hyper hands it over, counted against the declared length.
pub struct HyperBody {
    incoming: Incoming,
    waiting: Bytes,
    left: u64,
}

impl HyperBody {
    /// The body of a request whose Content-Length is `declared` bytes.
    pub fn new(incoming: Incoming, declared: u64) -> Self {
        HyperBody { incoming, waiting: Bytes::new(), left: declared }
    }
}

impl BodySource for HyperBody {
    async fn fill(&mut self, buffer: &mut [u8]) -> Result<Filled, BodyFault> {
        while self.waiting.is_empty() {
            let frame =
                std::future::poll_fn(|context| std::pin::Pin::new(&mut self.incoming).poll_frame(context));
            match frame.await {
                Some(Ok(frame)) => {
                    // Trailers carry nothing that is used here.
                    if let Ok(data) = frame.into_data() {
                        self.waiting = data;
                    }
                }
                Some(Err(error)) => return Err(BodyFault::Cut(cause::of_connection_error(&error))),
                None if self.left == 0 => return Ok(Filled::Complete),
                None => return Err(BodyFault::Cut(Cause::PeerClosed)),
            }
        }
        let count = self.waiting.len().min(buffer.len());
        let bytes = self.waiting.split_to(count);
        self.left = self.left.checked_sub(count as u64).ok_or(BodyFault::TooLong)?;
        if let Some(target) = buffer.get_mut(..count) {
            target.copy_from_slice(&bytes);
        }
        Ok(Filled::Bytes(count))
    }
}
