//! From method and path to what is meant. Pure; everything it does not know is no route.

use hyper::Method;
use protocol::{
    kind::System,
    permission::Action,
    problem::Problem,
    transfer_id::TransferKey,
    wire::{ACKNOWLEDGEMENTS, LOG_CHECKPOINT, LOG_CONSISTENCY, TRANSFERS},
};

/// What a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Offer a transfer.
    Offer,
    /// Send content of a transfer.
    Send(TransferKey),
    /// Ask where a transfer stands, with or without a body in the answer.
    Ask(TransferKey),
    /// Fetch the bare receipt.
    Receipt(TransferKey),
    /// Call a transfer off.
    Cancel(TransferKey),
    /// Say that receipts are held.
    Acknowledge,
    /// The newest checkpoint of the centre's log.
    LogCheckpoint,
    /// Proof that the log of `from` entries is the beginning of that of `to`.
    LogConsistency {
        /// Entries of the earlier log.
        from: u64,
        /// Entries of the later log.
        to: u64,
    },
}

impl Route {
    /// The right that a request needs. Whoever adds a route has to say it here, or nothing compiles.
    pub fn right(&self) -> (System, Action) {
        let action = match self {
            Route::Offer => Action::Offer,
            Route::Send(_) => Action::Send,
            Route::Ask(_) | Route::Receipt(_) => Action::Ask,
            Route::Cancel(_) => Action::Cancel,
            Route::Acknowledge => Action::Acknowledge,
            // The log is there for whoever has transfers in it.
            Route::LogCheckpoint | Route::LogConsistency { .. } => Action::Ask,
        };
        (System::Claims, action)
    }
}

/// Finds the route of a request's method, path and query.
pub fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Route, Problem> {
    if let Some(below) = path.strip_prefix(TRANSFERS).and_then(|rest| rest.strip_prefix('/')) {
        return transfer_route(method, below);
    }
    let only = |allowed: Method, route: Route| {
        if *method == allowed { Ok(route) } else { Err(Problem::MethodNotAllowed) }
    };
    match path {
        TRANSFERS => only(Method::POST, Route::Offer),
        ACKNOWLEDGEMENTS => only(Method::POST, Route::Acknowledge),
        LOG_CHECKPOINT => only(Method::GET, Route::LogCheckpoint),
        LOG_CONSISTENCY => {
            let (from, to) = query.and_then(from_and_to).ok_or(Problem::BadRequest)?;
            only(Method::GET, Route::LogConsistency { from, to })
        }
        _ => Err(Problem::NotFound),
    }
}

fn transfer_route(method: &Method, below: &str) -> Result<Route, Problem> {
    let mut parts = below.split('/');
    let (Some(sender), Some(id), last, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Problem::NotFound);
    };
    let (Ok(sender), Ok(id)) = (sender.parse(), id.parse()) else { return Err(Problem::NotFound) };
    let key = TransferKey { sender, id };
    match (last, method) {
        (None, &Method::PATCH) => Ok(Route::Send(key)),
        (None, &Method::GET | &Method::HEAD) => Ok(Route::Ask(key)),
        (None, &Method::DELETE) => Ok(Route::Cancel(key)),
        (Some("receipt"), &Method::GET) => Ok(Route::Receipt(key)),
        (None | Some("receipt"), _) => Err(Problem::MethodNotAllowed),
        (Some(_), _) => Err(Problem::NotFound),
    }
}

/// `from=N&to=M`, in this order, nothing else.
fn from_and_to(query: &str) -> Option<(u64, u64)> {
    let (from, to) = query.split_once('&')?;
    Some((from.strip_prefix("from=")?.parse().ok()?, to.strip_prefix("to=")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198f0a0-0000-7000-8000-000000000000";

    #[test]
    fn a_transfer_is_found_by_sender_and_id() {
        let path = format!("{TRANSFERS}/institution:1310000018/{ID}");
        let key = TransferKey { sender: "institution:1310000018".parse().unwrap(), id: ID.parse().unwrap() };
        assert_eq!(route(&Method::PATCH, &path, None), Ok(Route::Send(key.clone())));
        assert_eq!(route(&Method::HEAD, &path, None), Ok(Route::Ask(key.clone())));
        assert_eq!(route(&Method::GET, &format!("{path}/receipt"), None), Ok(Route::Receipt(key)));
    }

    #[test]
    fn unknown_paths_and_other_spellings_are_not_found() {
        for path in [
            "/",
            "/v1",
            "/v1/transfers/",
            "/v2/transfers",
            "/v1/transfers/x/y",
            "//v1/transfers",
            "/v1/transfers/institution:1310000018",
            "/v1/transfers/../transfers",
            "/v1/transfers%2f",
            "/v1/transfers/institution:1310000018/0198F0A0-0000-7000-8000-000000000000",
            "/v1/transfers/institution%3A1310000018/0198f0a0-0000-7000-8000-000000000000",
            "/v1/transfers/institution:1310000018/0198f0a0-0000-7000-8000-000000000000/receipt/",
            "/v1/transfers/institution:1310000018/0198f0a0-0000-7000-8000-000000000000/",
        ] {
            assert_eq!(route(&Method::GET, path, None), Err(Problem::NotFound), "{path}");
        }
    }

    #[test]
    fn a_method_that_does_not_fit_is_told_so() {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::CONNECT] {
            assert_eq!(route(&method, TRANSFERS, None), Err(Problem::MethodNotAllowed));
        }
        assert_eq!(route(&Method::POST, LOG_CHECKPOINT, None), Err(Problem::MethodNotAllowed));
    }
}
