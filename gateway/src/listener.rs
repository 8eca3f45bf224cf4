//! From the listening socket to served requests: permit → accept → handshake → peer → requests.

use std::{sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use pki::{fault::PeerFault, platform::apply_link_timers, tls::TlsServer};
use protocol::{cause::of_connection_error, link::LinkTimers};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::task::TaskTracker;

use crate::{
    centre::Centre,
    counters::Stage,
    intake::Ends,
    limits::{ACCEPT_PAUSE_MAX, HEADERS_MAX},
    peer::Peer,
    service::serve,
};

/// Accepts until the centre stops. Each connection is a task in `connections` and ends by itself.
pub async fn listen(
    centre: Arc<Centre>,
    listener: TcpListener,
    server: Arc<TlsServer>,
    connections: TaskTracker,
) {
    let places = Arc::new(Semaphore::new(centre.config.limits.connections_max as usize));
    let mut pause = Duration::from_millis(5);
    loop {
        // Both waits may be dropped without loss: an accepted connection is returned at once.
        let accepted = tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            accepted = accept(&places, &listener) => accepted,
        };
        match accepted {
            Ok((stream, ends, place)) => {
                pause = Duration::from_millis(5);
                connections.spawn(connection(Arc::clone(&centre), Arc::clone(&server), stream, ends, place));
            }
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                centre.counters.count(Stage::Connection, "accept_failed");
                sleep(pause).await;
                pause = (pause * 2).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

/// A place first, then a connection for it: what waits beyond the limit waits in the kernel.
async fn accept(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> std::io::Result<(TcpStream, Ends, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, remote) = listener.accept().await?;
    let local = stream.local_addr()?;
    Ok((stream, Ends { local, remote }, place))
}

async fn connection(
    centre: Arc<Centre>,
    server: Arc<TlsServer>,
    stream: TcpStream,
    ends: Ends,
    _place: OwnedSemaphorePermit,
) {
    let timers = LinkTimers::for_detect_max(centre.config.link.detect_max);
    if let Err(error) = apply_link_timers(&stream, timers) {
        // Without its timers a dead line would be held for ever.
        tracing::error!(%error, "the link timers could not be set; connection closed");
        centre.counters.count(Stage::Connection, "link_timers_failed");
        return;
    }
    let (config, judged) = match server.connection() {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(%error, "the TLS library refused the settings; connection closed");
            centre.counters.count(Stage::Connection, "handshake_failed");
            return;
        }
    };
    let accepting = TlsAcceptor::from(config).accept(stream);
    let handshake = timeout(centre.config.link.handshake_max, accepting).await;
    let stream = match handshake {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // A certificate that was shown and refused is counted and logged, with its reason, by the verifier's
            // observer; whoever shows none is known only here.
            let (stage, reason) = match pki::tls::own_refusal(&error) {
                Some(PeerFault::NoCert) => (Stage::Certificate, PeerFault::NoCert.code()),
                Some(_) => return,
                None => (Stage::Connection, "handshake_failed"),
            };
            centre.counters.count(stage, reason);
            tracing::debug!(address = %ends.remote, reason, %error, "handshake failed");
            return;
        }
        Err(_) => {
            centre.counters.count(Stage::Connection, "handshake_timeout");
            return;
        }
    };
    match judged.peer(stream.get_ref().1) {
        Ok(identity) => serve_connection(centre, Peer::new(identity, ends), stream).await,
        Err(fault) => {
            centre.counters.count(Stage::Certificate, fault.code());
            tracing::warn!(address = %ends.remote, reason = fault.code(), "peer refused after its handshake");
        }
    }
}

async fn serve_connection(centre: Arc<Centre>, peer: Peer, stream: TlsStream<TcpStream>) {
    tracing::debug!(identity = %peer.identity(), address = %peer.ends.remote, "connection open");
    let service = service_fn({
        let (centre, peer) = (Arc::clone(&centre), peer.clone());
        move |request| serve(Arc::clone(&centre), peer.clone(), request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(centre.config.link.header_max)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        () = centre.stopping.cancelled() => {
            // The running request is answered, then the connection closes.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        let reason = if error.is_parse() {
            "malformed"
        } else if error.is_timeout() {
            "head_timeout"
        } else {
            // The kernel's word, if it gave one: `link_lost`, else `peer_closed`.
            of_connection_error(&error).name()
        };
        centre.counters.count(Stage::Http, reason);
        tracing::debug!(identity = %peer.identity(), reason, %error, "connection ended");
    }
}
