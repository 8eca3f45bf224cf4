//! Taking an offer in: what may speak against it, in which order, and what is stored.

use protocol::{
    party::Identity,
    receiver::{Input, Receiver},
};

use super::{
    operations::{Done, of_transfer},
    usage,
    work::{Change, Row, Work},
};
use crate::{
    ledger::LedgerFault,
    transfer::{LogAdvance, LogSeen, NewTransfer, Offered, Transfer},
};

/// What a shown log is against the stored one.
enum View {
    /// The first of its origin, or newer than the stored one and proved to continue it.
    Advances,
    /// The stored one, or older: nothing to store.
    Known,
    Forked,
    Moved,
}

impl Work<'_> {
    pub(super) fn offer(&mut self, new: NewTransfer) -> Result<Done<Offered>, LedgerFault> {
        let answer = |offered: Offered| -> Result<Done<Offered>, LedgerFault> { Ok(Box::new(|_| offered)) };
        if let Some(known) = self.transfers.get(&new.key) {
            let same = known.transfer.manifest_sha256 == new.manifest_sha256;
            let known = Box::new(known.transfer.clone());
            return answer(if same { Offered::Same(known) } else { Offered::Conflict });
        }
        let shown = new.log_seen.as_ref();
        let advances = match shown.map(|shown| view(self.logs.get(&shown.seen.log.origin), shown)) {
            None | Some(View::Known) => false,
            Some(View::Advances) => true,
            Some(View::Forked) => return answer(Offered::LogForked),
            Some(View::Moved) => return answer(Offered::LogMoved),
        };
        let mut transfer = transfer_of(&new)?;
        let day = usage::day_of(&new);
        if !self.usage.day_allows(&day, &new.allowance, new.refusal.is_none().then_some(new.length)) {
            return answer(Offered::OverQuota);
        }
        if new.refusal.is_none() {
            if let Some(earlier) = self.held_by_another(&transfer) {
                return answer(Offered::AlreadyHeld(Box::new(earlier.clone())));
            }
            if self.usage.unfinished(&new.key.sender) >= new.allowance.open_max {
                return answer(Offered::TooManyOpen);
            }
        }

        let mut entry = of_transfer(new.entry, &transfer);
        entry.kind = Some(transfer.submission.kind);
        entry.class = Some(transfer.class);
        entry.length = Some(transfer.length);
        entry.sha256 = Some(transfer.sha256);
        entry.offset = None;
        transfer.offer_entry = self.log.append(entry)?.index();
        transfer.refusal_entry = transfer.refusal.as_ref().map(|_| transfer.offer_entry);
        self.usage.offered(day, new.length, !transfer.state.phase.is_final());
        if advances && let Some(LogAdvance { seen, .. }) = new.log_seen {
            self.advanced.insert(seen.log.origin.clone());
            self.logs.insert(seen.log.origin.clone(), seen);
        }
        let row = Row {
            number: self.numbers.transfer,
            transfer: transfer.clone(),
            change: Change::New,
            answered: transfer.refusal.is_some(),
        };
        self.numbers.transfer += 1;
        self.transfers.insert(new.key, row);
        answer(Offered::New(Box::new(transfer)))
    }
}

/// What is shown, against what was shown before.
fn view(stored: Option<&LogSeen>, shown: &LogAdvance) -> View {
    let seen = &shown.seen;
    let Some(stored) = stored else {
        return if shown.verified_against.is_none() { View::Advances } else { View::Moved };
    };
    let forked = stored.log != seen.log
        || !same_party(&stored.identity, &seen.identity)
        || (stored.size == seen.size && stored.root != seen.root);
    if forked {
        View::Forked
    } else if seen.size <= stored.size {
        View::Known
    } else if shown.verified_against == Some((stored.size, stored.root)) {
        View::Advances
    } else {
        View::Moved
    }
}

/// A certificate that names one code more or less, as an agent's does with each client that comes or goes, is still
/// the same party's.
fn same_party(one: &Identity, other: &Identity) -> bool {
    one.environment() == other.environment()
        && one.role() == other.role()
        && one.codes().iter().any(|code| other.codes().contains(code))
}

fn transfer_of(new: &NewTransfer) -> Result<Transfer, LedgerFault> {
    let mut state = Receiver::offered(new.length);
    if let Some(refusal) = &new.refusal {
        let refuse = Input::Refuse { attempt: 0, reason: refusal.reason };
        (state, _) = state.step(refuse).map_err(LedgerFault::Step)?;
    }
    Ok(Transfer {
        key: new.key.clone(),
        manifest: new.manifest.clone(),
        manifest_sha256: new.manifest_sha256,
        offer_entry: 0,
        submission: new.submission.clone(),
        length: new.length,
        sha256: new.sha256,
        class: new.class,
        resubmission_of: new.resubmission_of,
        state,
        since: new.offered_at,
        offered_at: new.offered_at,
        deadline: new.deadline,
        receipt: None,
        receipt_entry: None,
        refusal: new.refusal.as_ref().map(|refusal| refusal.text.clone()),
        refusal_entry: None,
        acknowledgement: None,
        acknowledged_at: None,
        delivered_at: None,
    })
}
