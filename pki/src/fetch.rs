//! Fetches one file by plain HTTP, within bounds: no TLS, no proxy out of the environment, no other address than the one
//! named. What comes is anybody's until its signature was verified.

mod own_connection;

use std::{sync::Arc, time::Duration};

pub use own_connection::Connect;
use own_connection::OwnConnector;
use ureq::{Agent, config::Config, unversioned::resolver::DefaultResolver};

use crate::pem::PEM_FILE_BYTES_MAX;

/// Bytes of a fetched file, as of one on disk: a list of a million entries is about 35 MB.
pub const FETCHED_BYTES_MAX: u64 = PEM_FILE_BYTES_MAX;

/// Bytes of status line and headers; a server of lists needs some hundred.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchFault {
    /// No such host, nobody there, or nothing that speaks HTTP.
    #[error("there is no answer; next: check the address, the name service and the way to that host")]
    Unreachable(#[source] Box<ureq::Error>),
    /// Another answer than the file; a redirection counts as one, since the address is the operator's to change.
    #[error("the answer is {0} and no list; next: check the address")]
    Status(u16),
    /// The answer broke off.
    #[error("the answer broke off; next: look at the line, and at that host")]
    Broken(#[source] Box<ureq::Error>),
    /// More than [`FETCHED_BYTES_MAX`].
    #[error("the answer is larger than {FETCHED_BYTES_MAX} bytes; next: check the address")]
    TooLarge,
    /// Not done in time.
    #[error("the answer took longer than {} s; next: look at the line, or raise crl.fetch_max", .0.as_secs())]
    TooSlow(Duration),
}

impl FetchFault {
    /// The stable word, for log and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            FetchFault::Unreachable(_) => "unreachable",
            FetchFault::Status(_) => "status",
            FetchFault::Broken(_) => "broken",
            FetchFault::TooLarge => "too_large",
            FetchFault::TooSlow(_) => "too_slow",
        }
    }
}

/// Fetches what stands at an `http://` address, all of it within this time. Work for a thread that may block.
pub fn fetch(url: &str, within: Duration) -> Result<Vec<u8>, FetchFault> {
    ask(&config(within).new_agent(), url, within)
}

/// Fetches as [`fetch`] does, over a connection that `connect` makes.
pub fn fetch_over(connect: Arc<Connect>, url: &str, within: Duration) -> Result<Vec<u8>, FetchFault> {
    let agent = Agent::with_parts(config(within), OwnConnector(connect), DefaultResolver::default());
    ask(&agent, url, within)
}

fn config(within: Duration) -> Config {
    Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(within))
        .max_response_header_size(HEAD_BYTES_MAX)
        .max_idle_connections(0)
        .user_agent("sekisho")
        .build()
}

fn ask(agent: &Agent, url: &str, within: Duration) -> Result<Vec<u8>, FetchFault> {
    let mut answer = agent.get(url).call().map_err(|error| fault(error, within, FetchFault::Unreachable))?;
    if answer.status() != 200 {
        return Err(FetchFault::Status(answer.status().as_u16()));
    }
    let body = answer.body_mut().with_config().limit(FETCHED_BYTES_MAX);
    body.read_to_vec().map_err(|error| fault(error, within, FetchFault::Broken))
}

fn fault(
    error: ureq::Error,
    within: Duration,
    otherwise: impl FnOnce(Box<ureq::Error>) -> FetchFault,
) -> FetchFault {
    match error {
        ureq::Error::Timeout(_) => FetchFault::TooSlow(within),
        ureq::Error::BodyExceedsLimit(_) => FetchFault::TooLarge,
        other => otherwise(Box::new(other)),
    }
}

#[cfg(test)]
mod tests;
