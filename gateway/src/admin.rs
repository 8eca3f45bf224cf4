//! The admin socket: a Unix socket in the data directory, for the user the gateway runs as and nobody else.
//!
//! `GET /status` answers one JSON object, [`Status`]. Nothing else is spoken here.

use std::{collections::BTreeMap, convert::Infallible, future::Future, io, path::Path, sync::Arc};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode, body::Bytes, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};

use crate::{
    centre::Centre,
    limits::{ACCEPT_PAUSE_MAX, ADMIN_ANSWER_BYTES_MAX},
};

/// The socket below the data directory.
pub const SOCKET_FILE: &str = "admin.sock";

/// What the gateway says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Takes new work, or is being stopped.
    pub accepting: bool,
    /// Ledger, spool or inbox failed; the process must be started again.
    pub storage_failed: bool,
    /// Attempts that bring content now.
    pub attempts_running: usize,
    /// Transfers by phase.
    pub transfers: BTreeMap<String, u64>,
    /// Committed and not yet handed over.
    pub undelivered: u64,
    /// Committed and not yet acknowledged by the sender.
    pub unacknowledged: u64,
    /// Entries in the log.
    pub log_entries: u64,
    /// What was turned down since the start, by reason.
    pub turned_down: BTreeMap<String, u64>,
}

/// Opens the socket; the future serves it until the centre stops.
pub fn listen(centre: Arc<Centre>) -> io::Result<impl Future<Output = ()>> {
    let path = centre.config.storage.data.join(SOCKET_FILE);
    // Left over from a process that was killed; the spool's lock has shown that none is running.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The data directory is the owner's alone, so the socket is too.
    let listener = UnixListener::bind(&path)?;
    Ok(async move {
        loop {
            let accepted = tokio::select! {
                biased;
                () = centre.stopping.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE_MAX).await;
                continue;
            };
            // One at a time: it is for people and their scripts.
            let service = service_fn(|request| answer(Arc::clone(&centre), request));
            let serving =
                http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(centre.config.link.header_max, serving).await;
        }
        let _ = std::fs::remove_file(&path);
    })
}

async fn answer(
    centre: Arc<Centre>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if request.uri().path() != "/status" {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return Ok(response);
    }
    match status(&centre).await {
        Some(status) => {
            *response.body_mut() = Full::new(serde_json::to_vec(&status).unwrap_or_default().into())
        }
        None => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    Ok(response)
}

async fn status(centre: &Centre) -> Option<Status> {
    let counts = centre.ledger.counts().await.ok()?;
    let head = centre.audit.head().await.ok()?;
    Some(Status {
        accepting: !centre.stopping.is_cancelled(),
        storage_failed: centre.ledger.is_poisoned()
            || centre.spool.is_poisoned()
            || centre.inbox.is_poisoned(),
        attempts_running: centre.attempts.count(),
        transfers: counts.phases.into_iter().collect(),
        undelivered: counts.undelivered,
        unacknowledged: counts.unacknowledged,
        log_entries: head.checkpoint.size,
        turned_down: centre.counters.read(),
    })
}

/// Asks the gateway whose data directory this is.
pub async fn ask_status(data: &Path) -> io::Result<Status> {
    let stream = UnixStream::connect(data.join(SOCKET_FILE)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let asking = async move {
        let request = Request::get("/status").header("host", "admin").body(Full::<Bytes>::default());
        let response =
            sender.send_request(request.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(io::Error::other(format!("the gateway answered {}", response.status())));
        }
        let body = Limited::new(response.into_body(), ADMIN_ANSWER_BYTES_MAX).collect().await;
        let bytes = body.map_err(io::Error::other)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    };
    // The connection ends with the answer; its own outcome says nothing more.
    let (status, _) = tokio::join!(asking, connection);
    status
}
