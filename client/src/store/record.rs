//! What is kept of one transfer beside its manifest: `state.json`.

use protocol::{
    cause::Cause,
    moment::Moment,
    problem::Problem,
    sender::{Phase, Sender},
};
use serde::{Deserialize, Serialize};

use crate::{source::Fingerprint, times::ClockOff};

/// The version of `state.json` written here.
const VERSION: u32 = 1;

/// The changing part of a transfer. Replaced as a whole, before anything that follows from it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    version: u32,
    phase: PhaseRecord,
    /// When this phase was entered.
    pub since: Moment,
    /// Bytes that the receiver last said it durably holds.
    pub offset: u64,
    /// The receiver has answered an offer of this manifest.
    pub offered: bool,
    /// Where the file stood, for people.
    pub source: String,
    /// What the file was when it was hashed.
    pub fingerprint: Fingerprint,
    /// Every attempt that brought content, the newest last.
    pub attempts: Vec<Attempt>,
    /// The send log's entry of the manifest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offered_entry: Option<u64>,
    /// The send log's entry of the receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub received_entry: Option<u64>,
    /// When we first called it off; the receiver may not have agreed yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cancel_asked_at: Option<Moment>,
    /// How far our clock was off, as far as the receiver's statement shows; see [`crate::times::clock_off`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_off_ms: Option<ClockOff>,
    /// When the receiver took our acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged_at: Option<Moment>,
}

/// One connection's try at a transfer's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// When it began.
    pub began: Moment,
    /// First byte it was to bring.
    pub offset: u64,
    /// Bytes of the file that had been handed to the line when it ended.
    pub reached: u64,
    /// When it ended; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Moment>,
    /// Why it ended early; absent for the one that brought the receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cause>,
    /// Milliseconds from the last byte that moved to the moment the cut was noticed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detected_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PhaseRecord {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    problem: Option<Problem>,
}

impl PhaseRecord {
    fn of(phase: Phase) -> Self {
        let (cause, problem) = match phase {
            Phase::Aborted(cause) => (Some(cause), None),
            Phase::Refused(problem) => (None, Some(problem)),
            _ => (None, None),
        };
        PhaseRecord { name: phase.name().to_owned(), cause, problem }
    }

    fn phase(&self) -> Option<Phase> {
        let phase = match (self.cause, self.problem) {
            (Some(cause), None) => Phase::Aborted(cause),
            (None, Some(problem)) => Phase::Refused(problem),
            _ => [Phase::Held, Phase::Sending, Phase::AwaitingReceipt, Phase::Received, Phase::Cancelled]
                .into_iter()
                .find(|phase| phase.name() == self.name)?,
        };
        (phase.name() == self.name).then_some(phase)
    }
}

impl Record {
    /// A transfer whose manifest was just signed.
    pub fn held(source: String, fingerprint: Fingerprint, now: Moment) -> Self {
        Record {
            version: VERSION,
            phase: PhaseRecord::of(Phase::Held),
            since: now,
            offset: 0,
            offered: false,
            source,
            fingerprint,
            attempts: Vec::new(),
            offered_entry: None,
            received_entry: None,
            cancel_asked_at: None,
            clock_off_ms: None,
            acknowledged_at: None,
        }
    }

    /// Reads `state.json`, strictly.
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        let record: Record = serde_json::from_slice(bytes).ok()?;
        (record.version == VERSION && record.phase.phase().is_some()).then_some(record)
    }

    /// Where the transfer stands.
    pub fn phase(&self) -> Phase {
        // `from_json` took no other.
        self.phase.phase().unwrap_or(Phase::Held)
    }

    /// The state machine's view, for a file of this length.
    pub fn sender(&self, length: u64) -> Sender {
        let attempts = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        Sender { phase: self.phase(), length, attempts, offset: self.offset }
    }

    /// Takes the state machine's new state in.
    pub fn enter(&mut self, state: Sender, now: Moment) {
        let phase = PhaseRecord::of(state.phase);
        if phase != self.phase {
            self.since = now;
        }
        self.phase = phase;
        self.offset = state.offset;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_reads_back_as_itself() {
        let fingerprint = Fingerprint { size: 1, modified: 2, inode: 3, device: 4 };
        let now = Moment::from_unix_ms(1);
        let mut phases: Vec<Phase> = Cause::ALL.into_iter().map(Phase::Aborted).collect();
        phases.extend(Problem::ALL.iter().copied().map(Phase::Refused));
        phases.extend([
            Phase::Held,
            Phase::Sending,
            Phase::AwaitingReceipt,
            Phase::Received,
            Phase::Cancelled,
        ]);
        for phase in phases {
            let mut record = Record::held("file".to_owned(), fingerprint.clone(), now);
            record.enter(Sender { phase, ..record.sender(1) }, now);
            let read = Record::from_json(&serde_json::to_vec(&record).unwrap()).unwrap();
            assert_eq!(read.phase(), phase);
        }
    }

    #[test]
    fn a_phase_that_contradicts_itself_is_not_read() {
        let fingerprint = Fingerprint { size: 1, modified: 2, inode: 3, device: 4 };
        let record = Record::held("file".to_owned(), fingerprint, Moment::from_unix_ms(1));
        let text = serde_json::to_string(&record).unwrap();
        assert!(Record::from_json(text.as_bytes()).is_some());
        for phase in [r#"{"name":"aborted"}"#, r#"{"name":"held","cause":"stalled"}"#, r#"{"name":"lost"}"#] {
            let text = text.replace(r#"{"name":"held"}"#, phase);
            assert!(Record::from_json(text.as_bytes()).is_none(), "{phase} was read");
        }
    }
}
