//! What became of a transfer: state, receipt with its proofs, and the centre's log.

use std::sync::Arc;

use protocol::{
    checkpoint::Checkpoint,
    problem::Problem,
    receiver::Phase,
    transfer_id::TransferKey,
    wire::{Consistency, Inclusion, ReceiptAnswer, State},
};
use storage::{
    audit::{AuditFault, SignedHead},
    transfer::Transfer,
};

use crate::{centre::Centre, peer::TransferPermit, turned::Turned};

/// The transfer's state. `log_seen` is the size of the centre's log that the sender last verified.
pub async fn ask(
    centre: &Arc<Centre>,
    permit: &TransferPermit,
    log_seen: Option<u64>,
) -> Result<State, Turned> {
    state_now(centre, permit.key(), log_seen).await
}

/// The transfer as it is now. One whose content is on its way is said to be receiving, on record as such or not.
pub async fn state_now(
    centre: &Arc<Centre>,
    key: &TransferKey,
    log_seen: Option<u64>,
) -> Result<State, Turned> {
    // Asked first: of an attempt that ends in between, what became of it is found.
    let is_running = centre.attempts.is_running(key);
    let transfer = centre.ledger.find(key).await?.ok_or(Problem::NotFound)?;
    let state = state_of(centre, &transfer, log_seen).await?;
    if is_running && matches!(transfer.state.phase, Phase::Offered | Phase::Aborted(_)) {
        return Ok(State { phase: Phase::Receiving.name().to_owned(), cause: None, ..state });
    }
    Ok(state)
}

/// The transfer as the ledger has it, in the words for its sender.
pub async fn state_of(
    centre: &Arc<Centre>,
    transfer: &Transfer,
    log_seen: Option<u64>,
) -> Result<State, Turned> {
    let receipt = match transfer.state.phase {
        Phase::Committed => Some(receipt_answer(centre, transfer, log_seen).await?),
        _ => None,
    };
    Ok(State {
        phase: transfer.state.phase.name().to_owned(),
        offset: transfer.state.offset,
        attempts: transfer.state.attempt,
        cause: match transfer.state.phase {
            Phase::Aborted(cause) => Some(cause),
            _ => None,
        },
        since: transfer.since,
        delivered_at: transfer.delivered_at,
        acknowledged_at: transfer.acknowledged_at,
        receipt,
        refusal: transfer.refusal.clone(),
    })
}

/// The bare receipt, byte for byte as it was first given.
pub async fn receipt(centre: &Arc<Centre>, permit: &TransferPermit) -> Result<String, Turned> {
    let transfer = centre.ledger.find(permit.key()).await?.ok_or(Problem::NotFound)?;
    transfer.receipt.ok_or(Problem::NotFound.into())
}

/// The receipt with its place in the log, proved against the newest head.
pub async fn receipt_answer(
    centre: &Arc<Centre>,
    transfer: &Transfer,
    log_seen: Option<u64>,
) -> Result<ReceiptAnswer, Turned> {
    let missing = || Turned::because(Problem::StorageFailed, "a committed transfer without receipt or entry");
    let receipt = transfer.receipt.clone().ok_or_else(missing)?;
    let index = transfer.receipt_entry.ok_or_else(missing)?;
    let SignedHead { text: checkpoint, checkpoint: Checkpoint { size, .. } } =
        centre.audit.head().await.map_err(unreadable)?;
    let entry = centre.audit.entry(index).await.map_err(unreadable)?.ok_or_else(missing)?;
    let proof = centre.audit.inclusion(index, size).await.map_err(unreadable)?;
    let consistency = match log_seen {
        // A size that this log never had proves nothing; the sender will see that it gets no proof.
        Some(from) if from <= size => Some(consistency(centre, from, size).await?),
        _ => None,
    };
    Ok(ReceiptAnswer { receipt, checkpoint, inclusion: Inclusion { index, entry, proof }, consistency })
}

/// Proof that the log of `from` entries is the beginning of that of `to`.
pub async fn consistency(centre: &Arc<Centre>, from: u64, to: u64) -> Result<Consistency, Turned> {
    match centre.audit.consistency(from, to).await {
        Ok(proof) => Ok(Consistency { from, proof }),
        Err(AuditFault::OutOfRange { .. }) => Err(Problem::BadRequest.into()),
        Err(fault) => Err(unreadable(fault)),
    }
}

/// The newest signed head of the log.
pub async fn checkpoint(centre: &Arc<Centre>) -> Result<String, Turned> {
    Ok(centre.audit.head().await.map_err(unreadable)?.text)
}

fn unreadable(fault: AuditFault) -> Turned {
    Turned::because(Problem::StorageFailed, fault)
}
