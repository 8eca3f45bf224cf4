//! The statements that the centre signs: receipts and refusals.

use protocol::{
    claims::ClaimsFacts,
    digest::Sha256,
    jws,
    moment::Moment,
    problem::Problem,
    statement::{Manifest, Receipt, Refusal, VERSION},
};
use storage::transfer::Transfer;

use crate::{centre::Centre, turned::Turned};

/// The receipt for content that is durable under its lasting name. It must not leave before the ledger holds it.
pub fn receipt(
    centre: &Centre,
    transfer: &Transfer,
    received_at: Moment,
    stored_at: Moment,
    claims: Option<ClaimsFacts>,
) -> Result<String, Turned> {
    // A clock that was set back meanwhile must not put the end before the beginning: no sender takes such a receipt.
    let received_at = received_at.max(transfer.offered_at);
    let stored_at = stored_at.max(received_at);
    let receipt = Receipt {
        version: VERSION,
        transfer_id: transfer.key.id,
        environment: centre.environment,
        manifest_sha256: transfer.manifest_sha256,
        length: transfer.length,
        sha256: transfer.sha256,
        sender: transfer.key.sender.clone(),
        receiver: transfer.submission.receiver.clone(),
        class: transfer.class,
        offered_at: transfer.offered_at,
        received_at,
        stored_at,
        clock: centre.time().1,
        claims,
        log: centre.log.clone(),
    };
    jws::sign(&receipt, centre.in_force().signer.as_ref())
        .map_err(|fault| Turned::because(Problem::StorageFailed, fault))
}

/// What a refusal is about.
pub struct Refused<'a> {
    /// The manifest that was offered.
    pub manifest: &'a Manifest,
    /// SHA-256 of its exact text.
    pub manifest_sha256: Sha256,
    /// Why.
    pub reason: Problem,
    /// The stable word of the claims check.
    pub fault: Option<&'static str>,
    /// The receipt that the same content had before.
    pub earlier_receipt: Option<String>,
}

/// The signed, final no.
pub fn refusal(centre: &Centre, refused: Refused<'_>) -> Result<String, Turned> {
    let (refused_at, clock) = centre.time();
    let refusal = Refusal {
        version: VERSION,
        transfer_id: refused.manifest.transfer_id,
        environment: centre.environment,
        manifest_sha256: refused.manifest_sha256,
        sender: refused.manifest.sender.clone(),
        receiver: refused.manifest.receiver.clone(),
        reason: refused.reason,
        fault: refused.fault.map(str::to_owned),
        earlier_receipt: refused.earlier_receipt,
        refused_at,
        clock,
        log: centre.log.clone(),
    };
    jws::sign(&refusal, centre.in_force().signer.as_ref())
        .map_err(|fault| Turned::because(Problem::StorageFailed, fault))
}
