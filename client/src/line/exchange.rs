//! One request and its answer over a connection, watched all the while.

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::SendRequest,
    header::{CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER},
};
use pki::tls::{alert_reason, own_refusal};
use protocol::{cause::of_connection_error, limits::ANSWER_JSON_BYTES_MAX};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Break, Deadlines, RequestBody, pulse::Pulse, watch::Watch};

/// A connection that requests go over, one after the other. Dropping it closes the connection at once.
pub(crate) struct Line {
    requests: SendRequest<RequestBody>,
    _connection: AbortOnDropHandle<()>,
    pulse: Arc<Pulse>,
    ends: (SocketAddr, SocketAddr),
    deadlines: Deadlines,
    host: String,
}

/// What came back.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub content_type: Option<String>,
    pub location: Option<String>,
    pub retry_after: Option<Duration>,
    pub body: Vec<u8>,
}

impl Line {
    pub(super) fn new(
        requests: SendRequest<RequestBody>,
        connection: AbortOnDropHandle<()>,
        pulse: Arc<Pulse>,
        ends: (SocketAddr, SocketAddr),
        deadlines: Deadlines,
        host: String,
    ) -> Self {
        Line { requests, _connection: connection, pulse, ends, deadlines, host }
    }

    /// Can another request go over it?
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// Sends a request and waits for its answer. `tick` is called several times a second. After an error the line must
    /// be dropped: what is left of the exchange is cut off with it.
    pub async fn exchange(
        &mut self,
        mut request: Request<RequestBody>,
        stop: &CancellationToken,
        tick: impl FnMut(),
    ) -> Result<Answer, Break> {
        let host =
            HeaderValue::from_str(&self.host).map_err(|_| Break::BadAnswer("the centre's host name"))?;
        request.headers_mut().insert(HOST, host);
        self.pulse.restart();
        let outgoing = request.body().outgoing();
        let requests = &mut self.requests;
        let answered = async {
            requests.ready().await?;
            // The centre may answer before it has read everything: the answer counts, not the end of the writing.
            read(requests.send_request(request).await?).await
        };
        let watch = Watch { pulse: &self.pulse, ends: self.ends, deadlines: self.deadlines };
        let watched = watch.until_given_up(|| outgoing.is_out(), tick);
        tokio::select! {
            // All three are given up with the line when another one is ready first.
            biased;
            () = stop.cancelled() => Err(Break::Stopped),
            answer = answered => answer.map_err(|error| explain(error.as_ref(), &self.pulse)),
            cause = watched => {
                Err(Break::Cut { cause, detected_after: self.pulse.beat().still_for() })
            }
        }
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Box<dyn Error + Send + Sync>> {
    let (head, body) = response.into_parts();
    let text = |name| header(&head.headers, name);
    let (content_type, location) = (text(CONTENT_TYPE), text(LOCATION));
    let retry_after = text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let body = Limited::new(body, ANSWER_JSON_BYTES_MAX).collect().await?.to_bytes().to_vec();
    Ok(Answer { status: head.status, content_type, location, retry_after, body })
}

fn header(headers: &HeaderMap, name: hyper::header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// What an error of the connection means. The socket's own word goes before the library's.
fn explain(error: &(dyn Error + Send + Sync + 'static), pulse: &Pulse) -> Break {
    if let Some(reason) = alert_reason(error) {
        return Break::OurCertificate(reason);
    }
    if let Some(fault) = own_refusal(error) {
        return Break::TheirCertificate(fault);
    }
    if error.is::<http_body_util::LengthLimitError>() {
        return Break::BadAnswer("it is longer than any answer of this protocol");
    }
    let beat = pulse.beat();
    let cause = beat.socket_cause().unwrap_or_else(|| of_connection_error(error));
    Break::Cut { cause, detected_after: beat.still_for() }
}
