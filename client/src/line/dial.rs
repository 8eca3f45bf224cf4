//! From an address to a connection that requests can go over.

use std::{io, sync::Arc};

use config::{network::ClientLine, reader::HostPort};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki::{platform::apply_link_timers, tls::is_bulk};
use protocol::link::LinkTimers;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream, rustls::pki_types::ServerName};
use tokio_util::task::AbortOnDropHandle;

use super::{
    Break, BulkLine, Deadlines, Line, RequestBody,
    blame::refusal_in,
    exchange::Connection,
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
    /// TLS with our certificate.
    Tls {
        /// For everything.
        usual: TlsConnector,
        /// For content: as the other one, but asks for the engine that is made for it first.
        content: TlsConnector,
        /// The centre must show a certificate for it.
        name: ServerName<'static>,
    },
    /// Nothing: the tests of this crate have no certificates.
    #[cfg(test)]
    Nothing,
}

/// A line that content goes over, as the centre chose.
pub(crate) enum ContentLine {
    /// For nothing else.
    Bulk(BulkLine),
    /// As any other: the centre has no engine for content.
    Usual(Line),
}

impl Dialer {
    /// Makes a connection. Each step has its deadline.
    pub async fn dial(&self) -> Result<Line, Break> {
        let (stream, watch) = self.open().await?;
        match &self.secure {
            Secure::Tls { usual, name, .. } => {
                let stream = shake_hands(usual, name, stream, &watch).await?;
                speak_http(stream, watch, self.host.clone()).await
            }
            #[cfg(test)]
            Secure::Nothing => speak_http(stream, watch, self.host.clone()).await,
        }
    }

    /// Makes one that content is to go over.
    pub async fn dial_for_content(&self) -> Result<ContentLine, Break> {
        let (stream, watch) = self.open().await?;
        let host = self.host.clone();
        match &self.secure {
            Secure::Tls { content, name, .. } => {
                let mut stream = shake_hands(content, name, stream, &watch).await?;
                if !is_bulk(stream.get_ref().1) {
                    return speak_http(stream, watch, host).await.map(ContentLine::Usual);
                }
                // What is given to it leaves before more is given.
                stream.get_mut().1.set_buffer_limit(None);
                Ok(ContentLine::Bulk(BulkLine::new(stream, watch, host)))
            }
            #[cfg(test)]
            Secure::Nothing => Ok(ContentLine::Bulk(BulkLine::new(stream, watch, host))),
        }
    }

    /// A socket that is watched.
    async fn open(&self) -> Result<(WatchedIo<TcpStream>, Watch), Break> {
        let stream = match timeout(self.deadlines.detect_max, self.connect()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(self.unreachable(io::ErrorKind::TimedOut.into())),
        };
        let ends = stream.local_addr().and_then(|local| Ok((local, stream.peer_addr()?)));
        let ends = ends.map_err(|source| self.unreachable(source))?;
        let pulse = Arc::new(Pulse::new());
        let watched = WatchedIo::new(stream, Arc::clone(&pulse));
        Ok((watched, Watch { pulse, ends, deadlines: self.deadlines }))
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

/// The handshake.
async fn shake_hands(
    connector: &TlsConnector,
    name: &ServerName<'static>,
    stream: WatchedIo<TcpStream>,
    watch: &Watch,
) -> Result<TlsStream<WatchedIo<TcpStream>>, Break> {
    tokio::select! {
        // Both are given up with the line when the other is ready first.
        biased;
        shaken = connector.connect(name.clone(), stream) => {
            shaken.map_err(|error| refused(error, &watch.pulse))
        }
        cause = watch.until_given_up(|| true, || ()) => Err(watch.cut(cause)),
    }
}

async fn speak_http<S>(stream: S, watch: Watch, host: String) -> Result<Line, Break>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Begins nothing on the wire yet, so there is nothing to fail but the library itself.
    let (requests, connection): (_, http1::Connection<_, RequestBody>) =
        http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Break::Handshake(io::Error::other(error)))?;
    let connection: Connection = AbortOnDropHandle::new(tokio::spawn(connection));
    Ok(Line::new(requests, connection, watch, host))
}

#[cfg(test)]
#[path = "dial_tests.rs"]
mod tests;
