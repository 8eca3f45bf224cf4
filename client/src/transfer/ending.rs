//! How a transfer ends, in the fixed order of `journal`: by a receipt, by a refusal, or called off. A statement of the
//! centre counts after it was verified, and its exact text is durable before anything is said of it.

use std::sync::Arc;

use protocol::{
    checkpoint::LogIdentity,
    digest::Sha256,
    entry::{Entry, Event},
    jws::{Signed, Unverified, Verifier},
    problem::Problem,
    sender::Input,
    statement::Receipt,
    transfer_id::TransferId,
    wire::ReceiptAnswer,
};

use super::journal::{log, step};
use crate::{
    bundle::{Bundle, CentreProof, Continues, SenderProof},
    centre_log::{CentreLogFault, Proof, SeenLog, check_agrees, check_continues, check_entry},
    error::SendError,
    evidence::{Offered, verify_receipt, verify_refusal},
    store::{ACKNOWLEDGEMENT, BUNDLE, Fork, PROOF, RECEIPT, REFUSAL, Store, StoreFault, Transfer},
    times::clock_off,
};

/// What an answer that does not count is kept as, for those who look into it.
const REJECTED: &str = "rejected.json";

/// What a verified refusal says.
pub(crate) struct RefusedFor {
    pub reason: Problem,
    /// The claims check's word for the place of the fault.
    pub fault: Option<String>,
    /// The transfer that brought the same content before.
    pub earlier: Option<TransferId>,
    /// It was called off, and we had asked for that.
    pub as_asked: bool,
}

/// A receipt as it came, with what is needed to judge what came beside it.
pub(crate) struct Brought {
    pub answer: Arc<ReceiptAnswer>,
    /// The centre's log as it was known when the answer was asked for.
    pub asked_from: Option<SeenLog>,
    /// Proofs that were asked for since.
    pub proofs: Vec<Proof>,
}

/// A receipt is here. It counts after everything about it was verified, and is durable when this returns.
pub(crate) fn received(
    store: &mut Store,
    transfer: &mut Transfer,
    brought: &Brought,
    verifier: &dyn Verifier,
    crls: &[Vec<u8>],
) -> Result<Receipt, SendError> {
    let answer = brought.answer.as_ref();
    let offered = Offered { text: &transfer.manifest_text, manifest: &transfer.manifest };
    let now = pki::clock::now();
    let signed = match verify_receipt(&answer.receipt, offered, verifier, now) {
        Ok(signed) => signed,
        Err(fault) => {
            transfer.keep(REJECTED, &json(answer)?)?;
            return Err(fault.into());
        }
    };
    let receiver = transfer.manifest.receiver.clone();
    let log_of_receipt = signed.statement().log.clone();
    let known = store.centre(&receiver).and_then(|centre| centre.log(&log_of_receipt)).cloned();
    let proof = match judge_log(brought, &signed, known.as_ref()) {
        Ok(proof) => proof,
        Err(CentreLogFault::Forked(reason)) => {
            forked(store, transfer, answer, (log_of_receipt, known), reason)?;
            return Err(SendError::LogForked { reason: reason.to_owned() });
        }
        // The proof can be had: the centre is asked for it.
        Err(fault @ CentreLogFault::NoConsistency { .. }) => return Err(fault.into()),
        Err(fault) => {
            transfer.keep(REJECTED, &json(answer)?)?;
            return Err(fault.into());
        }
    };
    transfer.keep(RECEIPT, answer.receipt.as_bytes())?;
    transfer.keep(PROOF, &json(&proof)?)?;
    let saw = SeenLog { log: log_of_receipt, checkpoint: answer.checkpoint.clone(), at: now };
    if saw.size() > known.and_then(|known| known.size()) {
        store.update_centre(&receiver, |centre| centre.saw(saw))?;
    }
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
    let (said, created_at) = (signed.statement(), transfer.manifest.created_at);
    transfer.record.clock_off_ms = clock_off(created_at, said.offered_at, said.stored_at, now);
    step(transfer, Input::Receipt, now)?;
    transfer.save()?;
    Ok(signed.statement().clone())
}

/// Judges what came beside a receipt: its entry in the centre's log, and that this log is the one known before and the
/// one known by now. What comes of it is kept in the bundle.
fn judge_log(
    brought: &Brought,
    receipt: &Signed<Receipt>,
    known: Option<&SeenLog>,
) -> Result<CentreProof, CentreLogFault> {
    let (answer, log) = (brought.answer.as_ref(), &receipt.statement().log);
    let head = check_entry(&answer.checkpoint, &answer.inclusion, receipt)?;
    let mut proofs: Vec<_> = answer.consistency.iter().map(|proof| Proof::beside(proof, head.size)).collect();
    proofs.extend(brought.proofs.iter().cloned());
    let asked_from = brought.asked_from.as_ref().filter(|seen| seen.log.origin == log.origin);
    let continues = match asked_from {
        None => None,
        Some(seen) => {
            let consistency = check_continues(seen, log, &head, &proofs)?;
            Some(Continues { earlier: seen.checkpoint.clone(), consistency })
        }
    };
    if let Some(known) = known {
        check_agrees(known, log, &head, &proofs)?;
    }
    Ok(CentreProof::of(answer, log, continues))
}

/// The centre contradicts itself: kept on record, and no transfer with it until people have looked into it.
fn forked(
    store: &mut Store,
    transfer: &Transfer,
    answer: &ReceiptAnswer,
    (log_shown, held): (LogIdentity, Option<SeenLog>),
    reason: &str,
) -> Result<(), StoreFault> {
    tracing::error!(transfer = %transfer.id(), reason, "the centre's log has forked");
    transfer.keep(REJECTED, &json(answer)?)?;
    let fork = Fork {
        at: pki::clock::now(),
        reason: reason.to_owned(),
        log: log_shown,
        shown: answer.checkpoint.clone(),
        held: held.map(|held| held.checkpoint),
    };
    store.update_centre(&transfer.manifest.receiver, |centre| {
        // The first contradiction is the one that people look into.
        centre.fork.get_or_insert(fork);
    })?;
    let note = Some(answer.checkpoint.clone());
    log(store, transfer, Event::LogForked, |entry| Entry { note, ..entry })?;
    Ok(())
}

/// A refusal is here. It counts after it was verified, and is durable when this returns. One that says what we asked
/// for, that the transfer is called off, ends it as that.
pub(crate) fn refused(
    store: &mut Store,
    transfer: &mut Transfer,
    text: &str,
    verifier: &dyn Verifier,
) -> Result<RefusedFor, SendError> {
    let offered = Offered { text: &transfer.manifest_text, manifest: &transfer.manifest };
    let now = pki::clock::now();
    let signed = match verify_refusal(text, offered, verifier, now) {
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
    let as_asked = reason == Problem::Cancelled && transfer.record.cancel_asked_at.is_some();
    let (event, input) = match as_asked {
        true => (Event::Cancelled, Input::CancelConfirmed),
        false => (Event::Refused, Input::Refusal(reason)),
    };
    transfer.keep(REFUSAL, text.as_bytes())?;
    let statement_sha256 = Some(Sha256::of(text.as_bytes()));
    log(store, transfer, event, |entry| Entry { statement_sha256, problem: Some(reason), ..entry })?;
    if let Some(attempt) = transfer.record.attempts.last_mut()
        && attempt.ended.is_none()
    {
        attempt.ended = Some(now);
    }
    let (created_at, refused_at) = (transfer.manifest.created_at, said.refused_at);
    transfer.record.clock_off_ms = clock_off(created_at, refused_at, refused_at, now);
    step(transfer, input, now)?;
    transfer.save()?;
    Ok(RefusedFor { reason, fault: said.fault.clone(), earlier, as_asked })
}

/// The centre never heard of the transfer that we call off: it ends here alone.
pub(crate) fn never_offered(store: &mut Store, transfer: &mut Transfer) -> Result<(), StoreFault> {
    log(store, transfer, Event::Cancelled, |entry| entry)?;
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
    let sender_log = SenderProof {
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

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreFault> {
    serde_json::to_vec(value).map_err(|source| StoreFault::Io {
        doing: "write down",
        path: BUNDLE.into(),
        source: source.into(),
    })
}
