//! The early end of an attempt: what came is made durable and put on record, so that the next one can go on from there.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    problem::Problem,
    receiver::{Input, StepFault},
};
use storage::{ledger::LedgerFault, spool::SpoolFault};

use crate::{
    centre::Centre,
    chain::chain,
    receive::Receiving,
    sink::{Sink, SinkFault},
    steps,
    turned::Turned,
};

/// Ends an attempt early. Without a sink nothing more is made durable.
pub async fn abort(centre: &Arc<Centre>, receiving: Receiving, sink: Option<Sink>, cause: Cause) -> Turned {
    let stopped = match sink {
        Some(sink) => blocking(move || sink.stop()).await,
        None => Ok(0),
    };
    match stopped {
        Ok(durable) => record_abort(centre, receiving, cause, durable).await,
        // The content was dropped, or taken over, while this attempt was told to end: its cause is known.
        Err(fault) if is_fenced(&fault) => record_abort(centre, receiving, cause, 0).await,
        Err(fault) => abort_on_fault(centre, receiving, fault).await,
    }
}

/// Ends an attempt whose content could not be stored. Nothing is made durable once more: an fsync that failed is never
/// tried again. Content that an earlier attempt made durable, and that is gone or damaged, is given up, so that the
/// next attempt begins anew.
pub async fn abort_on_fault(centre: &Arc<Centre>, mut receiving: Receiving, fault: SinkFault) -> Turned {
    if is_fenced(&fault) {
        return record_abort(centre, receiving, Cause::Superseded, 0).await;
    }
    let key = receiving.transfer.key.clone();
    tracing::error!(transfer = %key, fault = %chain(&fault), "content could not be stored");
    let turned = put_down(centre, &mut receiving, Cause::StorageFailed, 0).await;
    // While it has its place no newer attempt can have brought anything that this would drop.
    if let SinkFault::Spool(SpoolFault::Missing(_) | SpoolFault::Damaged(..)) = fault {
        let lost = steps::unlogged(Input::ContentLost, pki::clock::now());
        if let Err(fault) = centre.step(&key, lost).await {
            return turn_step(fault);
        }
    }
    turned
}

fn is_fenced(fault: &SinkFault) -> bool {
    matches!(
        fault,
        SinkFault::Spool(SpoolFault::Fenced { .. })
            | SinkFault::Ledger(LedgerFault::Step(StepFault::Fenced { .. }))
    )
}

/// Puts the end of an attempt on record and says what a sender that is still there is told.
pub async fn record_abort(
    centre: &Arc<Centre>,
    mut receiving: Receiving,
    cause: Cause,
    durable: u64,
) -> Turned {
    put_down(centre, &mut receiving, cause, durable).await
}

/// The same, for whoever goes on with the attempt's place.
async fn put_down(centre: &Arc<Centre>, receiving: &mut Receiving, cause: Cause, durable: u64) -> Turned {
    let begun = receiving.put_on_record(centre).await;
    let Receiving { transfer, attempt, began, peer, .. } = &*receiving;
    let entry = centre.transfer_entry(Event::Aborted, transfer, Some(peer));
    // The ledger adds the offset that the next attempt may go on from.
    let entry = Entry {
        attempt: Some(*attempt),
        cause: Some(cause),
        duration_ms: u64::try_from(entry.time.ms_since(*began)).ok(),
        ..entry
    };
    let step = steps::logged(Input::Cut { attempt: *attempt, cause, offset: durable }, entry);
    let ended = match begun {
        Ok(()) => centre.step(&transfer.key, step).await,
        Err(fault) => Err(fault),
    };
    match ended {
        Ok(stepped) => {
            let offset = stepped.transfer.state.offset;
            tracing::warn!(transfer = %transfer.key, attempt, %cause, offset, "attempt aborted");
            problem_of(cause).into()
        }
        // Called off while this attempt ran: what it may have written since goes too.
        Err(LedgerFault::Step(StepFault::Unexpected { .. })) => {
            centre.drop_content(&transfer.key).await;
            problem_of(cause).into()
        }
        Err(fault) => turn_step(fault),
    }
}

/// What a sender that is still there is told of an abort.
pub fn problem_of(cause: Cause) -> Problem {
    match cause {
        Cause::Stalled => Problem::Stalled,
        Cause::TooSlow => Problem::TooSlow,
        Cause::DigestMismatch => Problem::DigestMismatch,
        Cause::Superseded => Problem::Superseded,
        Cause::Cancelled => Problem::Cancelled,
        Cause::Draining => Problem::Draining,
        Cause::StorageStalled => Problem::StorageStalled,
        Cause::StorageFailed | Cause::Restarted => Problem::StorageFailed,
        Cause::Revoked => Problem::Revoked,
        Cause::LinkLost
        | Cause::PeerClosed
        | Cause::LengthMismatch
        | Cause::SourceChanged
        | Cause::WindowClosed => Problem::LengthMismatch,
    }
}

/// What a step that does not fit is answered with.
pub fn turn_step(fault: LedgerFault) -> Turned {
    match fault {
        LedgerFault::Step(StepFault::WrongOffset { expected }) => Turned::wrong_offset(expected),
        LedgerFault::Step(StepFault::Fenced { .. }) => Problem::Superseded.into(),
        LedgerFault::Step(StepFault::Unexpected { phase: "checking", .. }) => Problem::Busy.into(),
        LedgerFault::Step(StepFault::Unexpected { .. }) => Problem::AlreadyFinal.into(),
        LedgerFault::Unknown(_) => Problem::NotFound.into(),
        other => other.into(),
    }
}

/// Runs what may block on a thread for it.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkFault> + Send + 'static,
) -> Result<T, SinkFault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(SinkFault::ThreadLost),
    }
}
