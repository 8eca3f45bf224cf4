//! Asking a running gateway, by way of its admin socket: the other side of [`crate::admin`].

use std::{io, path::Path};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, StatusCode, body::Bytes};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, time::timeout};

use crate::{
    admin::{NotDone, SOCKET_FILE, Status},
    limits::{ADMIN_ANSWER_BYTES_MAX, ADMIN_ASK_MAX},
};

/// Why a gateway did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    /// No gateway is there, or it does not answer.
    #[error("no gateway answers in {data}; next: start it with `sekisho-gateway run`", data = .data.display())]
    Unreachable {
        /// Its data directory.
        data: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It took the question and does not answer.
    #[error(
        "the gateway in {data} did not answer within {} s, and may still do what was asked; next: look at its log and \
         its disk, then ask for its `status`", ADMIN_ASK_MAX.as_secs(), data = .data.display()
    )]
    Silent {
        /// Its data directory.
        data: std::path::PathBuf,
    },
    /// It says why not.
    #[error("{}", .0.error)]
    NotDone(NotDone),
}

/// Asks the gateway whose data directory this is how it stands.
pub async fn ask_status(data: &Path) -> Result<Status, AskFault> {
    ask(data, Method::GET, "/status", &()).await
}

/// Asks it to do something.
pub async fn ask<T: DeserializeOwned>(
    data: &Path,
    method: Method,
    path: &'static str,
    body: &impl Serialize,
) -> Result<T, AskFault> {
    let unreachable = |source| AskFault::Unreachable { data: data.to_owned(), source };
    // A question that is given up closes its connection; what was begun is finished.
    let (status, bytes) = match timeout(ADMIN_ASK_MAX, exchange(data, method, path, body)).await {
        Ok(answered) => answered.map_err(unreachable)?,
        Err(_) => return Err(AskFault::Silent { data: data.to_owned() }),
    };
    let unread = |error: serde_json::Error| unreachable(io::Error::other(error));
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(unread);
    }
    Err(AskFault::NotDone(serde_json::from_slice(&bytes).map_err(unread)?))
}

async fn exchange(
    data: &Path,
    method: Method,
    path: &'static str,
    body: &impl Serialize,
) -> io::Result<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(data.join(SOCKET_FILE)).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let asking = async move {
        let body = Full::new(Bytes::from(serde_json::to_vec(body)?));
        let request = Request::builder().method(method).uri(path).header("host", "admin").body(body);
        let response =
            sender.send_request(request.map_err(io::Error::other)?).await.map_err(io::Error::other)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ADMIN_ANSWER_BYTES_MAX).collect().await;
        Ok((status, body.map_err(io::Error::other)?.to_bytes()))
    };
    // The connection ends with the answer; its own outcome says nothing more.
    let (answer, _) = tokio::join!(asking, connection);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_does_not_answer_is_not_waited_for_for_ever() {
        let data = tempfile::tempdir().unwrap();
        // It is there, and takes nothing.
        let _listener = tokio::net::UnixListener::bind(data.path().join(SOCKET_FILE)).unwrap();
        let fault = ask_status(data.path()).await.unwrap_err();
        assert!(matches!(fault, AskFault::Silent { .. }), "{fault:?}");
        assert!(fault.to_string().contains("next:"), "{fault}");
    }
}
