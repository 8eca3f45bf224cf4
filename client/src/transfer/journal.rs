//! Every durable step of a transfer on its way, in its fixed order: what proves it first, then the send log, then its
//! state. Nothing that follows from a step is done before the step is durable. How a transfer ends stands in `ending`.

use protocol::{
    cause::Cause,
    digest::Sha256,
    entry::{Entry, Event},
    moment::Moment,
    sender::{Act, Input, Phase},
};

use crate::{
    stamp,
    store::{Attempt, Store, StoreFault, Transfer, send_log::LogFault},
};

/// How an attempt ended early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutShort {
    pub cause: Cause,
    /// Bytes of the file that had been handed to the line.
    pub reached: u64,
    pub detected_ms: u64,
}

/// Takes up a transfer where a stop may have left it: what the stop left undone is done, and an attempt that was
/// running has ended.
pub(crate) fn taken_up(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    if transfer.record.offered_entry.is_none() {
        held(store, transfer)?;
    }
    restarted(store, transfer)
}

/// Puts a new transfer into the send log.
pub(crate) fn held(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    let seq = log(store, transfer, Event::Offered, |entry| entry)?;
    transfer.record.offered_entry = Some(seq);
    transfer.save()
}

/// The centre answered an offer of this manifest: it has seen our log up to the manifest's checkpoint.
pub(crate) fn offer_taken(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    if let Some(size) = shown_size(transfer) {
        store.update_centre(&transfer.manifest.receiver, |centre| {
            centre.shown = centre.shown.max(Some(size))
        })?;
    }
    transfer.record.offered = true;
    transfer.save()
}

/// The centre does not know the transfer: it must be offered again.
pub(crate) fn forgotten(transfer: &mut Transfer) -> Result<(), StoreFault> {
    transfer.record.offered = false;
    transfer.save()
}

/// The size of our log that the manifest's checkpoint signs.
pub(crate) fn shown_size(transfer: &Transfer) -> Option<u64> {
    transfer.manifest.checkpoint.lines().nth(1)?.parse().ok()
}

/// An attempt begins at this offset.
pub(crate) fn attempt(store: &mut Store, transfer: &mut Transfer, offset: u64) -> Result<u32, StoreFault> {
    let now = pki::clock::now();
    let number = transfer.record.sender(transfer.manifest.length).attempts.saturating_add(1);
    let acts = step(transfer, Input::Wanted { offset }, now)?;
    debug_assert_eq!(acts, [Act::Send { offset }]);
    transfer.record.attempts.push(Attempt {
        number,
        began: now,
        offset,
        reached: offset,
        ended: None,
        cause: None,
        detected_ms: None,
    });
    log(store, transfer, Event::AttemptBegan, |entry| Entry {
        attempt: Some(number),
        offset: Some(offset),
        ..entry
    })?;
    transfer.save()?;
    Ok(number)
}

/// All bytes are out and the centre is checking.
pub(crate) fn checking(transfer: &mut Transfer) -> Result<(), StoreFault> {
    step(transfer, Input::Checking, pki::clock::now())?;
    transfer.save()
}

/// We call the transfer off, as the centre will be told: whatever becomes of the request, that we asked is on record.
pub(crate) fn cancel_asked(transfer: &mut Transfer) -> Result<(), StoreFault> {
    transfer.record.cancel_asked_at.get_or_insert_with(pki::clock::now);
    transfer.save()
}

/// The centre says how much it holds, and nothing is sent now.
pub(crate) fn holds(transfer: &mut Transfer, offset: u64) -> Result<(), StoreFault> {
    transfer.record.offset = offset;
    transfer.save()
}

/// The attempt ended early. Nothing is put down when none was running.
pub(crate) fn aborted(store: &mut Store, transfer: &mut Transfer, cut: CutShort) -> Result<bool, StoreFault> {
    end_early(store, transfer, Input::Cut(cut.cause), cut)
}

fn restarted(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    let cut = CutShort { cause: Cause::Restarted, reached: transfer.record.offset, detected_ms: 0 };
    end_early(store, transfer, Input::Restart, cut)?;
    Ok(())
}

fn end_early(
    store: &mut Store,
    transfer: &mut Transfer,
    input: Input,
    cut: CutShort,
) -> Result<bool, StoreFault> {
    if !matches!(transfer.phase(), Phase::Sending | Phase::AwaitingReceipt) {
        return Ok(false);
    }
    let now = pki::clock::now();
    step(transfer, input, now)?;
    let mut entry_of_attempt = (None, None);
    if let Some(attempt) = transfer.record.attempts.last_mut() {
        if attempt.ended.is_none() {
            attempt.ended = Some(now);
            attempt.cause = Some(cut.cause);
            attempt.reached = cut.reached.max(attempt.offset);
            // How soon a cut was noticed says nothing about a stop of this program.
            attempt.detected_ms = (cut.cause != Cause::Restarted).then_some(cut.detected_ms);
        }
        entry_of_attempt = (Some(attempt.number), u64::try_from(now.ms_since(attempt.began)).ok());
    }
    let (attempt, duration_ms) = entry_of_attempt;
    let offset = Some(transfer.record.offset);
    log(store, transfer, Event::Aborted, |entry| Entry {
        attempt,
        cause: Some(cut.cause),
        offset,
        duration_ms,
        ..entry
    })?;
    transfer.save()?;
    Ok(true)
}

/// Takes a step of the state machine; its state is not durable yet.
pub(super) fn step(transfer: &mut Transfer, input: Input, now: Moment) -> Result<Vec<Act>, StoreFault> {
    let state = transfer.record.sender(transfer.manifest.length);
    let (next, acts) = state.step(input).map_err(|unexpected| {
        tracing::error!(transfer = %transfer.id(), %unexpected, "a step does not fit");
        StoreFault::Altered { path: transfer.file("state.json") }
    })?;
    transfer.record.enter(next, now);
    Ok(acts)
}

/// An entry about a transfer, with the facts that every one of them carries.
pub(super) fn log(
    store: &mut Store,
    transfer: &Transfer,
    event: Event,
    with: impl FnOnce(Entry) -> Entry,
) -> Result<u64, StoreFault> {
    let manifest = &transfer.manifest;
    let entry = Entry {
        sender: Some(manifest.sender.clone()),
        transfer_id: Some(manifest.transfer_id),
        kind: Some(manifest.kind),
        class: Some(manifest.class),
        length: Some(manifest.length),
        sha256: Some(manifest.sha256),
        manifest_sha256: Some(Sha256::of(transfer.manifest_text.as_bytes())),
        ..stamp::entry(event).map_err(LogFault::from)?
    };
    Ok(store.log.append(with(entry))?)
}
