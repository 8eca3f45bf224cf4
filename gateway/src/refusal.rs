//! The final no to a transfer that is known: signed first, then durable together with its log entry, then told.

use protocol::{
    digest::Sha256,
    entry::{Entry, Event},
    jws::Unverified,
    problem::Problem,
    receiver::Input,
    statement::Manifest,
};
use storage::transfer::{Step, Transfer};

use crate::{centre::Centre, peer::Peer, sign, steps, turned::Turned};

/// Why a transfer is refused.
pub struct Reason {
    /// The stable code.
    pub problem: Problem,
    /// The stable word of the claims check.
    pub fault: Option<&'static str>,
    /// The receipt that the same content had before.
    pub earlier_receipt: Option<String>,
}

impl From<Problem> for Reason {
    fn from(problem: Problem) -> Self {
        Reason { problem, fault: None, earlier_receipt: None }
    }
}

/// The step that this input takes into a refusal, with everything that goes with it. Without a signature there is no
/// refusal.
pub fn step(
    centre: &Centre,
    transfer: &Transfer,
    peer: Option<&Peer>,
    input: Input,
    reason: Reason,
) -> Result<Step, Turned> {
    let text = text(centre, transfer, &reason)?;
    let attempt = transfer.state.attempt;
    let entry = Entry {
        statement_sha256: Some(Sha256::of(text.as_bytes())),
        attempt: (attempt > 0).then_some(attempt),
        problem: Some(reason.problem),
        note: reason.fault.map(str::to_owned),
        ..centre.transfer_entry(Event::Refused, transfer, peer)
    };
    Ok(steps::with_refusal(steps::logged(input, entry), text))
}

/// The signed refusal of this transfer.
pub fn text(centre: &Centre, transfer: &Transfer, reason: &Reason) -> Result<String, Turned> {
    sign::refusal(
        centre,
        sign::Refused {
            manifest: &manifest(transfer)?,
            manifest_sha256: transfer.manifest_sha256,
            reason: reason.problem,
            fault: reason.fault,
            earlier_receipt: reason.earlier_receipt.clone(),
        },
    )
}

/// What a transfer promises. It was verified when it was offered; here only its content is wanted.
pub fn manifest(transfer: &Transfer) -> Result<Manifest, Turned> {
    let manifest = Unverified::<Manifest>::parse(&transfer.manifest)
        .map_err(|fault| Turned::because(Problem::StorageFailed, fault))?;
    Ok(manifest.claimed().clone())
}
