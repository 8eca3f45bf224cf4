//! A transfer is offered: is the manifest well formed, bound to who offers it, and acceptable?
//!
//! What is wrong with the binding is told at once and leaves nothing behind, or one party could spoil another's ids.
//! What is wrong with the offer itself is refused for good, signed and on record, before a single byte of content.

use std::sync::Arc;

use config::gateway::Limits;
use protocol::{
    day::day_of,
    digest::Sha256,
    entry::{Entry, Event},
    jws::{JwsFault, Unverified},
    limits::{CREATED_AHEAD_MS_MAX, CREATED_BEHIND_MS_MAX},
    moment::Moment,
    permission::Action,
    problem::Problem,
    statement::Manifest,
    transfer_id::TransferKey,
    wire,
};
use storage::{
    ledger::LedgerFault,
    transfer::{Allowance, NewTransfer, Offered, RefusalText, Submission, Transfer},
};

use crate::{
    centre::Centre,
    counterpart,
    limits::{FINISH_WITHIN_MS, LOG_MOVES_MAX},
    peer::{Peer, Permit},
    sign,
    turned::Turned,
};

/// What an accepted offer answers with.
pub enum Recorded {
    /// Stored now.
    New(Box<Transfer>),
    /// Known already, whatever became of it.
    Known(TransferKey),
}

/// Handles an offer. The permit was given for the action on claims; the manifest must then be bound to the peer.
pub async fn offer(centre: &Arc<Centre>, permit: &Permit, offer: wire::Offer) -> Result<Recorded, Turned> {
    let peer = permit.peer();
    let in_force = centre.in_force();
    let unverified = Unverified::<Manifest>::parse(&offer.manifest).map_err(turn_statement)?;
    bind(centre, peer, unverified.claimed())?;
    let manifest_sha256 = Sha256::of(offer.manifest.as_bytes());
    if let Some(known) = centre.ledger.find(&unverified.claimed().key()).await? {
        return same_or_conflict(known, manifest_sha256);
    }
    if centre.stopping.is_cancelled() {
        return Err(Problem::Draining.into());
    }
    if centre.spool.is_poisoned() {
        return Err(Problem::StorageFailed.into());
    }
    let (now, _) = centre.time();
    if is_one_too_many(centre, unverified.claimed(), now).await? {
        return Err(Problem::TooMany.into());
    }
    let signed = unverified.verify(&in_force.verifier, now).map_err(turn_statement)?;
    if signed.signer() != peer.identity() {
        return Err(Turned::because(
            Problem::NotYours,
            "the signer is another identity than the TLS certificate",
        ));
    }
    let new = Offering { manifest: signed.statement(), text: signed.text(), manifest_sha256, now };
    let mut refusal = judge(centre, new.manifest, now).map(|reason| (reason, None));
    // What is refused for good is told so, room or not.
    if refusal.is_none() && !centre.room.has(new.manifest.length, &in_force.config.limits) {
        return Err(Problem::StorageFull.into());
    }
    for _ in 0..LOG_MOVES_MAX {
        let log_seen = match counterpart::verify(centre, new.manifest, offer.consistency.as_ref()).await {
            Err(turned) if turned.problem == Problem::LogForked => {
                return Err(counterpart::forked(centre, peer, new.manifest).await);
            }
            verified => verified?,
        };
        let row = new.row(centre, peer, refusal.as_ref(), log_seen)?;
        match centre.ledger.offer(row).await.inspect_err(|fault| centre.note_fault(fault))? {
            Offered::New(transfer) => return accepted_or_refused(transfer),
            Offered::Same(transfer) => return Ok(Recorded::Known(transfer.key)),
            Offered::Conflict => return Err(Problem::ManifestConflict.into()),
            Offered::TooManyOpen => return Err(Problem::TooMany.into()),
            Offered::OverQuota => return Err(Turned::over_quota(day_of(now).ends.ms_since(now))),
            Offered::LogForked => return Err(counterpart::forked(centre, peer, new.manifest).await),
            Offered::AlreadyHeld(earlier) => refusal = Some((Problem::AlreadyHeld, earlier.receipt)),
            Offered::LogMoved => {}
        }
    }
    Err(Problem::TooMany.into())
}

/// The manifest must belong to this environment, and sender and acting identity to the certificate.
fn bind(centre: &Centre, peer: &Peer, manifest: &Manifest) -> Result<(), Turned> {
    if manifest.environment != centre.environment {
        return Err(Problem::WrongEnvironment.into());
    }
    if manifest.acting != *peer.identity() || !peer.identity().acts_for(&manifest.sender) {
        return Err(Problem::NotYours.into());
    }
    // Its own connections are kept out; an agent that acts for it has no work for it either.
    if centre.blocked.names(&manifest.sender) {
        return Err(Problem::Blocked.into());
    }
    let in_force = centre.in_force();
    peer.permit(&in_force, manifest.system, Action::Offer)?;
    // Of several parties here, it is the one named that the right is for.
    let ours = centre.receives_for(&manifest.receiver);
    let role = peer.identity().role();
    if ours && !in_force.permits_at(role, &manifest.receiver, manifest.system, Action::Offer) {
        return Err(Problem::NotPermitted.into());
    }
    Ok(())
}

fn same_or_conflict(known: Transfer, manifest_sha256: Sha256) -> Result<Recorded, Turned> {
    if known.manifest_sha256 == manifest_sha256 {
        Ok(Recorded::Known(known.key))
    } else {
        Err(Problem::ManifestConflict.into())
    }
}

fn accepted_or_refused(transfer: Box<Transfer>) -> Result<Recorded, Turned> {
    match transfer.state.phase {
        protocol::receiver::Phase::Refused(reason) => Err(Turned::refused(&transfer, reason)),
        _ => Ok(Recorded::New(transfer)),
    }
}

/// Is it known that the sender has all it may have open? It is told so before its signature costs anything. What is refused for
/// good, and what was received before, goes on and is told that instead; a log that contradicts itself and the use of the day
/// are looked at when there is room for the offer.
async fn is_one_too_many(centre: &Centre, manifest: &Manifest, now: Moment) -> Result<bool, LedgerFault> {
    let open_max = centre.in_force().config.limits.open_transfers_per_sender_max;
    if !centre.ledger.is_known_to_be_full(&manifest.sender, open_max)
        || judge(centre, manifest, now).is_some()
    {
        return Ok(false);
    }
    Ok(centre.ledger.held(&submission(manifest), &manifest.sha256).await?.is_none())
}

/// What it is that is sent, whatever its content.
fn submission(manifest: &Manifest) -> Submission {
    Submission {
        sender: manifest.sender.clone(),
        receiver: manifest.receiver.clone(),
        kind: manifest.kind,
        claim_month: manifest.claim_month,
    }
}

/// Is there a reason to refuse the offer for good?
fn judge(centre: &Centre, manifest: &Manifest, now: Moment) -> Option<Problem> {
    let age = now.ms_since(manifest.created_at);
    let accepted = centre.in_force().config.kinds.class_of(manifest.kind);
    if !centre.receives_for(&manifest.receiver) {
        Some(Problem::WrongReceiver)
    } else if !(-CREATED_AHEAD_MS_MAX..=CREATED_BEHIND_MS_MAX).contains(&age) {
        Some(Problem::CreatedAtOutOfRange)
    } else if manifest.length > centre.in_force().config.limits.file_bytes_max {
        Some(Problem::TooLarge)
    } else {
        match accepted {
            None => Some(Problem::KindNotAccepted),
            Some(class) if manifest.class < class => Some(Problem::ClassTooLow),
            Some(_) => None,
        }
    }
}

struct Offering<'a> {
    manifest: &'a Manifest,
    text: &'a str,
    manifest_sha256: Sha256,
    now: Moment,
}

impl Offering<'_> {
    fn row(
        &self,
        centre: &Centre,
        peer: &Peer,
        refusal: Option<&(Problem, Option<String>)>,
        log_seen: Option<storage::transfer::LogAdvance>,
    ) -> Result<NewTransfer, Turned> {
        let manifest = self.manifest;
        let refusal = match refusal {
            None => None,
            Some((reason, earlier)) => Some(RefusalText {
                reason: *reason,
                text: sign::refusal(
                    centre,
                    sign::Refused {
                        manifest,
                        manifest_sha256: self.manifest_sha256,
                        reason: *reason,
                        fault: None,
                        earlier_receipt: earlier.clone(),
                    },
                )?,
            }),
        };
        let event = if refusal.is_some() { Event::Refused } else { Event::Offered };
        // Whatever the sender asks for, the class never goes down.
        let class = centre
            .in_force()
            .config
            .kinds
            .class_of(manifest.kind)
            .map_or(manifest.class, |accepted| accepted.max(manifest.class));
        let entry = Entry {
            subject: Some(peer.subject()),
            sender: Some(manifest.sender.clone()),
            transfer_id: Some(manifest.transfer_id),
            kind: Some(manifest.kind),
            class: Some(class),
            length: Some(manifest.length),
            sha256: Some(manifest.sha256),
            manifest_sha256: Some(self.manifest_sha256),
            statement_sha256: refusal.as_ref().map(|refusal| Sha256::of(refusal.text.as_bytes())),
            problem: refusal.as_ref().map(|refusal| refusal.reason),
            ..centre.entry(event)
        };
        Ok(NewTransfer {
            key: manifest.key(),
            manifest: self.text.to_owned(),
            manifest_sha256: self.manifest_sha256,
            submission: submission(manifest),
            length: manifest.length,
            sha256: manifest.sha256,
            class,
            offered_at: self.now,
            deadline: Moment::from_unix_ms(self.now.unix_ms() + FINISH_WITHIN_MS),
            resubmission_of: manifest.resubmission_of,
            refusal,
            log_seen,
            allowance: allowance(&centre.in_force().config.limits, self.now),
            entry,
        })
    }
}

fn allowance(limits: &Limits, now: Moment) -> Allowance {
    Allowance {
        open_max: limits.open_transfers_per_sender_max,
        day_began: day_of(now).began,
        of_day_max: limits.transfers_per_sender_per_day_max,
        bytes_of_day_max: limits.bytes_per_sender_per_day_max,
    }
}

/// What a statement that does not count is answered with.
pub fn turn_statement(fault: JwsFault) -> Turned {
    let problem = match &fault {
        JwsFault::TooLarge => Problem::StatementTooLarge,
        JwsFault::Malformed | JwsFault::WrongType => Problem::BadStatement,
        JwsFault::Statement(fault) => fault.problem(),
        JwsFault::Signer(_) => Problem::BadSigner,
    };
    Turned::because(problem, crate::chain::chain(&fault))
}
