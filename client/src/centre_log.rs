//! Is the centre's log, in which a receipt stands, the same log that it showed before?

use protocol::{
    checkpoint::{Checkpoint, CheckpointFault, LogIdentity},
    digest::Sha256,
    entry::{Entry, Event},
    jws::Signed,
    merkle::{ProofFault, check_consistency, check_inclusion, leaf_hash},
    moment::Moment,
    statement::Receipt,
    wire::{Consistency, Inclusion},
};
use serde::{Deserialize, Serialize};

/// The newest checkpoint of a log that was verified here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenLog {
    /// Which log.
    pub log: LogIdentity,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// When it was seen.
    pub at: Moment,
}

impl SeenLog {
    /// Entries, as the checkpoint says.
    pub fn size(&self) -> Option<u64> {
        self.checkpoint.lines().nth(1)?.parse().ok()
    }
}

/// That the log of `from` entries is the beginning of that of `to`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Entries of the earlier log.
    pub from: u64,
    /// Entries of the later log.
    pub to: u64,
    /// RFC 6962 section 2.1.2; none if the centre says that it never had a log of so many entries.
    pub hashes: Option<Vec<Sha256>>,
}

impl Proof {
    /// The one that came beside a head of `to` entries.
    pub fn beside(consistency: &Consistency, to: u64) -> Self {
        Proof { from: consistency.from, to, hashes: Some(consistency.proof.clone()) }
    }
}

/// Why what the centre shows of its log does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CentreLogFault {
    /// The checkpoint is not one of the log that the receipt names.
    #[error("the checkpoint of the centre's log does not count")]
    Checkpoint(#[source] CheckpointFault),
    /// The entry is not about this receipt.
    #[error("the entry of the centre's log does not fit the receipt: {0} differs")]
    Entry(&'static str),
    /// The entry does not stand in the log.
    #[error("the entry does not stand in the centre's log")]
    Inclusion(#[source] ProofFault),
    /// No proof that one of two heads is the beginning of the other.
    #[error("the centre does not prove that its log of {from} entries is the beginning of that of {to}")]
    NoConsistency {
        /// Entries of the earlier log.
        from: u64,
        /// Entries of the later log.
        to: u64,
    },
    /// The log is another one under the same name.
    #[error("the centre's log contradicts what it showed before: {0}")]
    Forked(&'static str),
}

impl CentreLogFault {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            CentreLogFault::Checkpoint(_) => "checkpoint",
            CentreLogFault::Entry(_) => "log_entry",
            CentreLogFault::Inclusion(_) => "log_inclusion",
            CentreLogFault::NoConsistency { .. } => "log_consistency",
            CentreLogFault::Forked(_) => "log_forked",
        }
    }
}

/// Checks that the receipt's own entry stands in the log that it names, under this checkpoint.
pub fn check_entry(
    checkpoint: &str,
    inclusion: &Inclusion,
    receipt: &Signed<Receipt>,
) -> Result<Checkpoint, CentreLogFault> {
    let said = receipt.statement();
    let checkpoint = Checkpoint::verify(checkpoint, &said.log).map_err(CentreLogFault::Checkpoint)?;
    let entry: Entry =
        serde_json::from_str(&inclusion.entry).map_err(|_| CentreLogFault::Entry("its form"))?;
    let fits = [
        ("event", entry.event == Event::Committed),
        ("seq", entry.seq == inclusion.index),
        ("transfer_id", entry.transfer_id == Some(said.transfer_id)),
        ("sender", entry.sender.as_ref() == Some(&said.sender)),
        ("statement_sha256", entry.statement_sha256 == Some(Sha256::of(receipt.text().as_bytes()))),
    ];
    if let Some((field, _)) = fits.iter().find(|(_, fits)| !fits) {
        return Err(CentreLogFault::Entry(field));
    }
    let leaf = leaf_hash(inclusion.entry.as_bytes());
    check_inclusion(leaf, inclusion.index, checkpoint.size, &inclusion.proof, &checkpoint.root)
        .map_err(CentreLogFault::Inclusion)?;
    Ok(checkpoint)
}

/// Checks that a head continues the log as it was seen before the centre was asked for it. Returns what proves it; equal
/// heads need no proof.
pub fn check_continues(
    seen: &SeenLog,
    log: &LogIdentity,
    shown: &Checkpoint,
    proofs: &[Proof],
) -> Result<Option<Consistency>, CentreLogFault> {
    let before = head_of(seen, log)?;
    if shown.size < before.size {
        return Err(CentreLogFault::Forked("it has become shorter"));
    }
    prove(&before, shown, proofs)
}

/// Checks that a head and the log as it is known by now are of one history, whichever of the two is the longer: answers
/// to requests that ran side by side come in any order.
pub fn check_agrees(
    known: &SeenLog,
    log: &LogIdentity,
    shown: &Checkpoint,
    proofs: &[Proof],
) -> Result<(), CentreLogFault> {
    let known = head_of(known, log)?;
    let (earlier, later) = if shown.size < known.size { (shown, &known) } else { (&known, shown) };
    prove(earlier, later, proofs).map(|_| ())
}

fn head_of(seen: &SeenLog, log: &LogIdentity) -> Result<Checkpoint, CentreLogFault> {
    if seen.log != *log {
        return Err(CentreLogFault::Forked("it is signed by another key"));
    }
    Checkpoint::verify(&seen.checkpoint, &seen.log).map_err(CentreLogFault::Checkpoint)
}

fn prove(
    earlier: &Checkpoint,
    later: &Checkpoint,
    proofs: &[Proof],
) -> Result<Option<Consistency>, CentreLogFault> {
    let (from, to) = (earlier.size, later.size);
    if from == to {
        let same = earlier.root == later.root;
        return if same { Ok(None) } else { Err(CentreLogFault::Forked("its entries are others")) };
    }
    let fits = |proof: &&Proof| (proof.from, proof.to) == (from, to);
    let proof = proofs.iter().find(fits).ok_or(CentreLogFault::NoConsistency { from, to })?;
    let Some(hashes) = proof.hashes.clone() else {
        return Err(CentreLogFault::Forked("it disowns a head that it had signed"));
    };
    check_consistency(from, &earlier.root, to, &later.root, &hashes)
        .map_err(|ProofFault| CentreLogFault::Forked("its beginning is another one"))?;
    Ok(Some(Consistency { from, proof: hashes }))
}

#[cfg(test)]
mod tests {
    use protocol::wire::ReceiptAnswer;

    use super::*;
    use crate::testing::{CentreLog, seen};

    const NOW: &str = "2026-11-10T00:00:00.000Z";

    /// Everything that travels beside a receipt, judged as by a sender that had seen this much before it asked.
    fn check(
        answer: &ReceiptAnswer,
        receipt: &Signed<Receipt>,
        seen: Option<&SeenLog>,
    ) -> Result<(), CentreLogFault> {
        let head = check_entry(&answer.checkpoint, &answer.inclusion, receipt)?;
        let Some(seen) = seen else { return Ok(()) };
        let proofs: Vec<_> = answer.consistency.iter().map(|proof| Proof::beside(proof, head.size)).collect();
        check_continues(seen, &receipt.statement().log, &head, &proofs).map(|_| ())
    }

    #[test]
    fn a_receipt_counts_only_with_its_own_entry_in_the_log() {
        let (signed, answer) = CentreLog::new(1).receipt_answer(b"content", 0);
        check(&answer, &signed, None).unwrap();
        let entry: Entry = serde_json::from_str(&answer.inclusion.entry).unwrap();
        let altered = [
            Entry { event: Event::Offered, ..entry.clone() },
            Entry { transfer_id: None, ..entry.clone() },
            Entry { sender: None, ..entry.clone() },
            Entry { statement_sha256: Some(Sha256::of(b"another receipt")), ..entry.clone() },
            Entry { seq: entry.seq + 1, ..entry },
        ];
        for entry in altered {
            let text = serde_json::to_string(&entry).unwrap();
            let inclusion = Inclusion { entry: text, ..answer.inclusion.clone() };
            let fault = check(&ReceiptAnswer { inclusion, ..answer.clone() }, &signed, None).unwrap_err();
            assert_eq!(fault.code(), "log_entry", "{fault}");
        }
    }

    #[test]
    fn an_entry_that_does_not_stand_in_the_log_is_found() {
        let (signed, mut answer) = CentreLog::new(1).receipt_answer(b"content", 0);
        let entry: Entry = serde_json::from_str(&answer.inclusion.entry).unwrap();
        let other = Entry { salt: "f".repeat(32), ..entry };
        answer.inclusion.entry = serde_json::to_string(&other).unwrap();
        assert_eq!(check(&answer, &signed, None).unwrap_err(), CentreLogFault::Inclusion(ProofFault));
    }

    #[test]
    fn a_checkpoint_of_another_key_does_not_count() {
        let (signed, answer) = CentreLog::new(1).receipt_answer(b"content", 0);
        let (_, other) = CentreLog::new(2).receipt_answer(b"content", 0);
        let fault =
            check(&ReceiptAnswer { checkpoint: other.checkpoint, ..answer }, &signed, None).unwrap_err();
        assert_eq!(fault.code(), "checkpoint");
    }

    #[test]
    fn a_log_that_grew_must_prove_that_it_is_the_same_log() {
        let mut log = CentreLog::new(1);
        let earlier = seen(&log, NOW);
        let (signed, answer) = log.receipt_answer(b"content", earlier.1);
        check(&answer, &signed, Some(&earlier.0)).unwrap();
        let silent = ReceiptAnswer { consistency: None, ..answer };
        let fault = check(&silent, &signed, Some(&earlier.0)).unwrap_err();
        assert_eq!(fault, CentreLogFault::NoConsistency { from: 1, to: 2 });
    }

    #[test]
    fn a_rewritten_log_is_a_fork() {
        let earlier = seen(&CentreLog::with_first_entry(1, "one history"), NOW);
        let (signed, answer) =
            CentreLog::with_first_entry(1, "another").receipt_answer(b"content", earlier.1);
        let fault = check(&answer, &signed, Some(&earlier.0)).unwrap_err();
        assert_eq!(fault.code(), "log_forked", "{fault}");
    }

    #[test]
    fn a_log_that_goes_on_under_another_key_is_a_fork() {
        let earlier = seen(&CentreLog::new(1), NOW);
        // The same entries, proved to continue, but signed by somebody else.
        let (signed, answer) = CentreLog::new(2).receipt_answer(b"content", earlier.1);
        let fault = check(&answer, &signed, Some(&earlier.0)).unwrap_err();
        assert_eq!(fault, CentreLogFault::Forked("it is signed by another key"));
    }

    #[test]
    fn a_log_that_became_shorter_is_a_fork() {
        let mut longer = CentreLog::new(1);
        for _ in 0..4 {
            longer.receipt_answer(b"content", 0);
        }
        let earlier = seen(&longer, NOW);
        let (signed, answer) = CentreLog::new(1).receipt_answer(b"content", 0);
        let fault = check(&answer, &signed, Some(&earlier.0)).unwrap_err();
        assert_eq!(fault.code(), "log_forked", "{fault}");
    }

    #[test]
    fn an_older_head_must_be_proved_to_be_the_beginning_of_the_known_one() {
        let mut log = CentreLog::new(1);
        let older = Checkpoint::verify(&log.checkpoint(), &seen(&log, NOW).0.log).unwrap();
        log.receipt_answer(b"content", 0);
        let (known, size) = seen(&log, NOW);
        let judged = |hashes| {
            let proof = Proof { from: older.size, to: size, hashes };
            check_agrees(&known, &known.log, &older, &[proof])
        };
        judged(log.consistency(older.size, size)).unwrap();
        assert_eq!(judged(Some(Vec::new())).unwrap_err().code(), "log_forked");
        assert_eq!(judged(None).unwrap_err().code(), "log_forked");
        let unproved = check_agrees(&known, &known.log, &older, &[]).unwrap_err();
        assert_eq!(unproved, CentreLogFault::NoConsistency { from: 1, to: 2 });
        // The same size and another history.
        let other = CentreLog::with_first_entry(1, "another");
        let other = Checkpoint::verify(&other.checkpoint(), &known.log).unwrap();
        assert_eq!(
            check_agrees(&seen(&CentreLog::new(1), NOW).0, &known.log, &other, &[]).unwrap_err().code(),
            "log_forked"
        );
    }
}
