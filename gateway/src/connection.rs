//! One connection of a judged peer: its requests, one after the other, until it ends by itself, is told to end, or has
//! lived long enough.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use config::GatewayConfig;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pki::tls::is_bulk;
use protocol::cause::of_connection_error;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::server::TlsStream;

use crate::{
    bulk,
    centre::Centre,
    cores::Seat,
    counters::Stage,
    limits::HEADERS_MAX,
    peer::Peer,
    service::{AnswerBody, serve},
};

/// The time in which a running request may still be answered after its connection was told to end: the answer says why.
pub const LAST_ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long what may take on a connection.
pub struct Patience {
    /// For the head of a request, and for it to come.
    pub head: Duration,
    /// Of the connection.
    pub life: Duration,
    /// For an answer to be taken.
    pub answer: Duration,
}

impl Patience {
    /// By these settings.
    pub fn of(config: &GatewayConfig) -> Self {
        Patience {
            head: config.link.header_max,
            life: config.limits.connection_life_max,
            answer: config.link.stall_max,
        }
    }
}

/// Serves it to its end, with the engine that its peer asked for. Each in a place of its own: no connection needs room for
/// what only the other engine needs, or only its handshake needed.
pub fn serve_connection(
    centre: Arc<Centre>,
    patience: Patience,
    peer: Peer,
    stream: TlsStream<TcpStream>,
    seat: Seat,
) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let is_bulk = is_bulk(stream.get_ref().1);
    tracing::debug!(identity = %peer.identity(), address = %peer.ends.source, is_bulk, "connection open");
    if is_bulk {
        Box::pin(bulk::serve(centre, patience, peer, stream, seat))
    } else {
        Box::pin(serve_with_hyper(centre, patience, peer, stream, seat))
    }
}

fn serve_with_hyper(
    centre: Arc<Centre>,
    patience: Patience,
    peer: Peer,
    stream: TlsStream<TcpStream>,
    seat: Seat,
) -> impl Future<Output = ()> + Send + 'static {
    let handshake_name: Option<Arc<str>> = stream.get_ref().1.server_name().map(Arc::from);
    let service = service_fn({
        let (centre, peer) = (Arc::clone(&centre), peer.clone());
        move |request| {
            let running = seat.running();
            let served = serve(Arc::clone(&centre), peer.clone(), handshake_name.clone(), request);
            // In a place of its own: a connection that waits for a request needs none for it.
            Box::pin(async {
                let _running = running;
                served.await
            })
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // Likewise, or the future would have room for it twice.
    serve_to_its_end(centre, patience.life, peer, Box::pin(connection))
}

async fn serve_to_its_end<S>(
    centre: Arc<Centre>,
    life: Duration,
    peer: Peer,
    mut connection: Pin<Box<http1::Connection<TokioIo<TlsStream<TcpStream>>, S>>>,
) where
    S: HttpService<Incoming, ResBody = AnswerBody, Error = Infallible>,
    http1::Connection<TokioIo<TlsStream<TcpStream>>, S>: Future<Output = hyper::Result<()>>,
{
    let ended = tokio::select! {
        biased;
        cause = peer.stop().stopped() => Err(cause),
        ended = &mut connection => Ok(ended),
        // The running request is answered, then the connection closes.
        () = no_more_requests(&centre, life) => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                biased;
                cause = peer.stop().stopped() => Err(cause),
                ended = &mut connection => Ok(ended),
            }
        }
    };
    let ended = match ended {
        Ok(ended) => ended,
        Err(cause) => {
            tracing::info!(identity = %peer.identity(), %cause, "connection ended from this side");
            centre.counters.count(Stage::Connection, "ended_by_us");
            connection.as_mut().graceful_shutdown();
            // Whatever is not answered by then is lost with the connection.
            let _ = timeout(LAST_ANSWER_MAX, connection).await;
            return;
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

/// Until the centre stops, or the connection has lived long enough.
pub async fn no_more_requests(centre: &Centre, life: Duration) {
    tokio::select! {
        () = centre.stopping.cancelled() => {}
        () = sleep(life) => {}
    }
}
