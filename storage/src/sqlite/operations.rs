//! What can be done to transfers, on the working set of a batch.
//!
//! An operation that ends in a fault has changed nothing.

use protocol::{digest::Sha256, entry::Entry, moment::Moment, receiver::Phase, transfer_id::TransferKey};

use super::{
    log::Appended,
    work::{Content, NewAcknowledgement, Row, Work},
};
use crate::{
    audit::SignedHead,
    ledger::LedgerFault,
    transfer::{Acknowledged, Acknowledging, Logged, Step, Stepped, Transfer},
};

/// An answer that is complete, and may be given, once the batch is durable under this head.
pub(super) type Done<T> = Box<dyn FnOnce(&SignedHead) -> T + Send>;

impl Work<'_> {
    pub(super) fn step(&mut self, key: &TransferKey, step: Step) -> Result<Done<Stepped>, LedgerFault> {
        let row = self.transfers.get(key).ok_or_else(|| LedgerFault::Unknown(key.clone()))?;
        let before = row.transfer.state;
        let (after, acts) = before.step(step.input).map_err(LedgerFault::Step)?;
        let moved = after.phase != before.phase;
        if (moved && matches!(after.phase, Phase::Refused(_))) != step.refusal.is_some() {
            return Err(LedgerFault::Misfit("a refusal comes with the step that refuses"));
        }
        if moved
            && after.phase == Phase::Committed
            && let Some(earlier) = self.held_by_another(&row.transfer)
        {
            return Err(LedgerFault::AlreadyHeld(Box::new(earlier.clone())));
        }
        // Asked here, where steps stand in their order: see `Guard`.
        if step.guard.is_some_and(|guard| !guard.allows()) {
            return Err(LedgerFault::Forbidden);
        }
        if after == before {
            let transfer = row.transfer.clone();
            return Ok(Box::new(move |_| Stepped { transfer, acts, logged: None }));
        }

        let mut transfer = Transfer { state: after, ..row.transfer.clone() };
        // It brought the content from its first byte on: only such an attempt is committed at once.
        if let Some(began) = step.began {
            self.log.append(of_transfer(Entry { offset: Some(0), ..began }, &transfer))?;
        }
        let logged = step.entry.map(|entry| self.log.append(of_transfer(entry, &transfer))).transpose()?;
        let entry = logged.as_ref().map(Appended::index);
        if moved || after.attempt != before.attempt {
            transfer.since = step.at;
        }
        let answered = step.receipt.is_some() || step.refusal.is_some();
        if step.receipt.is_some() {
            (transfer.receipt, transfer.receipt_entry) = (step.receipt, entry);
        }
        if step.refusal.is_some() {
            (transfer.refusal, transfer.refusal_entry) = (step.refusal, entry);
        }
        if after.phase.is_final() {
            self.usage.ended(&key.sender);
        }
        if after.phase == Phase::Committed {
            self.held.insert(Content::of(&transfer), key.clone());
        }
        if let Some(row) = self.transfers.get_mut(key) {
            row.mark();
            row.answered |= answered;
            row.transfer = transfer.clone();
        }
        Ok(Box::new(move |head| Stepped { transfer, acts, logged: logged.map(|logged| logged.under(head)) }))
    }

    pub(super) fn delivered(
        &mut self,
        key: &TransferKey,
        at: Moment,
        entry: Entry,
    ) -> Result<Done<Option<Logged>>, LedgerFault> {
        let row = self.transfers.get_mut(key).ok_or_else(|| LedgerFault::Unknown(key.clone()))?;
        if row.transfer.state.phase != Phase::Committed {
            return Err(LedgerFault::NotCommitted(key.clone()));
        }
        if row.transfer.delivered_at.is_some() {
            return Ok(Box::new(|_| None));
        }
        let logged = self.log.append(of_transfer(entry, &row.transfer))?;
        row.transfer.delivered_at = Some(at);
        row.mark();
        Ok(Box::new(|head| Some(logged.under(head))))
    }

    pub(super) fn acknowledge(
        &mut self,
        acknowledging: Acknowledging,
    ) -> Result<Done<Acknowledged>, LedgerFault> {
        let Acknowledging { receipts, text, at, entry } = acknowledging;
        let mut pending = Vec::new();
        for (key, sha256) in &receipts {
            match self.receipt(key) {
                Some((number, held, acknowledged)) if held == *sha256 => {
                    if !acknowledged && !pending.contains(&number) {
                        pending.push(number);
                    }
                }
                _ => {
                    let unknown = key.clone();
                    return Ok(Box::new(|_| Acknowledged::Unknown(unknown)));
                }
            }
        }
        if !pending.is_empty() {
            let entry = self.log.append(entry)?.index();
            for (key, _) in &receipts {
                self.mark_acknowledged(key, &text, at);
            }
            let number = self.numbers.acknowledgement;
            self.numbers.acknowledgement += 1;
            self.acknowledgements.push(NewAcknowledgement { number, text, entry, at, transfers: pending });
        }
        Ok(Box::new(|_| Acknowledged::Accepted))
    }

    /// The row, hash and acknowledgement of a receipt, as they stand now.
    fn receipt(&self, key: &TransferKey) -> Option<(i64, Sha256, bool)> {
        if let Some(Row { number, transfer, .. }) = self.transfers.get(key) {
            let receipt = transfer.receipt.as_ref()?;
            return Some((*number, Sha256::of(receipt.as_bytes()), transfer.acknowledged_at.is_some()));
        }
        self.receipts.get(key).map(|receipt| (receipt.number, receipt.sha256, receipt.acknowledged))
    }

    fn mark_acknowledged(&mut self, key: &TransferKey, text: &str, at: Moment) {
        if let Some(Row { transfer, .. }) = self.transfers.get_mut(key)
            && transfer.acknowledged_at.is_none()
        {
            (transfer.acknowledgement, transfer.acknowledged_at) = (Some(text.to_owned()), Some(at));
        }
        if let Some(receipt) = self.receipts.get_mut(key) {
            receipt.acknowledged = true;
        }
    }

    pub(super) fn record(&mut self, entry: Entry) -> Result<Done<Logged>, LedgerFault> {
        let logged = self.log.append(entry)?;
        Ok(Box::new(|head| logged.under(head)))
    }
}

/// The entry with what the ledger knows better than its caller.
pub(super) fn of_transfer(entry: Entry, transfer: &Transfer) -> Entry {
    Entry {
        sender: Some(transfer.key.sender.clone()),
        transfer_id: Some(transfer.key.id),
        manifest_sha256: Some(transfer.manifest_sha256),
        attempt: (transfer.state.attempt > 0).then_some(transfer.state.attempt),
        offset: Some(entry.offset.unwrap_or(transfer.state.offset)),
        ..entry
    }
}
