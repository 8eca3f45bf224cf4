//! Every durable step of a transfer, in its fixed order: what proves it first, then the send log, then its state. Nothing
//! that follows from a step is done before the step is durable.

use protocol::{
    cause::Cause,
    digest::Sha256,
    entry::{Entry, Event},
    jws::{Unverified, Verifier},
    moment::Moment,
    problem::Problem,
    sender::{Act, Input, Phase},
    statement::Receipt,
    transfer_id::TransferId,
    wire::ReceiptAnswer,
};

use crate::{
    bundle::{self, Bundle},
    centre_log::{self, CentreLogFault, SeenLog},
    error::SendError,
    evidence::{Offered, verify_receipt, verify_refusal},
    stamp,
    store::{
        ACKNOWLEDGEMENT, Attempt, BUNDLE, Fork, PROOF, RECEIPT, REFUSAL, Store, StoreFault, Transfer,
        send_log::LogFault,
    },
};

/// What an answer that does not count is kept as, for those who look into it.
const REJECTED: &str = "rejected.json";

/// How an attempt ended early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutShort {
    pub cause: Cause,
    /// Bytes of the file that had been handed to the line.
    pub reached: u64,
    pub detected_ms: u64,
}

/// What a verified refusal says.
pub(crate) struct RefusedFor {
    pub reason: Problem,
    /// The claims check's word for the place of the fault.
    pub fault: Option<String>,
    /// The transfer that brought the same content before.
    pub earlier: Option<TransferId>,
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

/// A receipt is here. It counts after everything about it was verified, and is durable when this returns.
pub(crate) fn received(
    store: &mut Store,
    transfer: &mut Transfer,
    answer: &ReceiptAnswer,
    verifier: &dyn Verifier,
    crls: &[Vec<u8>],
) -> Result<Receipt, SendError> {
    let offered = Offered { text: &transfer.manifest_text, manifest: &transfer.manifest };
    let signed = match verify_receipt(&answer.receipt, offered, verifier) {
        Ok(signed) => signed,
        Err(fault) => {
            transfer.keep(REJECTED, &json(answer)?)?;
            return Err(fault.into());
        }
    };
    let receiver = transfer.manifest.receiver.clone();
    let log_of_receipt = signed.statement().log.clone();
    let seen = store.centre(&receiver).and_then(|centre| centre.log(&log_of_receipt)).cloned();
    match centre_log::check(answer, &signed, seen.as_ref()) {
        Ok(_) => {}
        Err(CentreLogFault::Forked(reason)) => {
            forked(store, transfer, answer, seen, reason)?;
            return Err(SendError::LogForked { reason: reason.to_owned() });
        }
        Err(CentreLogFault::NoConsistency) => {
            // The next question names the size of this log, so that the proof can be given.
            if let Some(seen) = seen {
                store.update_centre(&receiver, |centre| centre.saw(seen))?;
            }
            return Err(CentreLogFault::NoConsistency.into());
        }
        Err(fault) => {
            transfer.keep(REJECTED, &json(answer)?)?;
            return Err(fault.into());
        }
    }
    let now = pki::clock::now();
    let proof = bundle::CentreProof::of(answer, seen.as_ref(), &log_of_receipt);
    transfer.keep(RECEIPT, answer.receipt.as_bytes())?;
    transfer.keep(PROOF, &json(&proof)?)?;
    let saw = SeenLog { log: log_of_receipt, checkpoint: answer.checkpoint.clone(), at: now };
    store.update_centre(&receiver, |centre| centre.saw(saw))?;
    let statement_sha256 = Some(Sha256::of(answer.receipt.as_bytes()));
    let attempts = u32::try_from(transfer.record.attempts.len()).ok();
    let seq = log(store, transfer, Event::Received, |entry| Entry {
        statement_sha256,
        attempt: attempts,
        ..entry
    })?;
    transfer.record.received_entry = Some(seq);
    // Before the state says that it is there.
    write_bundle(store, transfer, crls)?;
    if let Some(attempt) = transfer.record.attempts.last_mut()
        && attempt.ended.is_none()
    {
        attempt.ended = Some(now);
        attempt.reached = transfer.manifest.length;
    }
    step(transfer, Input::Receipt, now)?;
    transfer.save()?;
    Ok(signed.statement().clone())
}

/// The centre contradicts itself: kept on record, and no transfer with it until people have looked into it.
fn forked(
    store: &mut Store,
    transfer: &Transfer,
    answer: &ReceiptAnswer,
    seen: Option<SeenLog>,
    reason: &str,
) -> Result<(), StoreFault> {
    tracing::error!(transfer = %transfer.id(), reason, "the centre's log has forked");
    transfer.keep(REJECTED, &json(answer)?)?;
    let fork = Fork {
        at: pki::clock::now(),
        reason: reason.to_owned(),
        shown: answer.checkpoint.clone(),
        held: seen.map(|seen| seen.checkpoint),
    };
    store.update_centre(&transfer.manifest.receiver, |centre| centre.fork = Some(fork))?;
    let note = Some(answer.checkpoint.clone());
    log(store, transfer, Event::LogForked, |entry| Entry { note, ..entry })?;
    Ok(())
}

/// A refusal is here. It counts after it was verified, and is durable when this returns.
pub(crate) fn refused(
    store: &mut Store,
    transfer: &mut Transfer,
    text: &str,
    verifier: &dyn Verifier,
) -> Result<RefusedFor, SendError> {
    let offered = Offered { text: &transfer.manifest_text, manifest: &transfer.manifest };
    let signed = match verify_refusal(text, offered, verifier) {
        Ok(signed) => signed,
        Err(fault) => {
            transfer.keep(REJECTED, &json(&text)?)?;
            return Err(fault.into());
        }
    };
    let said = signed.statement();
    // The refusal's signer vouches for the receipt in it.
    let earlier = said.earlier_receipt.as_deref().and_then(|text| {
        let receipt = Unverified::<Receipt>::parse(text).ok()?;
        Some(receipt.claimed().transfer_id)
    });
    let reason = said.reason;
    transfer.keep(REFUSAL, text.as_bytes())?;
    let statement_sha256 = Some(Sha256::of(text.as_bytes()));
    log(store, transfer, Event::Refused, |entry| Entry { statement_sha256, problem: Some(reason), ..entry })?;
    let now = pki::clock::now();
    if let Some(attempt) = transfer.record.attempts.last_mut()
        && attempt.ended.is_none()
    {
        attempt.ended = Some(now);
    }
    step(transfer, Input::Refusal(reason), now)?;
    transfer.save()?;
    Ok(RefusedFor { reason, fault: said.fault.clone(), earlier })
}

/// The centre has called the transfer off, as we asked.
pub(crate) fn cancelled(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    log(store, transfer, Event::Cancelled, |entry| entry)?;
    step(transfer, Input::CancelConfirmed, pki::clock::now())?;
    transfer.save()
}

/// The centre says that the transfer was not finished in time: its id is given up. Should the content be there after
/// all, a new transfer of it is refused as already held.
pub(crate) fn expired(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    restarted(store, transfer)?;
    log(store, transfer, Event::Expired, |entry| entry)?;
    step(transfer, Input::CancelConfirmed, pki::clock::now())?;
    transfer.save()
}

/// The centre knows that we hold the receipt.
pub(crate) fn acknowledged(
    store: &mut Store,
    transfer: &mut Transfer,
    text: &str,
    crls: &[Vec<u8>],
) -> Result<(), StoreFault> {
    let statement_sha256 = Some(Sha256::of(text.as_bytes()));
    log(store, transfer, Event::Acknowledged, |entry| Entry { statement_sha256, ..entry })?;
    transfer.record.acknowledged_at = Some(pki::clock::now());
    write_bundle(store, transfer, crls)?;
    transfer.save()
}

/// Puts all the evidence of a transfer together. Each time it is the same evidence with newer proofs.
fn write_bundle(store: &Store, transfer: &Transfer, crls: &[Vec<u8>]) -> Result<(), StoreFault> {
    let altered = |name| StoreFault::Altered { path: transfer.file(name) };
    let receipt = transfer.text(RECEIPT)?.ok_or_else(|| altered(RECEIPT))?;
    let proof = transfer.text(PROOF)?.ok_or_else(|| altered(PROOF))?;
    let proof = serde_json::from_str(&proof).map_err(|_| altered(PROOF))?;
    let (Some(offered), Some(received)) = (transfer.record.offered_entry, transfer.record.received_entry)
    else {
        return Err(altered("state.json"));
    };
    let sender_log = bundle::SenderProof {
        log: store.log.identity().clone(),
        checkpoint: store.log.checkpoint().to_owned(),
        offered: store.log.inclusion(offered)?,
        received: store.log.inclusion(received)?,
    };
    let acknowledgement = transfer.text(ACKNOWLEDGEMENT)?;
    let bundle =
        Bundle::of(transfer.manifest_text.clone(), receipt, acknowledgement, crls, proof, sender_log);
    transfer.keep(BUNDLE, &json(&bundle)?)
}

fn step(transfer: &mut Transfer, input: Input, now: Moment) -> Result<Vec<Act>, StoreFault> {
    let state = transfer.record.sender(transfer.manifest.length);
    let (next, acts) = state.step(input).map_err(|unexpected| {
        tracing::error!(transfer = %transfer.id(), %unexpected, "a step does not fit");
        StoreFault::Altered { path: transfer.file("state.json") }
    })?;
    transfer.record.enter(next, now);
    Ok(acts)
}

/// An entry about a transfer, with the facts that every one of them carries.
fn log(
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

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreFault> {
    serde_json::to_vec(value).map_err(|source| StoreFault::Io {
        doing: "write down",
        path: BUNDLE.into(),
        source: source.into(),
    })
}
