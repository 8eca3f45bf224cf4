//! The socket under TLS, with every byte that moves put down in a [`Pulse`].
//!
//! When the peer has closed, a write fails at once, while the reason may still lie unread in the socket: an early
//! answer, or the alert that names what is wrong with our certificate. So such a failure is put down and passed over,
//! and the reading side, which comes to the reason first and to the end after it, tells whoever is above.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pulse::Pulse;

/// A stream whose progress is watched.
pub(crate) struct WatchedIo<S> {
    inner: S,
    pulse: Arc<Pulse>,
    /// The peer takes nothing any more; only reading makes sense.
    peer_left: bool,
}

impl<S> WatchedIo<S> {
    pub fn new(inner: S, pulse: Arc<Pulse>) -> Self {
        WatchedIo { inner, pulse, peer_left: false }
    }

    /// Puts down what a write of `length` bytes came to.
    fn wrote(&mut self, written: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        self.pulse.change(|beat| match &written {
            Poll::Pending => beat.write_waits = true,
            Poll::Ready(Ok(_)) => {
                beat.moved = Instant::now();
                if beat.write_waits {
                    (beat.write_waits, beat.taken) = (false, beat.moved);
                }
            }
            Poll::Ready(Err(error)) => {
                beat.write_waits = false;
                beat.failed.get_or_insert(error.kind());
            }
        });
        match written {
            Poll::Ready(Err(error)) if is_closing(error.kind()) => {
                self.peer_left = true;
                Poll::Ready(Ok(length))
            }
            written => written,
        }
    }
}

/// The peer's closing, as against a line that broke.
fn is_closing(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted
    )
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buffer));
        self.pulse.change(|beat| match &read {
            Ok(()) if buffer.filled().len() > before => beat.moved = Instant::now(),
            Ok(()) => beat.ended |= buffer.capacity() > before,
            Err(error) => _ = beat.failed.get_or_insert(error.kind()),
        });
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.peer_left {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(written, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = slices.iter().map(|slice| slice.len()).sum();
        if self.peer_left {
            return Poll::Ready(Ok(length));
        }
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.wrote(written, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn the_reason_is_read_even_if_writing_failed_before_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let pulse = Arc::new(Pulse::new());
        let mut watched = WatchedIo::new(stream, Arc::clone(&pulse));
        watched.write_all(b"unread").await.unwrap();
        peer.readable().await.unwrap();
        peer.write_all(b"reason").await.unwrap();
        // Closing with bytes unread resets the connection.
        drop(peer);
        while pulse.beat().failed.is_none() {
            watched.write_all(b"more").await.unwrap();
            tokio::task::yield_now().await;
        }
        let mut reason = [0; 6];
        watched.read_exact(&mut reason).await.unwrap();
        assert_eq!(&reason, b"reason");
    }
}
