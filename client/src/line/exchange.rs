//! One request and its answer over a connection, watched all the while.

use std::{error::Error, time::Duration};

use http_body_util::{BodyExt as _, Limited};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::SendRequest,
    header::{CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER},
};
use protocol::limits::ANSWER_JSON_BYTES_MAX;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Break, RequestBody,
    blame::{explain, refusal_in},
    watch::Watch,
};
use crate::limits::LAST_WORDS_WAIT;

/// A connection that requests go over, one after the other. Dropping it closes the connection at once.
pub(crate) struct Line {
    requests: SendRequest<RequestBody>,
    /// Gone once it was asked how it ended.
    connection: Option<Connection>,
    watch: Watch,
    host: String,
}

/// The task that reads and writes; it ends with its owner, and tells how it ended.
pub(super) type Connection = AbortOnDropHandle<hyper::Result<()>>;

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
        connection: Connection,
        watch: Watch,
        host: String,
    ) -> Self {
        Line { requests, connection: Some(connection), watch, host }
    }

    /// Can another request go over it?
    pub fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }

    /// The centre's refusal of our certificate, or ours of its, if that is what has closed the line. The refusal comes
    /// after our side of the handshake has ended, perhaps before there was any request that it could have answered.
    pub async fn refusal(&mut self) -> Option<Break> {
        if self.is_open() {
            return None;
        }
        // What takes no requests any more is at its end, or next to it.
        let ended = timeout(LAST_WORDS_WAIT, self.connection.take()?).await;
        let error = ended.ok()?.ok()?.err()?;
        refusal_in(&error)
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
        let outgoing = request.body().outgoing();
        let requests = &mut self.requests;
        let answered = async {
            requests.ready().await?;
            // The centre may answer before it has read everything: the answer counts, not the end of the writing.
            read(requests.send_request(request).await?).await
        };
        let error = match self.watch.until_answered(answered, || outgoing.is_out(), stop, tick).await? {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        // A request that met a closed line does not know why it was closed.
        Err(match explain(error.as_ref(), &self.watch.pulse) {
            cut @ Break::Cut { .. } => self.refusal().await.unwrap_or(cut),
            broken => broken,
        })
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
