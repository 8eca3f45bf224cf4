//! What becomes of a request that was turned down, beside its answer: it is counted, logged, and put on record.

use std::sync::Arc;

use protocol::{
    entry::{Entry, Event},
    problem::{Advice, Problem},
};

use crate::{centre::Centre, counters::Stage, peer::Peer, turned::Turned};

/// Notes a refusal: in the counters, in the log, and in the audit unless the transfer's own record speaks of it.
pub async fn note(centre: &Arc<Centre>, peer: &Peer, turned: &Turned) {
    let problem = turned.problem;
    centre.counters.count(Stage::Request, problem.code());
    let (identity, address, detail) = (peer.identity(), peer.ends.source, turned.detail.as_deref());
    // The limit comes before the line: a connection that is kept can ask as fast as it likes.
    if !leaves_entry(turned) || !centre.denials.may(identity.clone(), pki::clock::now()) {
        tracing::debug!(%identity, %address, %problem, detail, "turned down");
        return;
    }
    tracing::warn!(%identity, %address, %problem, detail, "turned down");
    let entry =
        Entry { subject: Some(peer.subject()), problem: Some(problem), ..centre.entry(Event::Denied) };
    // A log that cannot be written has broken the centre, and says so itself.
    let _ = centre.record(entry).await;
}

/// Is a refusal put on record by itself? A signed one and the end of an attempt are on the transfer's own record, and
/// were logged there. What is beyond a limit is not, and shows who wanted too much.
fn leaves_entry(turned: &Turned) -> bool {
    let beyond_a_limit = matches!(
        turned.problem,
        Problem::TooMany
            | Problem::TooManyRequests
            | Problem::TooManyAttempts
            | Problem::OverQuota
            | Problem::StorageFull
    );
    let final_no = turned.problem.advice() == Advice::GiveUp || turned.problem == Problem::NotFound;
    turned.refusal.is_none() && (final_no || beyond_a_limit)
}
