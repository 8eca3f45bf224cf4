//! Transfers, entries and texts for the claims. Nothing here is a real statement: a ledger keeps texts and hashes, and
//! does not read them.

use protocol::{
    checkpoint::LogIdentity,
    digest::Sha256,
    entry::{Entry, Event},
    kind::{ClaimMonth, Class, Kind},
    limits::PIECE_BYTES,
    moment::{ClockState, Moment},
    party::{Identity, Party},
    receiver::Input,
    transfer_id::{TransferId, TransferKey},
};

use crate::{
    ledger::{Ledger, LedgerFault},
    transfer::{
        Allowance, LogAdvance, LogSeen, NewTransfer, Offered, RefusalText, Step, Stepped, Submission,
        Transfer,
    },
};

/// Bytes of a sample's content.
pub const LENGTH: u64 = 3 * PIECE_BYTES + 5;

/// The `n`-th second of the samples' time.
pub fn moment(n: u64) -> Moment {
    Moment::from_unix_ms(1_790_000_000_000 + 1000 * n.cast_signed())
}

/// One of many institutions.
pub fn sender(n: u64) -> Party {
    format!("institution:13{n:08}").parse().unwrap()
}

/// The `n`-th transfer of its sender.
pub fn key(sender: &Party, n: u64) -> TransferKey {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    TransferKey { sender: sender.clone(), id: TransferId::new(moment(n), random) }
}

/// The content of this number, by its hash alone.
pub fn content(n: u64) -> Sha256 {
    Sha256::of(format!("content {n}").as_bytes())
}

/// An entry of this event.
pub fn entry(event: Event) -> Entry {
    Entry::new(event, moment(0), ClockState::Unknown, [7; 16])
}

/// An entry that speaks of this text.
pub fn entry_about(event: Event, text: &str) -> Entry {
    Entry { statement_sha256: Some(Sha256::of(text.as_bytes())), ..entry(event) }
}

/// An offer of the content `n` by the sender `n`, for the month that all samples are for.
pub fn offer(n: u64) -> NewTransfer {
    offer_of(&sender(n), n, n)
}

/// An offer by this sender, its `n`-th, of the content of this number.
pub fn offer_of(sender: &Party, n: u64, content_number: u64) -> NewTransfer {
    let key = key(sender, n);
    let manifest = format!("manifest of {key}");
    NewTransfer {
        manifest_sha256: Sha256::of(manifest.as_bytes()),
        manifest,
        submission: Submission {
            sender: sender.clone(),
            receiver: "review-agency:113".parse().unwrap(),
            kind: Kind::Medical,
            claim_month: ClaimMonth::new(2026, 10),
        },
        length: LENGTH,
        sha256: content(content_number),
        class: Class::StrictlyConfidential,
        offered_at: moment(n),
        deadline: moment(n + 1000),
        resubmission_of: None,
        refusal: None,
        log_seen: None,
        allowance: Allowance {
            open_max: 100,
            day_began: moment(0),
            of_day_max: 1000,
            bytes_of_day_max: u64::MAX,
        },
        entry: entry(Event::Offered),
        key,
    }
}

/// The same offer, by a sender that may have no more unfinished transfers than this.
pub fn open_at_most(open_max: u32, offer: NewTransfer) -> NewTransfer {
    NewTransfer { allowance: Allowance { open_max, ..offer.allowance }, ..offer }
}

/// The same offer, refused for good.
pub fn refused(offer: NewTransfer, reason: protocol::problem::Problem) -> NewTransfer {
    let text = format!("refusal of {}", offer.key);
    NewTransfer {
        entry: entry_about(Event::Refused, &text),
        refusal: Some(RefusalText { reason, text }),
        ..offer
    }
}

/// What the sender `n` shows of its log.
pub fn log_shown(n: u64, size: u64, verified_against: Option<(u64, Sha256)>) -> LogAdvance {
    let origin = format!("sekisho/test/sender-{n}");
    let root = root(n, size);
    LogAdvance {
        seen: LogSeen {
            log: LogIdentity::new(&origin, &[n as u8; 32]).unwrap(),
            identity: Identity::from_uri(&format!("urn:sekisho:test:{}", sender(n))).unwrap(),
            size,
            root,
            checkpoint: format!("checkpoint {size} {root}"),
        },
        verified_against,
    }
}

/// The root of sender `n`'s log at this size.
pub fn root(n: u64, size: u64) -> Sha256 {
    Sha256::of(format!("root {n} {size}").as_bytes())
}

/// The receipt of a transfer.
pub fn receipt(key: &TransferKey) -> String {
    format!("receipt of {key}")
}

/// A step without any text or entry.
pub fn bare(input: Input) -> Step {
    Step { input, at: moment(1), receipt: None, refusal: None, began: None, entry: None, guard: None }
}

/// A step with an entry.
pub fn noted(input: Input, event: Event) -> Step {
    Step { entry: Some(entry(event)), ..bare(input) }
}

/// The commit with its receipt.
pub fn commit(key: &TransferKey, attempt: u32) -> Step {
    committing(key, Input::Commit { attempt })
}

/// An input that commits, with the receipt.
pub fn committing(key: &TransferKey, input: Input) -> Step {
    let receipt = receipt(key);
    Step { entry: Some(entry_about(Event::Committed, &receipt)), receipt: Some(receipt), ..bare(input) }
}

/// The same for one that begins with it.
pub fn committing_at_once(key: &TransferKey, input: Input) -> Step {
    Step { began: Some(entry(Event::AttemptBegan)), ..committing(key, input) }
}

/// A step that ends in a refusal.
pub fn refusing(key: &TransferKey, input: Input) -> Step {
    let refusal = format!("refusal of {key}");
    Step { entry: Some(entry_about(Event::Refused, &refusal)), refusal: Some(refusal), ..bare(input) }
}

/// Offers and demands that the transfer is new.
pub async fn offered(ledger: &dyn Ledger, offer: NewTransfer) -> Transfer {
    match ledger.offer(offer).await.unwrap() {
        Offered::New(transfer) => *transfer,
        other => panic!("the offer is not new: {other:?}"),
    }
}

/// Offers and brings content, up to where it is whole and being checked.
pub async fn checking(ledger: &dyn Ledger, offer: NewTransfer) -> TransferKey {
    let key = offered(ledger, offer).await.key;
    ledger.step(&key, noted(Input::Attempt { offset: 0 }, Event::AttemptBegan)).await.unwrap();
    ledger.step(&key, bare(Input::Whole { attempt: 1 })).await.unwrap();
    key
}

/// Offers, brings content and commits it.
pub async fn committed(ledger: &dyn Ledger, offer: NewTransfer) -> Transfer {
    let key = checking(ledger, offer).await;
    ledger.step(&key, commit(&key, 1)).await.unwrap().transfer
}

/// The transfer, which must be there.
pub async fn found(ledger: &dyn Ledger, key: &TransferKey) -> Transfer {
    ledger.find(key).await.unwrap().unwrap()
}

/// Steps, and demands this kind of fault.
pub async fn step_fault(ledger: &dyn Ledger, key: &TransferKey, step: Step) -> LedgerFault {
    let stepped: Result<Stepped, LedgerFault> = ledger.step(key, step).await;
    stepped.unwrap_err()
}
