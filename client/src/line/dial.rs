//! From an address to a connection that requests can go over.

use std::{io, sync::Arc};

use config::{network::ClientLine, reader::HostPort};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki::platform::apply_link_timers;
use protocol::link::LinkTimers;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Break, Deadlines, Line, RequestBody,
    exchange::{Connection, refusal_in},
    origin,
    pulse::Pulse,
    race::{self, NoConnection},
    watch::Watch,
    watched::WatchedIo,
};

/// How a connection is made.
pub(crate) struct Dialer {
    pub address: HostPort,
    /// The line that it leaves on.
    pub line: ClientLine,
    /// For the Host header: the name the centre goes by.
    pub host: String,
    pub secure: Secure,
    pub deadlines: Deadlines,
}

/// What goes between TCP and HTTP.
pub(crate) enum Secure {
    /// TLS with our certificate; the centre must show one for this name.
    Tls(TlsConnector, ServerName<'static>),
    /// Nothing: the tests of this crate have no certificates.
    #[cfg(test)]
    Nothing,
}

impl Dialer {
    /// Makes a connection. Each step has its deadline.
    pub async fn dial(&self) -> Result<Line, Break> {
        let stream = match timeout(self.deadlines.detect_max, self.connect()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        };
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let ends = ends.map_err(|source| self.unreachable(source))?;
        let pulse = Arc::new(Pulse::new());
        let watched = WatchedIo::new(stream, Arc::clone(&pulse));
        let (requests, connection) = match &self.secure {
            Secure::Tls(connector, name) => {
                let watch = Watch { pulse: &pulse, ends, deadlines: self.deadlines };
                let stream = tokio::select! {
                    // Both are given up with the line when the other is ready first.
                    biased;
                    shaken = connector.connect(name.clone(), watched) => {
                        shaken.map_err(|error| refused(error, &pulse))?
                    }
                    cause = watch.until_given_up(|| true, || ()) => {
                        return Err(Break::Cut { cause, detected_after: pulse.beat().still_for() });
                    }
                };
                speak_http(stream).await?
            }
            #[cfg(test)]
            Secure::Nothing => speak_http(watched).await?,
        };
        Ok(Line::new(requests, connection, pulse, ends, self.deadlines, self.host.clone()))
    }

    /// Finds the addresses of the name, and connects to one of them.
    async fn connect(&self) -> Result<TcpStream, Break> {
        let host = (self.address.host().as_str(), self.address.port());
        let addresses = lookup_host(host).await.map_err(|source| self.unreachable(source))?;
        let centre = self.address.to_string();
        let addresses = origin::reachable(&self.line, &centre, addresses).map_err(Break::Line)?;
        let stream = match race::connect(&self.line, addresses).await {
            Ok(stream) => stream,
            Err(NoConnection::Line(fault)) => return Err(Break::Line(fault)),
            Err(NoConnection::Refused) => {
                return Err(Break::NobodyListens { address: centre });
            }
            Err(NoConnection::Failed(source)) => {
                let down = origin::down(&self.line, &centre, &source);
                return Err(down.map_or_else(|| self.unreachable(source), Break::Line));
            }
        };
        let timers = LinkTimers::for_detect_max(self.deadlines.detect_max);
        apply_link_timers(&stream, timers).map_err(|source| self.unreachable(source))?;
        Ok(stream)
    }

    fn unreachable(&self, source: io::Error) -> Break {
        Break::Unreachable { address: self.address.to_string(), source }
    }
}

fn refused(error: io::Error, pulse: &Pulse) -> Break {
    if let Some(refusal) = refusal_in(&error) {
        return refusal;
    }
    let beat = pulse.beat();
    match beat.socket_cause() {
        Some(cause) => Break::Cut { cause, detected_after: beat.still_for() },
        None => Break::Handshake(error),
    }
}

type Spoken = (http1::SendRequest<RequestBody>, Connection);

async fn speak_http<S>(stream: S) -> Result<Spoken, Break>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Begins nothing on the wire yet, so there is nothing to fail but the library itself.
    let (requests, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Break::Handshake(io::Error::other(error)))?;
    Ok((requests, AbortOnDropHandle::new(tokio::spawn(connection))))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
