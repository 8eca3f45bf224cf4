//! HTTP over a connection that the caller makes: whoever must leave on one line alone decides how.

use std::{
    fmt, io,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use ureq::{
    Error,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, time,
    },
};

/// Connects to one of these addresses within this time.
pub type Connect = dyn Fn(&[SocketAddr], Duration) -> io::Result<TcpStream> + Send + Sync;

/// Makes connections as its function does.
pub(super) struct OwnConnector(pub Arc<Connect>);

impl fmt::Debug for OwnConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnConnector")
    }
}

impl Connector for OwnConnector {
    type Out = OwnConnection;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let left = left(details.timeout)?;
        let stream = (self.0)(&details.addrs, left).map_err(|error| fault(error, details.timeout))?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(OwnConnection { stream, buffers }))
    }
}

/// A blocking connection.
#[derive(Debug)]
pub(super) struct OwnConnection {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Transport for OwnConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.set_write_timeout(Some(left(timeout)?))?;
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output).map_err(|error| fault(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.set_read_timeout(Some(left(timeout)?))?;
        let read = self.stream.read(self.buffers.input_append_buf());
        let amount = read.map_err(|error| fault(error, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Each serves one request.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// What is left of the time for the whole fetch.
fn left(timeout: NextTimeout) -> Result<Duration, Error> {
    match timeout.after {
        time::Duration::Exact(left) if !left.is_zero() => Ok(left),
        time::Duration::Exact(_) | time::Duration::NotHappening => Err(Error::Timeout(timeout.reason)),
    }
}

fn fault(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        // Which of them a socket says depends on the system.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => Error::Io(error),
    }
}
