//! The sender's log, as its manifests show it: each new head must continue the last one seen.

use std::sync::Arc;

use protocol::{
    checkpoint::Checkpoint,
    digest::Sha256,
    entry::{Entry, Event},
    merkle::check_consistency,
    problem::Problem,
    statement::Manifest,
    wire::Consistency,
};
use storage::transfer::{LogAdvance, LogSeen};

use crate::{centre::Centre, peer::Peer, turned::Turned};

struct LogHead {
    size: u64,
    root: Sha256,
}

/// Checks the manifest's checkpoint against what was seen of the log before. `None` when it shows nothing newer.
pub async fn verify(
    centre: &Arc<Centre>,
    manifest: &Manifest,
    consistency: Option<&Consistency>,
) -> Result<Option<LogAdvance>, Turned> {
    let checkpoint = Checkpoint::verify(&manifest.checkpoint, &manifest.log)
        .map_err(|fault| Turned::because(Problem::BadStatement, fault))?;
    let seen = centre.ledger.counterpart_log(&manifest.log.origin).await?;
    let now = LogSeen {
        log: manifest.log.clone(),
        identity: manifest.acting.clone(),
        size: checkpoint.size,
        root: checkpoint.root,
        checkpoint: manifest.checkpoint.clone(),
    };
    let Some(seen) = seen else { return Ok(Some(LogAdvance { seen: now, verified_against: None })) };
    if seen.log != now.log {
        return Err(Turned::because(Problem::LogForked, "another key under the same origin"));
    }
    if checkpoint.size == seen.size && checkpoint.root == seen.root {
        return Ok(None);
    }
    // Manifests made earlier may be offered later: an older head must then be the beginning of the one seen, and adds
    // nothing to it.
    let shown = LogHead { size: checkpoint.size, root: checkpoint.root };
    let known = LogHead { size: seen.size, root: seen.root };
    let (earlier, later) = if shown.size < known.size { (shown, known) } else { (known, shown) };
    let proof = match consistency {
        _ if earlier.size == later.size => &[],
        Some(consistency) if consistency.from == earlier.size => consistency.proof.as_slice(),
        _ => return Err(Turned { log_size: Some(seen.size), ..Problem::LogProofNeeded.into() }),
    };
    check_consistency(earlier.size, &earlier.root, later.size, &later.root, proof)
        .map_err(|fault| Turned::because(Problem::LogForked, fault))?;
    if checkpoint.size < seen.size {
        return Ok(None);
    }
    Ok(Some(LogAdvance { seen: now, verified_against: Some((seen.size, seen.root)) }))
}

/// A fork is an alarm: it is put on record, and no transfer comes of the offer.
pub async fn forked(centre: &Arc<Centre>, peer: &Peer, manifest: &Manifest) -> Turned {
    if !centre.forks_recorded.may(peer.identity().clone(), pki::clock::now()) {
        return Problem::LogForked.into();
    }
    tracing::error!(origin = manifest.log.origin, sender = %manifest.sender, "the sender's log has forked");
    let entry = Entry {
        subject: Some(peer.subject()),
        sender: Some(manifest.sender.clone()),
        transfer_id: Some(manifest.transfer_id),
        problem: Some(Problem::LogForked),
        note: Some(manifest.checkpoint.clone()),
        ..centre.entry(Event::LogForked)
    };
    match centre.record(entry).await {
        Ok(()) => Problem::LogForked.into(),
        Err(fault) => fault.into(),
    }
}
