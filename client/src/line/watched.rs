//! The socket under TLS, with every byte that moves put down in a [`Pulse`].

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
}

impl<S> WatchedIo<S> {
    pub fn new(inner: S, pulse: Arc<Pulse>) -> Self {
        WatchedIo { inner, pulse }
    }

    fn wrote(&self, written: &Poll<io::Result<usize>>) {
        self.pulse.change(|beat| match written {
            Poll::Pending => beat.write_waits = true,
            Poll::Ready(Ok(_)) => {
                beat.write_waits = false;
                beat.moved = Instant::now();
            }
            Poll::Ready(Err(error)) => {
                beat.write_waits = false;
                beat.failed.get_or_insert(error.kind());
            }
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedIo<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
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
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.wrote(&written);
        written
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
