//! One peer's line: TLS over TCP, read in large pieces below the TLS library.
//!
//! The library reads a record at a time. Here as much is read at once as a core's buffer holds, and fed to it from there.

use std::{
    io::{self, BufRead as _, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use protocol::cause::{Cause, of_connection_error};
use tokio::{
    io::{AsyncRead as _, AsyncWrite as _, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{rustls::ServerConnection, server::TlsStream};

use super::{
    ahead::Ahead,
    scratch::{READ_AT_ONCE_MAX, with_input},
};

/// Plain bytes of one record (RFC 8446 section 5.1), and what a record adds to them at most in the usual case: header, type
/// and tag.
const RECORD: (usize, usize) = (16 * 1024, 22);

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub enum Gone {
    /// The peer said goodbye, or went without.
    #[error("the peer closed the connection")]
    Closed,
    /// The kernel, or TLS.
    #[error("the connection broke")]
    Broke(#[source] io::Error),
}

impl Gone {
    /// What it means for a content that is not whole.
    pub fn cause(&self) -> Cause {
        match self {
            Gone::Closed => Cause::PeerClosed,
            Gone::Broke(error) => of_connection_error(error),
        }
    }
}

/// The line.
pub struct Line {
    tcp: TcpStream,
    tls: ServerConnection,
    /// Plain bytes that came beyond what was asked for.
    ahead: Ahead,
    /// Nothing more comes. Told once what came before is taken.
    gone: Option<Gone>,
}

impl Line {
    /// After the handshake.
    pub fn new(stream: TlsStream<TcpStream>) -> Self {
        let (tcp, mut tls) = stream.into_inner();
        // Whoever writes here sends each piece before the next one.
        tls.set_buffer_limit(None);
        Line { tcp, tls, ahead: Ahead::default(), gone: None }
    }

    /// What came and was not asked for yet.
    pub fn ahead(&self) -> &[u8] {
        self.ahead.bytes()
    }

    /// So many bytes of that are taken.
    pub fn take(&mut self, count: usize) {
        self.ahead.take(count);
    }

    /// Shows what came, at most `want` bytes, piece by piece; says how many in all, at least one.
    pub fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        want: usize,
        show: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<usize, Gone>> {
        if self.ahead().is_empty() {
            return self.poll_decrypt(context, want, want, show);
        }
        let count = self.ahead().len().min(want);
        show(self.ahead().get(..count).unwrap_or_default());
        self.take(count);
        Poll::Ready(Ok(count))
    }

    /// Waits until there is more ahead: some `room` bytes at once.
    pub fn poll_more(&mut self, context: &mut Context<'_>, room: usize) -> Poll<Result<(), Gone>> {
        self.poll_decrypt(context, room, 0, &mut |_| {}).map_ok(|_| ())
    }

    /// Reads and decrypts until some plain bytes came: `want` of them are shown, those beyond are kept ahead.
    fn poll_decrypt(
        &mut self,
        context: &mut Context<'_>,
        room: usize,
        want: usize,
        show: &mut dyn FnMut(&[u8]),
    ) -> Poll<Result<usize, Gone>> {
        let room = (room + (room / RECORD.0 + 2) * RECORD.1).min(READ_AT_ONCE_MAX);
        // The library may still hold what came with the end of the handshake.
        let mut came = self.drain(want, show);
        while came == 0 {
            if let Some(gone) = self.gone.take() {
                // Whoever asks again is told the same.
                self.gone = Some(Gone::Closed);
                return Poll::Ready(Err(gone));
            }
            let read = with_input(|input| {
                let mut input = ReadBuf::new(input.get_mut(..room).unwrap_or_default());
                ready!(Pin::new(&mut self.tcp).poll_read(context, &mut input))?;
                let mut cipher = input.filled();
                if cipher.is_empty() {
                    self.gone = Some(Gone::Closed);
                }
                while !cipher.is_empty() && self.gone.is_none() {
                    self.feed(&mut cipher)?;
                    came += self.drain(want.saturating_sub(came), show);
                }
                Poll::Ready(Ok(()))
            });
            if let Err(error) = ready!(read) {
                self.gone = Some(Gone::Broke(error));
            }
        }
        Poll::Ready(Ok(came.min(want)))
    }

    /// Feeds the library with some of these bytes.
    fn feed(&mut self, cipher: &mut &[u8]) -> io::Result<()> {
        let fed = self.tls.read_tls(cipher)?;
        let state = self.tls.process_new_packets().map_err(|error| {
            // The alert that says so is worth one try.
            let _ = self.tls.write_tls(&mut Now(&self.tcp));
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        if state.peer_has_closed() || fed == 0 {
            self.gone = Some(Gone::Closed);
        }
        Ok(())
    }

    /// Takes what the library has decrypted; says how many bytes.
    fn drain(&mut self, want: usize, show: &mut dyn FnMut(&[u8])) -> usize {
        let mut count = 0;
        let mut reader = self.tls.reader();
        // An error here says that there is nothing now; what that means is known from elsewhere.
        while let Ok(piece @ [_, ..]) = reader.fill_buf() {
            let (wanted, beyond) = piece.split_at(piece.len().min(want.saturating_sub(count)));
            if !wanted.is_empty() {
                show(wanted);
            }
            self.ahead.put(beyond);
            count += piece.len();
            let length = piece.len();
            reader.consume(length);
        }
        count
    }

    /// Lets the library give back the memory for a large record that it needs no more: it looks at that whenever it is about
    /// to read.
    pub fn rest(&mut self) {
        let _ = self.tls.read_tls(&mut NothingYet);
    }

    /// Gives plain bytes to be sent; they leave with the next [`Line::poll_flush`].
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)
    }

    /// Was something put that has not left?
    pub fn wants_flush(&self) -> bool {
        self.tls.wants_write()
    }

    /// Says that nothing more will be put.
    pub fn put_goodbye(&mut self) {
        self.tls.send_close_notify();
    }

    /// Sends what was put.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut out = Out { tcp: &mut self.tcp, context };
            match self.tls.write_tls(&mut out) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ends our half of the connection.
    pub fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }

    /// Reads on without looking, until the peer has gone.
    pub fn poll_read_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let read = with_input(|input| {
                let mut input = ReadBuf::new(input);
                let read = Pin::new(&mut self.tcp).poll_read(context, &mut input);
                read.map_ok(|()| input.filled().len())
            });
            if matches!(ready!(read), Ok(0) | Err(_)) {
                return Poll::Ready(());
            }
        }
    }
}

/// The socket as the library writes to it.
struct Out<'a, 'c> {
    tcp: &'a mut TcpStream,
    context: &'a mut Context<'c>,
}

fn or_would_block(written: Poll<io::Result<usize>>) -> io::Result<usize> {
    match written {
        Poll::Ready(written) => written,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl io::Write for Out<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.tcp).poll_write(self.context, bytes))
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        or_would_block(Pin::new(&mut *self.tcp).poll_write_vectored(self.context, pieces))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The socket, tried once.
struct Now<'a>(&'a TcpStream);

impl io::Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A socket from which nothing came.
struct NothingYet;

impl io::Read for NothingYet {
    fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}
