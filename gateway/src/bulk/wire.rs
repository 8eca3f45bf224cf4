//! A line that its connection and the attempt that takes its content may both hold; one of them uses it at a time.

use std::{
    future::poll_fn,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::Request;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::server::TlsStream;

use super::{
    head::{self, HEAD_BYTES_MAX, HeadFault},
    line::{Gone, Line},
};

/// It.
#[derive(Clone)]
pub struct Wire(Arc<Mutex<Line>>);

impl Wire {
    /// After the handshake.
    pub fn new(stream: TlsStream<TcpStream>) -> Self {
        Wire(Arc::new(Mutex::new(Line::new(stream))))
    }

    /// The line, for the length of a poll.
    pub fn line(&self) -> MutexGuard<'_, Line> {
        // A poll that broke down leaves bytes in one place or another; who goes on reads what the peer's TLS vouches for.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The head of the next request; none if the peer has gone before its first byte. Dropping the future loses nothing.
    pub async fn head(&self) -> Result<Option<Request<()>>, HeadFault> {
        self.line().rest();
        poll_fn(|context| {
            let mut line = self.line();
            loop {
                if let Some((request, length)) = head::request(line.ahead())? {
                    if length > HEAD_BYTES_MAX {
                        return Err(HeadFault::TooLong).into();
                    }
                    line.take(length);
                    return Ok(Some(request)).into();
                }
                if line.ahead().len() >= HEAD_BYTES_MAX {
                    return Err(HeadFault::TooLong).into();
                }
                match ready!(line.poll_more(context, HEAD_BYTES_MAX)) {
                    Ok(()) => {}
                    Err(Gone::Closed) if line.ahead().is_empty() => return Ok(None).into(),
                    Err(gone) => return Err(HeadFault::Gone(gone)).into(),
                }
            }
        })
        .await
    }

    /// Until the peer has gone, while nothing is expected of it. Once it says something all the same, that is kept for whoever
    /// asks, and whether the peer goes is seen no more until then. Dropping the future loses nothing.
    pub async fn gone(&self) -> Gone {
        poll_fn(|context| self.poll_gone(context)).await
    }

    /// As [`Wire::gone`].
    pub fn poll_gone(&self, context: &mut Context<'_>) -> Poll<Gone> {
        let mut line = self.line();
        while line.ahead().is_empty() {
            if let Err(gone) = ready!(line.poll_more(context, HEAD_BYTES_MAX)) {
                return Poll::Ready(gone);
            }
        }
        Poll::Pending
    }

    /// Sends these bytes.
    pub async fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.line().put(bytes)?;
        poll_fn(|context| self.line().poll_flush(context)).await
    }

    /// Says goodbye, and reads what still comes for so long: closed with unread bytes, the kernel would say that the
    /// connection broke, and the peer might never see the answer.
    pub async fn close(&self, linger: Duration) {
        let closing = async {
            self.line().put_goodbye();
            poll_fn(|context| self.line().poll_flush(context)).await?;
            poll_fn(|context| self.line().poll_shutdown(context)).await?;
            poll_fn(|context| self.line().poll_read_out(context)).await;
            io::Result::Ok(())
        };
        // Whoever does not go in that time is closed.
        let _ = timeout(linger, closing).await;
    }
}
