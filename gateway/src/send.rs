//! A request that brings content of a transfer: its attempt is started, and its outcome is waited for, but not for ever.

use std::sync::Arc;

use hyper::StatusCode;
use protocol::problem::Problem;
use tokio::sync::oneshot;

use crate::{
    answer::{self, Answer},
    ask,
    body::BodySource,
    centre::Centre,
    peer::TransferPermit,
    receive::{self, Sending, Teller, Told},
    turned::Turned,
};

/// Starts an attempt in a task of its own and waits for its outcome: a check that takes longer than `receipt_wait` is
/// answered with "ask again".
pub async fn send(
    centre: &Arc<Centre>,
    permit: TransferPermit,
    sending: Sending,
    body: impl BodySource + 'static,
    log_seen: Option<u64>,
) -> Result<Answer, Turned> {
    let key = permit.key().clone();
    let (tell, told) = oneshot::channel();
    let attempt = {
        let centre = Arc::clone(centre);
        async move { receive::receive(centre, permit, sending, body, Teller::new(tell)).await }
    };
    let mut attempt = centre.work.spawn(attempt);
    // What only the check and the commit are missing from is waited for, but not for ever.
    let early = async {
        match told.await {
            Ok(Told::Whole) => {
                tokio::time::sleep(centre.in_force().config.link.receipt_wait).await;
                Ok(answer::checking())
            }
            Ok(Told::Ended(problem)) => Err(Turned::from(problem)),
            Err(_) => std::future::pending().await,
        }
    };
    // Dropping the waiting does not drop the task.
    let outcome = tokio::select! {
        biased;
        outcome = &mut attempt => outcome,
        early = early => return early,
    };
    match outcome {
        Ok(Ok(transfer)) => match ask::receipt_answer(centre, &transfer, log_seen).await {
            Ok(receipt) => Ok(answer::json(StatusCode::OK, &receipt)),
            // It is committed; only its proofs cannot be read now. The sender asks for them.
            Err(_) => Ok(answer::checking()),
        },
        Ok(Err(turned)) => Err(turned),
        Err(lost) => {
            receive::recover_lost_attempt(centre, &key).await;
            Err(Turned::because(Problem::StorageFailed, lost))
        }
    }
}
