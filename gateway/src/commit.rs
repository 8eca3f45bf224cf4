//! The end of an attempt that brought everything: the verdict, and the commit in its fixed order.
//!
//! Content durable and verified → its name durable → receipt signed → ledger transaction durable → only then a reply.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    digest::Sha256,
    entry::{Entry, Event},
    moment::Moment,
    problem::Problem,
    receiver::{Input, Phase, StepFault},
};
use storage::{
    ledger::LedgerFault,
    transfer::{Step, Transfer},
};

use crate::{
    abort::{abort_on_fault, blocking, record_abort, turn_step},
    centre::Centre,
    content::{Checked, Verdict},
    receive::{Gathered, Receiving, Whole},
    refusal::{self, Reason},
    sign,
    sink::Sink,
    steps,
    turned::Turned,
};

/// Whole content that passed every check.
pub struct Acceptable {
    receiving: Receiving,
    sink: Sink,
    checked: Checked,
    received_at: Moment,
}

/// Content that passed every check and is durable, under its lasting name.
pub struct Kept {
    receiving: Receiving,
    checked: Checked,
    received_at: Moment,
}

/// Holds the content against its manifest.
pub async fn check(centre: &Arc<Centre>, content: Whole) -> Result<Acceptable, Turned> {
    let (receiving, mut sink, received_at) = content.into_parts();
    let looked = blocking(move || Ok((sink.see()?, sink))).await;
    let (seen, sink) = match looked {
        Ok(looked) => looked,
        Err(fault) => return Err(abort_on_fault(centre, receiving, fault).await),
    };
    match seen.judge(&receiving.manifest, centre.in_force().config.claims.completeness) {
        Ok(checked) => Ok(Acceptable { receiving, sink, checked, received_at }),
        Err(verdict) => {
            drop(sink);
            Err(turn_down(centre, receiving, verdict).await)
        }
    }
}

/// Gives what was found acceptable its lasting name.
pub async fn keep(centre: &Arc<Centre>, acceptable: Acceptable) -> Result<Kept, Turned> {
    let Acceptable { receiving, sink, checked, received_at } = acceptable;
    match blocking(move || sink.keep()).await {
        Ok(()) => Ok(Kept { receiving, checked, received_at }),
        Err(fault) => Err(abort_on_fault(centre, receiving, fault).await),
    }
}

/// Holds small content against its manifest, and stores it if it is acceptable: in one go, on one thread.
pub async fn check_and_keep(centre: &Arc<Centre>, content: Gathered) -> Result<Kept, Turned> {
    let (receiving, pieces, received_at) = content.into_parts();
    let (opening, manifest) = (receiving.opening(centre, 0), Arc::clone(&receiving.manifest));
    let completeness = centre.in_force().config.claims.completeness;
    let stored = blocking(move || {
        let mut sink = opening()?;
        sink.take_gathered(&pieces)?;
        match sink.see()?.judge(&manifest, completeness) {
            Ok(checked) => sink.keep().map(|()| Ok(checked)),
            Err(verdict) => Ok(Err(verdict)),
        }
    });
    match stored.await {
        Ok(Ok(checked)) => Ok(Kept { receiving, checked, received_at }),
        Ok(Err(verdict)) => Err(turn_down(centre, receiving, verdict).await),
        Err(fault) => Err(abort_on_fault(centre, receiving, fault).await),
    }
}

/// The name of the phase of a transfer that was called off, or was not finished in time.
const REFUSED: &str = Phase::Refused(Problem::Cancelled).name();

/// Commits: after this returns well, the receipt is durable and may leave.
pub async fn commit(centre: &Arc<Centre>, kept: Kept) -> Result<Transfer, Turned> {
    let Kept { receiving, checked, received_at } = kept;
    let stored_at = pki::clock::now();
    if receiving.is_withdrawn() {
        return Err(record_abort(centre, receiving, Cause::Revoked, 0).await);
    }
    let transfer = &receiving.transfer;
    let signed = sign::receipt(centre, transfer, received_at, stored_at, checked.into_facts());
    let receipt = match signed {
        Ok(receipt) => receipt,
        Err(turned) => return Err(unsigned(centre, receiving, &turned).await),
    };
    let entry = centre.transfer_entry(Event::Committed, transfer, Some(&receiving.peer));
    let at = entry.time;
    let entry = Entry {
        statement_sha256: Some(Sha256::of(receipt.as_bytes())),
        attempt: Some(receiving.attempt),
        offset: Some(transfer.length),
        duration_ms: u64::try_from(at.ms_since(receiving.began)).ok(),
        ..entry
    };
    let commit = commit_step(&receiving, entry);
    // The ledger asks once more when it takes the step: see `Centre::settle`.
    let step = steps::with_receipt(commit, receipt, receiving.guard());
    match centre.step(&transfer.key, step).await {
        Ok(stepped) => {
            tracing::info!(transfer = %transfer.key, attempt = receiving.attempt, bytes = transfer.length, "committed");
            Ok(stepped.transfer)
        }
        Err(LedgerFault::Forbidden) => Err(record_abort(centre, receiving, Cause::Revoked, 0).await),
        Err(LedgerFault::AlreadyHeld(earlier)) => {
            Err(refuse(centre, receiving, Problem::AlreadyHeld, None, earlier.receipt).await)
        }
        Err(fault) => Err(not_taken(centre, receiving, fault).await),
    }
}

/// The ledger did not take a step. If the transfer was called off, or ran out of time, while its content was checked and stored,
/// what was stored goes too.
async fn not_taken(centre: &Arc<Centre>, receiving: Receiving, fault: LedgerFault) -> Turned {
    if !matches!(fault, LedgerFault::Step(StepFault::Unexpected { phase: REFUSED, .. })) {
        return turn_step(fault);
    }
    let key = &receiving.transfer.key;
    centre.drop_content(key).await;
    match centre.ledger.find(key).await {
        Ok(Some(transfer)) => match transfer.state.phase {
            Phase::Refused(Problem::Cancelled) => Problem::Cancelled.into(),
            Phase::Refused(reason) => Turned::refused(&transfer, reason),
            _ => Problem::AlreadyFinal.into(),
        },
        Ok(None) => Problem::NotFound.into(),
        Err(fault) => fault.into(),
    }
}

/// What commits: the beginning goes on record with it, unless it is there.
fn commit_step(receiving: &Receiving, entry: Entry) -> Step {
    let attempt = receiving.attempt;
    match &receiving.beginning {
        Some(began) => {
            steps::with_beginning(steps::logged(Input::CommitAtOnce { attempt }, entry), began.clone())
        }
        None => steps::logged(Input::Commit { attempt }, entry),
    }
}

/// Content that is not acceptable.
async fn turn_down(centre: &Arc<Centre>, receiving: Receiving, verdict: Verdict) -> Turned {
    match verdict {
        Verdict::OtherContent => other_content(centre, receiving).await,
        Verdict::Refused(reason, fault) => refuse(centre, receiving, reason, fault, None).await,
    }
}

/// The content is not the declared one: it is dropped, once for another try, the second time for good.
async fn other_content(centre: &Arc<Centre>, mut receiving: Receiving) -> Turned {
    if let Err(fault) = receiving.put_on_record(centre).await {
        return not_taken(centre, receiving, fault).await;
    }
    let signed = refusal::text(centre, &receiving.transfer, &Problem::DigestMismatch.into());
    let refusal = match signed {
        Ok(refusal) => refusal,
        Err(turned) => return unsigned(centre, receiving, &turned).await,
    };
    let last_try = receiving.transfer.state.mismatches > 0;
    let event = if last_try { Event::Refused } else { Event::Aborted };
    let entry = centre.transfer_entry(event, &receiving.transfer, Some(&receiving.peer));
    let entry = Entry {
        statement_sha256: last_try.then(|| Sha256::of(refusal.as_bytes())),
        attempt: Some(receiving.attempt),
        offset: Some(0),
        problem: last_try.then_some(Problem::DigestMismatch),
        cause: (!last_try).then_some(Cause::DigestMismatch),
        ..entry
    };
    let mut step = steps::logged(Input::Mismatch { attempt: receiving.attempt }, entry);
    if last_try {
        step = steps::with_refusal(step, refusal);
    }
    tracing::warn!(transfer = %receiving.transfer.key, last_try, "content is not the declared one");
    match centre.step(&receiving.transfer.key, step).await {
        Ok(stepped) => match stepped.transfer.state.phase {
            Phase::Refused(reason) => Turned::refused(&stepped.transfer, reason),
            _ => Problem::DigestMismatch.into(),
        },
        Err(fault) => turn_step(fault),
    }
}

/// Says no for good, signed and on record.
async fn refuse(
    centre: &Arc<Centre>,
    mut receiving: Receiving,
    reason: Problem,
    fault: Option<&'static str>,
    earlier_receipt: Option<String>,
) -> Turned {
    if let Err(fault) = receiving.put_on_record(centre).await {
        return not_taken(centre, receiving, fault).await;
    }
    let (transfer, input) = (&receiving.transfer, Input::Refuse { attempt: receiving.attempt, reason });
    let reasons = Reason { problem: reason, fault, earlier_receipt };
    let step = match refusal::step(centre, transfer, Some(&receiving.peer), input, reasons) {
        Ok(step) => step,
        Err(turned) => return unsigned(centre, receiving, &turned).await,
    };
    tracing::warn!(transfer = %receiving.transfer.key, %reason, fault, "content refused");
    match centre.step(&receiving.transfer.key, step).await {
        Ok(stepped) => Turned::refused(&stepped.transfer, reason),
        Err(fault) => turn_step(fault),
    }
}

/// Without a signature there is neither receipt nor refusal: the attempt ends, and another may find the key mended.
async fn unsigned(centre: &Arc<Centre>, receiving: Receiving, turned: &Turned) -> Turned {
    tracing::error!(transfer = %receiving.transfer.key, detail = turned.detail, "the evidence key could not sign");
    record_abort(centre, receiving, Cause::StorageFailed, 0).await
}
