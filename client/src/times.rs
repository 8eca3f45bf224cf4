//! Do the times in what a centre signed make sense? Its own must be in order; those of two clocks may differ, within
//! bounds.
//!
//! Two machines never agree on the time. That they differ refuses nothing by itself: it is told, so that somebody sets a
//! clock. Beyond the bounds a time is no longer a clock's mistake that can be lived with: a statement dated back before its
//! manifest escapes the revocation of the key that signed it, and one from a far future cannot be judged at all.

use protocol::{
    limits::CREATED_AHEAD_MS_MAX,
    moment::Moment,
    problem::Problem,
    statement::{Acknowledgement, Manifest, Receipt, Refusal},
};

use crate::limits::{CLOCK_REMARK_MS, FUTURE_MS_MAX};

/// Why the times of a statement do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeFault {
    /// One clock's times are not in order.
    #[error("{earlier} is later than {later}")]
    OutOfOrder {
        /// What should have come first.
        earlier: &'static str,
        /// What should have come after it.
        later: &'static str,
    },
    /// Dated before what it speaks of was made, by more than clocks may differ.
    #[error("{time} is {seconds} s before {made}")]
    TooEarly {
        /// Which time.
        time: &'static str,
        /// What it should have come after.
        made: &'static str,
        /// How much too early.
        seconds: i64,
    },
    /// Dated in the future, by more than clocks may differ.
    #[error("{time} is {seconds} s in the future by this machine's clock")]
    Future {
        /// Which time.
        time: &'static str,
        /// How far.
        seconds: i64,
    },
}

/// Milliseconds that the sender's clock was ahead of the receiver's, at least; negative if it was behind.
pub type ClockOff = i64;

/// Checks the times of a receipt, at the time `now` of whoever judges it.
pub fn check_receipt(receipt: &Receipt, manifest: &Manifest, now: Moment) -> Result<(), TimeFault> {
    let Receipt { offered_at, received_at, stored_at, .. } = receipt;
    in_order(("offered_at", *offered_at), ("received_at", *received_at))?;
    in_order(("received_at", *received_at), ("stored_at", *stored_at))?;
    not_before("offered_at", *offered_at, ("the manifest", manifest.created_at), CREATED_AHEAD_MS_MAX)?;
    not_future("stored_at", *stored_at, now)
}

/// Checks the time of a refusal, at the time `now` of whoever judges it.
pub fn check_refusal(refusal: &Refusal, manifest: &Manifest, now: Moment) -> Result<(), TimeFault> {
    if refusal.reason == Problem::CreatedAtOutOfRange {
        // How far the clocks are apart is its very reason.
        return Ok(());
    }
    not_before(
        "refused_at",
        refusal.refused_at,
        ("the manifest", manifest.created_at),
        CREATED_AHEAD_MS_MAX,
    )?;
    not_future("refused_at", refusal.refused_at, now)
}

/// Checks the time of an acknowledgement, at the time `now` of whoever judges it. Its sender took the receipt as from
/// the future at most by what is allowed.
pub fn check_acknowledgement(
    acknowledgement: &Acknowledgement,
    receipt: &Receipt,
    now: Moment,
) -> Result<(), TimeFault> {
    let at = acknowledgement.acknowledged_at;
    not_before("acknowledged_at", at, ("the receipt", receipt.stored_at), FUTURE_MS_MAX)?;
    not_future("acknowledged_at", at, now)
}

/// How far the sender's clock was off, as far as a statement of the receiver shows: one made at `first` about a manifest
/// made at `created_at`, whose last time `last` the sender saw at `seen`. Nothing below what is worth a remark.
pub fn clock_off(created_at: Moment, first: Moment, last: Moment, seen: Moment) -> Option<ClockOff> {
    let (ahead, behind) = (created_at.ms_since(first), last.ms_since(seen));
    let off = if ahead >= behind { ahead } else { -behind };
    (off.abs() >= CLOCK_REMARK_MS && ahead.max(behind) > 0).then_some(off)
}

fn in_order(
    (earlier, first): (&'static str, Moment),
    (later, then): (&'static str, Moment),
) -> Result<(), TimeFault> {
    if first <= then { Ok(()) } else { Err(TimeFault::OutOfOrder { earlier, later }) }
}

fn not_before(
    time: &'static str,
    at: Moment,
    (made, made_at): (&'static str, Moment),
    apart_max: i64,
) -> Result<(), TimeFault> {
    let early = made_at.ms_since(at);
    if early <= apart_max { Ok(()) } else { Err(TimeFault::TooEarly { time, made, seconds: early / 1000 }) }
}

fn not_future(time: &'static str, at: Moment, now: Moment) -> Result<(), TimeFault> {
    let ahead = at.ms_since(now);
    if ahead <= FUTURE_MS_MAX { Ok(()) } else { Err(TimeFault::Future { time, seconds: ahead / 1000 }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{manifest, receipt_for, refusal_for};

    fn after(moment: Moment, ms: i64) -> Moment {
        Moment::from_unix_ms(moment.unix_ms() + ms)
    }

    #[test]
    fn a_receivers_own_times_must_be_in_order() {
        let (text, manifest) = manifest(b"content");
        let good = receipt_for(&text, &manifest);
        let now = good.stored_at;
        check_receipt(&good, &manifest, now).unwrap();
        let late_offer = Receipt { offered_at: after(good.received_at, 1), ..good.clone() };
        let early_store = Receipt { stored_at: after(good.received_at, -1), ..good };
        for (receipt, first) in [(late_offer, "offered_at"), (early_store, "received_at")] {
            let fault = check_receipt(&receipt, &manifest, now).unwrap_err();
            assert!(
                matches!(fault, TimeFault::OutOfOrder { earlier, .. } if earlier == first),
                "{first}: {fault}"
            );
        }
    }

    #[test]
    fn a_receipt_may_be_dated_before_its_manifest_by_the_allowed_difference_and_no_more() {
        let (text, manifest) = manifest(b"content");
        let good = receipt_for(&text, &manifest);
        let dated = |ms| {
            let offered_at = after(manifest.created_at, ms);
            check_receipt(&Receipt { offered_at, ..good.clone() }, &manifest, good.stored_at)
        };
        dated(-CREATED_AHEAD_MS_MAX).unwrap();
        let fault = dated(-CREATED_AHEAD_MS_MAX - 1).unwrap_err();
        assert!(matches!(fault, TimeFault::TooEarly { time: "offered_at", .. }), "{fault}");
    }

    #[test]
    fn a_receipt_may_lie_in_our_future_by_the_allowed_difference_and_no_more() {
        let (text, manifest) = manifest(b"content");
        let receipt = receipt_for(&text, &manifest);
        check_receipt(&receipt, &manifest, after(receipt.stored_at, -FUTURE_MS_MAX)).unwrap();
        let fault =
            check_receipt(&receipt, &manifest, after(receipt.stored_at, -FUTURE_MS_MAX - 1)).unwrap_err();
        assert!(matches!(fault, TimeFault::Future { time: "stored_at", .. }), "{fault}");
    }

    #[test]
    fn a_refusal_is_held_to_the_same_bounds_unless_it_is_about_the_clocks() {
        let (text, manifest) = manifest(b"content");
        let dated = |reason, ms| {
            let refused_at = after(manifest.created_at, ms);
            let refusal = Refusal { refused_at, ..refusal_for(&text, &manifest, reason) };
            check_refusal(&refusal, &manifest, manifest.created_at)
        };
        for ms in [-CREATED_AHEAD_MS_MAX, FUTURE_MS_MAX] {
            dated(Problem::TooLarge, ms).unwrap();
        }
        for ms in [-CREATED_AHEAD_MS_MAX - 1, FUTURE_MS_MAX + 1] {
            dated(Problem::TooLarge, ms).unwrap_err();
            dated(Problem::CreatedAtOutOfRange, ms).unwrap();
        }
    }

    #[test]
    fn what_is_off_is_told_with_its_direction_and_small_differences_are_not() {
        let at = |ms| Moment::from_unix_ms(1_000_000 + ms);
        // Offered 8 s before it was made: the sender is ahead. Stored 9 s after it was seen: the sender is behind.
        assert_eq!(clock_off(at(8_000), at(0), at(500), at(9_000)), Some(8_000));
        assert_eq!(clock_off(at(0), at(9_000), at(9_500), at(500)), Some(-9_000));
        assert_eq!(clock_off(at(0), at(100), at(200), at(300)), None);
        assert_eq!(clock_off(at(CLOCK_REMARK_MS - 1), at(0), at(0), at(CLOCK_REMARK_MS)), None);
        // Days between offer and receipt say nothing of the clocks.
        assert_eq!(clock_off(at(0), at(90_000_000), at(91_000_000), at(91_000_000)), None);
    }
}
