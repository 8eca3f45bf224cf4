//! Claims about offers.

use protocol::{
    kind::ClaimMonth,
    party::Identity,
    problem::Problem,
    receiver::{Input, Phase, Receiver},
};

use super::{LedgerBench, samples::*};
use crate::{
    audit::AuditLog,
    ledger::Ledger,
    transfer::{Allowance, LogAdvance, NewTransfer, Offered},
};

async fn log_size(log: &dyn AuditLog) -> u64 {
    log.head().await.unwrap().checkpoint.size
}

pub async fn a_new_offer_is_stored_and_found(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    assert_eq!(ledger.find(&offer(1).key).await.unwrap(), None);
    let transfer = offered(&ledger, offer(1)).await;
    assert_eq!(transfer.state, Receiver::offered(LENGTH));
    assert_eq!(transfer.manifest, offer(1).manifest);
    assert_eq!((transfer.offered_at, transfer.since, transfer.deadline), (moment(1), moment(1), moment(1001)));
    assert_eq!(found(&ledger, &transfer.key).await, transfer);

    // Lengths that no signed number holds are declared, too, if only to be refused.
    let huge = offered(&ledger, refused(NewTransfer { length: u64::MAX, ..offer(2) }, Problem::TooLarge)).await;
    assert_eq!(huge.length, u64::MAX);
    assert_eq!(found(&ledger, &huge.key).await, huge);
}

pub async fn the_same_manifest_again_changes_nothing(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let first = committed(&ledger, offer(1)).await;
    let before = log_size(&ledger).await;
    // Whatever else the second call says.
    for again in [offer(1), refused(offer(1), Problem::TooLarge), open_at_most(0, offer(1))] {
        assert_eq!(ledger.offer(again).await.unwrap(), Offered::Same(Box::new(first.clone())));
    }
    assert_eq!(log_size(&ledger).await, before);
}

pub async fn another_manifest_under_the_same_key_is_a_conflict(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let first = offered(&ledger, offer(1)).await;
    let other = NewTransfer { key: first.key.clone(), ..offer_of(&sender(1), 2, 2) };
    assert_eq!(ledger.offer(other).await.unwrap(), Offered::Conflict);
    assert_eq!(found(&ledger, &first.key).await, first);
}

pub async fn another_partys_id_is_neither_found_nor_in_conflict(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let one = offered(&ledger, offer_of(&sender(1), 7, 1)).await;
    let other = offer_of(&sender(2), 7, 2);
    assert_eq!(one.key.id, other.key.id);
    assert_eq!(ledger.find(&other.key).await.unwrap(), None);
    let other = offered(&ledger, other).await;
    assert_eq!(found(&ledger, &one.key).await, one);
    assert_eq!(found(&ledger, &other.key).await, other);
}

pub async fn an_offer_refused_for_good_is_final_and_serves_its_refusal(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    // It does not count as unfinished, either.
    let offer = open_at_most(0, refused(offer(1), Problem::ClassTooLow));
    let text = offer.refusal.as_ref().map(|refusal| refusal.text.clone());
    let transfer = offered(&ledger, offer).await;
    assert_eq!(transfer.state.phase, Phase::Refused(Problem::ClassTooLow));
    assert_eq!(transfer.refusal, text);
    assert_eq!(transfer.refusal_entry, Some(transfer.offer_entry));
    assert_eq!(found(&ledger, &transfer.key).await, transfer);
    step_fault(&ledger, &transfer.key, bare(Input::Attempt { offset: 0 })).await;
}

pub async fn a_sender_has_no_more_unfinished_transfers_than_it_may(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let nth = |n| open_at_most(3, offer_of(&sender(1), n, n));
    let first = offered(&ledger, nth(1)).await.key;
    offered(&ledger, nth(2)).await;
    ledger.step(&first, refusing(&first, Input::Cancel)).await.unwrap();
    // What is final does not count, nor does what belongs to others.
    offered(&ledger, offer(9)).await;
    offered(&ledger, nth(3)).await;
    offered(&ledger, nth(4)).await;
    assert_eq!(ledger.offer(nth(5)).await.unwrap(), Offered::TooManyOpen);
    assert_eq!(ledger.find(&nth(5).key).await.unwrap(), None);
}

pub async fn a_sender_is_known_to_be_full_only_while_it_is(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let (of, other) = (sender(1), sender(2));
    assert!(!ledger.is_known_to_be_full(&of, 0), "nothing was heard of it");
    let first = offered(&ledger, open_at_most(2, offer_of(&of, 1, 1))).await.key;
    assert!(!ledger.is_known_to_be_full(&of, 2));
    offered(&ledger, open_at_most(2, offer_of(&of, 2, 2))).await;
    assert!(ledger.is_known_to_be_full(&of, 2));
    // A refused offer is not open, and what others have open is theirs.
    offered(&ledger, refused(offer_of(&other, 3, 3), Problem::TooLarge)).await;
    assert!(!ledger.is_known_to_be_full(&other, 1));
    assert_eq!(ledger.offer(open_at_most(2, offer_of(&of, 4, 4))).await.unwrap(), Offered::TooManyOpen);
    assert!(ledger.is_known_to_be_full(&of, 2));
    ledger.step(&first, refusing(&first, Input::Cancel)).await.unwrap();
    assert!(!ledger.is_known_to_be_full(&of, 2), "one of them has ended");
    assert!(ledger.is_known_to_be_full(&of, 1));
}

pub async fn a_sender_offers_no_more_in_a_day_than_it_may(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    // Sender 1's n-th offer is made at moment(n), on a day that began at moment(0), of three offers.
    let of_day = |n, bytes_of_day_max, day_began| {
        let offer = offer_of(&sender(1), n, n);
        let allowance =
            Allowance { of_day_max: 3, bytes_of_day_max, day_began: moment(day_began), ..offer.allowance };
        NewTransfer { allowance, ..offer }
    };
    offered(&ledger, of_day(1, u64::MAX, 0)).await;
    // A no leaves its entry too; what others offer does not count.
    offered(&ledger, refused(of_day(2, u64::MAX, 0), Problem::TooLarge)).await;
    offered(&ledger, offer(9)).await;
    assert_eq!(ledger.offer(of_day(3, 3 * LENGTH - 1, 0)).await.unwrap(), Offered::OverQuota, "by bytes");
    offered(&ledger, of_day(3, 3 * LENGTH, 0)).await;
    assert_eq!(ledger.offer(of_day(4, u64::MAX, 0)).await.unwrap(), Offered::OverQuota, "by number");
    assert_eq!(ledger.find(&of_day(4, 0, 0).key).await.unwrap(), None);
    // What is known already is no new offer, and the next day is a new one.
    assert!(matches!(ledger.offer(of_day(3, 0, 0)).await.unwrap(), Offered::Same(_)));
    offered(&ledger, of_day(4, u64::MAX, 4)).await;
}

pub async fn content_that_is_held_is_not_accepted_again(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let again = || offer_of(&sender(1), 2, 1);
    let unfinished = offered(&ledger, offer_of(&sender(1), 3, 1)).await;
    assert_eq!(ledger.held(&unfinished.submission, &unfinished.sha256).await.unwrap(), None);
    let held = committed(&ledger, offer(1)).await;
    assert_eq!(ledger.held(&held.submission, &held.sha256).await.unwrap(), Some(held.clone()));
    assert_eq!(ledger.offer(again()).await.unwrap(), Offered::AlreadyHeld(Box::new(held)));
    assert_eq!(ledger.find(&again().key).await.unwrap(), None);

    // Another month, receiver or sender is another submission.
    let mut other_month = again();
    other_month.submission.claim_month = ClaimMonth::new(2026, 11);
    offered(&ledger, other_month).await;
    let mut other_receiver = offer_of(&sender(1), 4, 1);
    other_receiver.submission.receiver = "review-agency:213".parse().unwrap();
    offered(&ledger, other_receiver).await;
    offered(&ledger, offer_of(&sender(5), 5, 1)).await;
    // The refusal of such an offer is stored like any other.
    let refused = offered(&ledger, refused(offer_of(&sender(1), 6, 1), Problem::AlreadyHeld)).await;
    assert_eq!(refused.state.phase, Phase::Refused(Problem::AlreadyHeld));
}

pub async fn content_that_is_repeated_on_purpose_is_accepted(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let held = committed(&ledger, offer(1)).await;
    let other = committed(&ledger, offer_of(&sender(1), 2, 2)).await;
    let naming = |n, id| NewTransfer { resubmission_of: Some(id), ..offer_of(&sender(1), n, 1) };
    // Naming some other transfer does not help.
    assert_eq!(
        ledger.offer(naming(3, other.key.id)).await.unwrap(),
        Offered::AlreadyHeld(Box::new(held.clone()))
    );
    let repeated = committed(&ledger, naming(3, held.key.id)).await;
    assert_eq!(repeated.resubmission_of, Some(held.key.id));
    assert_eq!(ledger.held(&held.submission, &held.sha256).await.unwrap(), Some(repeated.clone()));
    committed(&ledger, naming(4, repeated.key.id)).await;
    // Any of those that hold it may be named, not only the last.
    committed(&ledger, naming(5, held.key.id)).await;
}

/// Offers the sender's `n`-th transfer with this view of its log.
async fn offer_showing(ledger: &dyn Ledger, n: u64, shown: LogAdvance) -> Offered {
    ledger.offer(NewTransfer { log_seen: Some(shown), ..offer_of(&sender(1), n, n) }).await.unwrap()
}

fn is_new(offered: &Offered) -> bool {
    matches!(offered, Offered::New(_))
}

pub async fn the_first_head_of_a_log_is_kept_and_a_later_one_takes_its_place(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    let origin = log_shown(1, 8, None).seen.log.origin;
    assert_eq!(ledger.counterpart_log(&origin).await.unwrap(), None);
    assert!(is_new(&offer_showing(&ledger, 1, log_shown(1, 8, None)).await));
    assert_eq!(ledger.counterpart_log(&origin).await.unwrap(), Some(log_shown(1, 8, None).seen));
    let later = log_shown(1, 12, Some((8, root(1, 8))));
    assert!(is_new(&offer_showing(&ledger, 2, later.clone()).await));
    assert_eq!(ledger.counterpart_log(&origin).await.unwrap(), Some(later.seen));
}

pub async fn an_older_head_changes_nothing(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    offer_showing(&ledger, 1, log_shown(1, 12, None)).await;
    // Offers of one sender may arrive in another order than its log grew.
    for (n, verified_against) in [(2, None), (3, Some((12, root(1, 12)))), (4, Some((8, root(1, 8))))] {
        assert!(is_new(&offer_showing(&ledger, n, log_shown(1, 10, verified_against)).await));
    }
    let kept = ledger.counterpart_log(&log_shown(1, 0, None).seen.log.origin).await.unwrap();
    assert_eq!(kept, Some(log_shown(1, 12, None).seen));
}

pub async fn a_log_with_two_roots_of_one_size_is_forked(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    offer_showing(&ledger, 1, log_shown(1, 8, None)).await;
    let mut other = log_shown(1, 8, Some((8, root(1, 8))));
    other.seen.root = root(1, 9);
    assert_eq!(offer_showing(&ledger, 2, other).await, Offered::LogForked);
    assert_eq!(ledger.find(&key(&sender(1), 2)).await.unwrap(), None);
    // The same head again is no fork, whatever it was verified against.
    assert!(is_new(&offer_showing(&ledger, 3, log_shown(1, 8, None)).await));
}

pub async fn a_log_of_another_party_or_key_is_forked(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    offer_showing(&ledger, 1, log_shown(1, 8, None)).await;
    let later = || log_shown(1, 9, Some((8, root(1, 8))));
    let mut others_key = later();
    others_key.seen.log.key = log_shown(2, 9, None).seen.log.key;
    assert_eq!(offer_showing(&ledger, 2, others_key).await, Offered::LogForked);
    for other in ["institution:1399999999", "billing-agent:1300000001"] {
        let mut others_log = later();
        others_log.seen.identity = Identity::from_uri(&format!("urn:sekisho:test:{other}")).unwrap();
        assert_eq!(offer_showing(&ledger, 2, others_log).await, Offered::LogForked, "{other}");
    }
}

pub async fn a_certificate_with_one_code_more_is_the_same_party(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    offer_showing(&ledger, 1, log_shown(1, 8, None)).await;
    let mut later = log_shown(1, 9, Some((8, root(1, 8))));
    let two_codes = "urn:sekisho:test:institution:1300000001+1330000001";
    later.seen.identity = Identity::from_uri(two_codes).unwrap();
    assert!(is_new(&offer_showing(&ledger, 2, later.clone()).await));
    assert_eq!(ledger.counterpart_log(&later.seen.log.origin).await.unwrap(), Some(later.seen));
}

pub async fn a_head_verified_against_a_stale_one_is_not_taken(bench: &impl LedgerBench) {
    let ledger = bench.open().await;
    assert_eq!(offer_showing(&ledger, 1, log_shown(1, 8, Some((4, root(1, 4))))).await, Offered::LogMoved);
    offer_showing(&ledger, 1, log_shown(1, 8, None)).await;
    for stale in [None, Some((4, root(1, 4))), Some((8, root(1, 4)))] {
        assert_eq!(offer_showing(&ledger, 2, log_shown(1, 12, stale)).await, Offered::LogMoved, "{stale:?}");
    }
    let kept = ledger.counterpart_log(&log_shown(1, 0, None).seen.log.origin).await.unwrap();
    assert_eq!(kept, Some(log_shown(1, 8, None).seen));
}
