//! What a sender says at the end: that it holds receipts, or that a transfer is called off.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    digest::Sha256,
    entry::{Entry, Event},
    jws::Unverified,
    problem::Problem,
    receiver::{Input, Phase},
    statement::Acknowledgement,
};
use storage::transfer::{Acknowledged, Acknowledging};

use crate::{
    abort::turn_step,
    centre::Centre,
    offer::turn_statement,
    peer::{Permit, TransferPermit},
    refusal,
    turned::Turned,
};

/// Takes an acknowledgement, for one or many receipts: all of them count or none.
pub async fn acknowledge(centre: &Arc<Centre>, permit: &Permit, text: String) -> Result<(), Turned> {
    let peer = permit.peer();
    let in_force = centre.in_force();
    let unverified = Unverified::<Acknowledgement>::parse(&text).map_err(turn_statement)?;
    let claimed = unverified.claimed();
    if claimed.environment != centre.environment {
        return Err(Problem::WrongEnvironment.into());
    }
    let own = claimed.receipts.iter().all(|held| peer.identity().acts_for(&held.sender));
    if claimed.acting != *peer.identity() || !own {
        return Err(Problem::NotYours.into());
    }
    if claimed.receipts.iter().any(|held| centre.blocked.names(&held.sender)) {
        return Err(Problem::Blocked.into());
    }
    if !centre.receives_for(&claimed.receiver) {
        return Err(Problem::NotFound.into());
    }
    let (now, _) = centre.time();
    let signed = unverified.verify(&in_force.verifier, now).map_err(turn_statement)?;
    if signed.signer() != peer.identity() {
        return Err(Problem::NotYours.into());
    }
    let receipts = signed.statement().receipts.iter().map(|held| (held.key(), held.receipt_sha256)).collect();
    let entry = Entry {
        subject: Some(peer.subject()),
        statement_sha256: Some(Sha256::of(text.as_bytes())),
        ..centre.entry(Event::Acknowledged)
    };
    let acknowledging = Acknowledging { receipts, text: signed.text().to_owned(), at: now, entry };
    match centre.ledger.acknowledge(acknowledging).await.inspect_err(|fault| centre.note_fault(fault))? {
        Acknowledged::Accepted => Ok(()),
        Acknowledged::Unknown(_) => Err(Problem::NotFound.into()),
    }
}

/// Calls a transfer off, before its commit only. Calling it off again changes nothing.
pub async fn cancel(centre: &Arc<Centre>, permit: &TransferPermit) -> Result<(), Turned> {
    let key = permit.key();
    let transfer = centre.ledger.find(key).await?.ok_or(Problem::NotFound)?;
    if transfer.state.phase == Phase::Refused(Problem::Cancelled) {
        return Ok(());
    }
    let step =
        refusal::step(centre, &transfer, Some(permit.peer()), Input::Cancel, Problem::Cancelled.into())?;
    match centre.step(key, step).await {
        Ok(_) => {
            // One that is not on record yet, too.
            centre.attempts.stop(key, Cause::Cancelled);
            tracing::info!(transfer = %key, "cancelled by its sender");
            Ok(())
        }
        Err(fault) => Err(turn_step(fault)),
    }
}
