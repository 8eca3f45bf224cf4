//! A plain connection on the line, for a thread that may block: revocation lists come this way.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use config::network::ClientLine;
use tokio::{runtime, time::timeout};

use super::{
    origin,
    race::{self, NoConnection},
};

/// Connects to one of these addresses on this line, within this time.
pub(crate) fn plain(line: &ClientLine, addresses: &[SocketAddr], within: Duration) -> io::Result<TcpStream> {
    let host = addresses.first().map(ToString::to_string).unwrap_or_default();
    let addresses = origin::reachable(line, &host, addresses.iter().copied()).map_err(io::Error::other)?;
    let connecting = async {
        let Ok(raced) = timeout(within, race::connect(line, addresses)).await else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        match raced {
            Ok(stream) => stream.into_std(),
            Err(NoConnection::Line(fault)) => Err(io::Error::other(fault)),
            Err(NoConnection::Refused) => Err(io::ErrorKind::ConnectionRefused.into()),
            Err(NoConnection::Failed(error)) => {
                Err(origin::down(line, &host, &error).map_or(error, io::Error::other))
            }
        }
    };
    let stream = runtime::Builder::new_current_thread().enable_all().build()?.block_on(connecting)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}
