//! One attempt: from the permission to send to the durable receipt, each step a value that proves the one before.
//!
//! `Permit → Receiving → Whole → Checked → Committed`. The whole of it runs in a task of its own: a connection that is
//! lost while content is checked or committed changes nothing about either.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    jws::Unverified,
    moment::Moment,
    problem::Problem,
    receiver::{Input, Phase, StepFault},
    statement::Manifest,
    transfer_id::TransferKey,
};
use storage::{ledger::LedgerFault, spool::SpoolFault, transfer::Transfer};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    attempts::Place,
    body::HyperBody,
    centre::Centre,
    chain::chain,
    commit,
    content::Seen,
    intake::{Deadlines, Shortfall, take_content},
    peer::{Peer, Permit},
    sink::{Sink, SinkFault},
    steps,
    turned::Turned,
};

/// A request to send, as far as its head tells.
pub struct Sending {
    /// Which transfer.
    pub key: TransferKey,
    /// First byte of the content in the request.
    pub offset: u64,
    /// Bytes the request will bring.
    pub declared: u64,
}

/// An attempt that may take content.
pub struct Receiving {
    /// The transfer as it was when the attempt began.
    pub transfer: Transfer,
    /// What it promises.
    pub manifest: Arc<Manifest>,
    /// The attempt's number.
    pub attempt: u32,
    /// When it began.
    pub began: Moment,
    /// Who sends.
    pub peer: Peer,
    place: Place,
    _slot: OwnedSemaphorePermit,
}

/// An attempt that brought every byte; all of it is durable.
pub struct Whole {
    /// The attempt.
    pub receiving: Receiving,
    /// The content, not yet under its lasting name.
    pub sink: Sink,
    /// What was seen of it.
    pub seen: Seen,
    /// When the last byte came.
    pub received_at: Moment,
}

/// Receives, checks and commits. `whole` is told as soon as the last byte is durable, so that whoever waits knows that
/// only the check and the commit are left.
pub async fn receive(
    centre: Arc<Centre>,
    permit: Permit,
    sending: Sending,
    body: HyperBody,
    whole: oneshot::Sender<()>,
) -> Result<Transfer, Turned> {
    let receiving = begin(&centre, permit, &sending).await?;
    let content = take(&centre, receiving, sending.offset, body).await?;
    // Nobody may be waiting any more; the work goes on.
    let _ = whole.send(());
    let acceptable = commit::check(&centre, content).await?;
    commit::commit(&centre, acceptable).await
}

/// Takes the place of the transfer's attempt, gives it its number, and fences every older one.
async fn begin(centre: &Arc<Centre>, permit: Permit, sending: &Sending) -> Result<Receiving, Turned> {
    let peer = permit.peer().clone();
    if centre.stopping.is_cancelled() {
        return Err(Problem::Draining.into());
    }
    if centre.spool.is_poisoned() {
        return Err(Problem::StorageFailed.into());
    }
    let slot = Arc::clone(&centre.slots).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    let found = centre.ledger.find(&sending.key).await?.ok_or(Problem::NotFound)?;
    let manifest = manifest_of(&found)?;
    may_begin(centre, &found, sending)?;
    // From here on the older attempt ends.
    let place = centre.attempts.take_place(&sending.key).await;
    if found.state.phase == Phase::Checking {
        centre
            .step(&sending.key, steps::unlogged(Input::Restart, pki::clock::now()))
            .await
            .map_err(turn_step)?;
    }
    let began = centre.transfer_entry(Event::AttemptBegan, &found, Some(&peer));
    let entry = Entry { offset: Some(sending.offset), ..began };
    let began = entry.time;
    let step = steps::logged(Input::Attempt { offset: sending.offset }, entry);
    let transfer = centre.step(&sending.key, step).await.map_err(turn_step)?.transfer;
    let attempt = transfer.state.attempt;
    tracing::info!(transfer = %sending.key, attempt, offset = sending.offset, "attempt began");
    Ok(Receiving { transfer, manifest, attempt, began, peer, place, _slot: slot })
}

/// What can be said without ending an attempt that may be running.
fn may_begin(centre: &Centre, transfer: &Transfer, sending: &Sending) -> Result<(), Turned> {
    match transfer.state.phase {
        Phase::Offered | Phase::Receiving | Phase::Aborted(_) => {}
        // Without a running attempt the check broke down, and the transfer waits for somebody to say so.
        Phase::Checking if !centre.attempts.is_running(&transfer.key) => {}
        Phase::Checking => return Err(Problem::Busy.into()),
        Phase::Refused(reason) => return Err(Turned::refused(transfer, reason)),
        Phase::Committed | Phase::Cancelled | Phase::Expired => return Err(Problem::AlreadyFinal.into()),
    }
    if sending.offset.checked_add(sending.declared) != Some(transfer.length) {
        return Err(Problem::LengthMismatch.into());
    }
    Ok(())
}

fn manifest_of(transfer: &Transfer) -> Result<Arc<Manifest>, Turned> {
    // It was verified when it was offered; here only its content is wanted.
    let manifest = Unverified::<Manifest>::parse(&transfer.manifest)
        .map_err(|fault| Turned::because(Problem::StorageFailed, fault))?;
    Ok(Arc::new(manifest.claimed().clone()))
}

/// Takes the content in and makes it durable.
async fn take(
    centre: &Arc<Centre>,
    receiving: Receiving,
    offset: u64,
    mut body: HyperBody,
) -> Result<Whole, Turned> {
    let opened = {
        let (key, manifest, attempt) =
            (receiving.transfer.key.clone(), Arc::clone(&receiving.manifest), receiving.attempt);
        let (spool, ledger) = (Arc::clone(&centre.spool), Arc::clone(&centre.ledger));
        blocking(move || Sink::open(key, manifest, attempt, offset, spool, ledger)).await
    };
    let sink = match opened {
        Ok(sink) => sink,
        Err(fault) => return Err(abort_on_fault(centre, receiving, None, fault).await),
    };
    let link = &centre.config.link;
    let deadlines = Deadlines {
        stall_max: link.stall_max,
        storage_max: link.detect_max / 2,
        bytes_per_second_min: link.min_rate_bytes_per_second,
    };
    let (sink, result) =
        take_content(&mut body, sink, receiving.peer.ends, deadlines, &receiving.place.stop).await;
    let received_at = pki::clock::now();
    match (sink, result) {
        (Some(sink), Ok(())) => finish_content(centre, receiving, sink, received_at).await,
        (sink, Err(Shortfall::Cut(cause))) => Err(abort(centre, receiving, sink, cause).await),
        (sink, Err(Shortfall::Sink(fault))) => Err(abort_on_fault(centre, receiving, sink, fault).await),
        (None, Ok(())) => Err(abort(centre, receiving, None, Cause::StorageFailed).await),
    }
}

async fn finish_content(
    centre: &Arc<Centre>,
    receiving: Receiving,
    mut sink: Sink,
    received_at: Moment,
) -> Result<Whole, Turned> {
    let finished = blocking(move || Ok((sink.finish_content()?, sink))).await;
    let (seen, sink) = match finished {
        Ok(finished) => finished,
        Err(fault) => return Err(abort_on_fault(centre, receiving, None, fault).await),
    };
    let step = steps::unlogged(Input::Whole { attempt: receiving.attempt }, received_at);
    centre.step(&receiving.transfer.key, step).await.map_err(turn_step)?;
    Ok(Whole { receiving, sink, seen, received_at })
}

/// Ends an attempt early: what came is made durable and put on record, so that the next one can go on from there.
async fn abort(centre: &Arc<Centre>, receiving: Receiving, sink: Option<Sink>, cause: Cause) -> Turned {
    let stopped = match sink {
        Some(sink) => blocking(move || sink.stop()).await,
        None => Ok(0),
    };
    match stopped {
        Ok(durable) => record_abort(centre, receiving, cause, durable).await,
        Err(fault) => abort_on_fault(centre, receiving, None, fault).await,
    }
}

/// Ends an attempt whose content could not be stored. Nothing is made durable once more: an fsync that failed is never
/// tried again.
pub async fn abort_on_fault(
    centre: &Arc<Centre>,
    receiving: Receiving,
    sink: Option<Sink>,
    fault: SinkFault,
) -> Turned {
    drop(sink);
    let cause = match &fault {
        SinkFault::Spool(SpoolFault::Fenced { .. })
        | SinkFault::Ledger(LedgerFault::Step(StepFault::Fenced { .. })) => Cause::Superseded,
        _ => Cause::StorageFailed,
    };
    tracing::error!(transfer = %receiving.transfer.key, fault = %chain(&fault), "content could not be stored");
    record_abort(centre, receiving, cause, 0).await
}

/// Puts the end of an attempt on record and says what a sender that is still there is told.
pub async fn record_abort(centre: &Arc<Centre>, receiving: Receiving, cause: Cause, durable: u64) -> Turned {
    let Receiving { transfer, attempt, began, peer, .. } = &receiving;
    let entry = centre.transfer_entry(Event::Aborted, transfer, Some(peer));
    // The ledger adds the offset that the next attempt may go on from.
    let entry = Entry {
        attempt: Some(*attempt),
        cause: Some(cause),
        duration_ms: u64::try_from(entry.time.ms_since(*began)).ok(),
        ..entry
    };
    let step = steps::logged(Input::Cut { attempt: *attempt, cause, offset: durable }, entry);
    match centre.step(&transfer.key, step).await {
        Ok(stepped) => {
            let offset = stepped.transfer.state.offset;
            tracing::warn!(transfer = %transfer.key, attempt, %cause, offset, "attempt aborted");
            problem_of(cause).into()
        }
        Err(fault) => turn_step(fault),
    }
}

/// What a sender that is still there is told of an abort.
fn problem_of(cause: Cause) -> Problem {
    match cause {
        Cause::Stalled => Problem::Stalled,
        Cause::TooSlow => Problem::TooSlow,
        Cause::DigestMismatch => Problem::DigestMismatch,
        Cause::Superseded => Problem::Superseded,
        Cause::Cancelled => Problem::Cancelled,
        Cause::Draining => Problem::Draining,
        Cause::StorageStalled => Problem::StorageStalled,
        Cause::StorageFailed | Cause::Restarted => Problem::StorageFailed,
        Cause::Revoked => Problem::NotPermitted,
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
