//! Why a file did not arrive.

use std::path::PathBuf;

use pki::{fault::PeerFault, random::NoRandomness};
use protocol::{
    cause::Cause,
    jws::SignFault,
    party::{Identity, Party},
    problem::{Advice, Problem},
    transfer_id::TransferId,
};

use super::{
    Blame, blame_of_store,
    certificate::{next_after_distrust, next_after_refusal},
    next_of_store,
};
use crate::{
    again::Mark, centre_log::CentreLogFault, evidence::EvidenceFault, filing::FilingFault, line::LineFault,
    source::SourceFault, store::StoreFault, times::TimeFault,
};

/// Why a file did not arrive, or a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The file.
    #[error("the file cannot be sent")]
    Source(#[from] SourceFault),
    /// What it was to be sent as.
    #[error("the file does not fit what it is to be sent as")]
    Filing(#[from] FilingFault),
    /// The certificate does not name the sender.
    #[error("our certificate is of {identity} and may not send for {sender}")]
    NotOurs {
        /// Whom it names.
        identity: Box<Identity>,
        /// In whose name the file was to be sent.
        sender: Party,
    },
    /// The state directory.
    #[error("the state of the transfer cannot be kept")]
    Store(#[from] StoreFault),
    /// The evidence key.
    #[error("the manifest or acknowledgement cannot be signed")]
    Sign(#[from] SignFault),
    /// No random bytes.
    #[error("no transfer id can be made")]
    Random(#[from] NoRandomness),
    /// Another task sends this file now.
    #[error("transfer {id} is being sent by another task")]
    Running {
        /// Which one.
        id: TransferId,
    },
    /// The same content was taken up before, and its manifest lacks what it is to say now. Nothing was sent.
    #[error(
        "the same content {} as transfer {id}, which does not say that it {mark}",
        if *.arrived { "has arrived" } else { "is held" }
    )]
    FiledOtherwise {
        /// That transfer.
        id: TransferId,
        /// What it does not say.
        mark: Mark,
        /// It arrived; otherwise it is unfinished.
        arrived: bool,
    },
    /// Already ended otherwise.
    #[error("transfer {id} has ended: {phase}")]
    Ended {
        /// Which one.
        id: TransferId,
        /// How.
        phase: &'static str,
    },
    /// Sent to another centre than that of the settings.
    #[error("transfer {id} is for {receiver}, and the settings name another centre")]
    OtherCentre {
        /// Which one.
        id: TransferId,
        /// Whose it is.
        receiver: Party,
    },
    /// The centre refused our certificate.
    #[error("certificate refused: {reason}")]
    CertificateRefused {
        /// Stable name of the reason, as the centre's alert gives it.
        reason: &'static str,
    },
    /// We refused the centre's certificate.
    #[error("the centre's certificate does not count: {fault}")]
    CentreNotTrusted {
        /// Why.
        fault: PeerFault,
    },
    /// Every try of this run failed.
    #[error("not delivered after {tries} tries; the last one: {last}")]
    NotDelivered {
        /// The transfer, which stays resumable.
        id: TransferId,
        /// Tries of this run.
        tries: u32,
        /// What the last one met.
        last: LastTry,
    },
    /// The centre answered no, without a signed refusal.
    #[error("the centre answered: {problem}")]
    TurnedDown {
        /// Which transfer.
        id: TransferId,
        /// Why.
        problem: Problem,
    },
    /// The centre refused for good; the verified refusal is kept.
    #[error("refused for good: {problem}")]
    Refused {
        /// Which transfer.
        id: TransferId,
        /// Why.
        problem: Problem,
        /// The claims check's word for the place of the fault.
        fault: Option<String>,
        /// For [`Problem::AlreadyHeld`]: the transfer that brought the same content before.
        earlier: Option<TransferId>,
        /// The refusal.
        refusal: PathBuf,
    },
    /// The transfer was called off before.
    #[error("transfer {id} was called off")]
    Cancelled {
        /// Which one.
        id: TransferId,
    },
    /// A receipt or refusal does not count.
    #[error("what the centre signed does not count")]
    Evidence(#[from] EvidenceFault),
    /// The centre's log does not bear the receipt out.
    #[error("the centre's log does not bear out its receipt")]
    CentreLog(#[from] CentreLogFault),
    /// The centre's log contradicted itself, now or before. No transfer until people have looked into it.
    #[error("the centre's log contradicts what it showed before: {reason}")]
    LogForked {
        /// What contradicts.
        reason: String,
    },
    /// Our own log was longer when the centre last saw it: it was restored from an older copy. No transfer until people have
    /// looked into it.
    #[error("the centre has seen {seen} entries of this machine's send log, and only {here} are here")]
    LogBehind {
        /// Entries that the centre knows of.
        seen: u64,
        /// Entries that are here.
        here: u64,
    },
    /// It was called off here; the transfer stays resumable.
    #[error("stopped before the file arrived")]
    Stopped,
}

/// What a failed try met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastTry {
    /// No connection, or none that counts.
    Unreachable(String),
    /// The line that connections must leave on cannot be used; no other was tried.
    OwnLine(LineFault),
    /// The machine at the centre's address answered that nobody listens there.
    NobodyListens(String),
    /// A connection that was cut.
    Cut(Cause),
    /// The centre said not now.
    Turned(Problem),
    /// The centre's answer is not understood.
    BadAnswer(&'static str),
    /// Everything is at the centre, which has not answered with a receipt yet.
    NoReceiptYet,
}

impl LastTry {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            LastTry::Unreachable(_) => "unreachable",
            LastTry::OwnLine(_) => "line_unusable",
            LastTry::NobodyListens(_) => "nobody_listens",
            LastTry::Cut(cause) => cause.name(),
            LastTry::Turned(problem) => problem.code(),
            LastTry::BadAnswer(_) => "bad_answer",
            LastTry::NoReceiptYet => "no_receipt_yet",
        }
    }
}

impl std::fmt::Display for LastTry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LastTry::Unreachable(reason) => f.write_str(reason),
            LastTry::OwnLine(fault) => write!(f, "{fault}"),
            LastTry::NobodyListens(address) => write!(f, "nobody listens at {address}"),
            LastTry::Cut(cause) => write!(f, "the connection was lost ({cause})"),
            LastTry::Turned(problem) => write!(f, "{} ({problem})", problem.title()),
            LastTry::BadAnswer(reason) => write!(f, "the centre's answer is not understood: {reason}"),
            LastTry::NoReceiptYet => f.write_str("the centre is still checking"),
        }
    }
}

impl SendError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            SendError::Source(fault) => match fault {
                SourceFault::Unreadable { .. } => "source_unreadable",
                SourceFault::NotAFile { .. } => "not_a_file",
                SourceFault::Name { .. } => "bad_file_name",
                SourceFault::Changed { .. } => "source_changed",
                SourceFault::Incomplete { .. } => "claims_incomplete",
                SourceFault::Stopped => "stopped",
            },
            SendError::Filing(fault) => fault.code(),
            SendError::NotOurs { .. } => "not_yours",
            SendError::Store(_) => "state",
            SendError::Sign(_) => "sign",
            SendError::Random(_) => "randomness",
            SendError::Running { .. } => "running",
            SendError::FiledOtherwise { .. } => "filed_otherwise",
            SendError::Ended { .. } => "ended",
            SendError::OtherCentre { .. } => "other_centre",
            SendError::CertificateRefused { .. } => "certificate_refused",
            SendError::CentreNotTrusted { .. } => "centre_not_trusted",
            SendError::NotDelivered { last, .. } => last.code(),
            SendError::TurnedDown { problem, .. } | SendError::Refused { problem, .. } => problem.code(),
            SendError::Cancelled { .. } => "cancelled",
            SendError::Evidence(EvidenceFault::Times { source: TimeFault::Future { .. }, .. }) => "clock",
            SendError::Evidence(_) => "evidence",
            SendError::CentreLog(fault) => fault.code(),
            SendError::LogForked { .. } => "log_forked",
            SendError::LogBehind { .. } => "log_behind",
            SendError::Stopped => "stopped",
        }
    }

    /// What a program does next.
    pub const fn advice(&self) -> Advice {
        match self {
            SendError::NotDelivered { last: LastTry::NoReceiptYet, .. } | SendError::Running { .. } => {
                Advice::Ask
            }
            SendError::NotDelivered { .. } | SendError::Stopped | SendError::Source(SourceFault::Stopped) => {
                Advice::Retry
            }
            // The same statement counts once the clock is right.
            SendError::Evidence(EvidenceFault::Times { source: TimeFault::Future { .. }, .. }) => {
                Advice::Retry
            }
            SendError::TurnedDown { problem, .. } => problem.advice(),
            _ => Advice::GiveUp,
        }
    }

    /// Whom it belongs to.
    pub const fn blame(&self) -> Blame {
        match self {
            SendError::Source(SourceFault::Stopped) | SendError::Stopped => Blame::Line,
            // A person is editing it, or a program still writes: the next run will find it at rest.
            SendError::Source(SourceFault::Changed { .. }) => Blame::Line,
            SendError::Source(SourceFault::Incomplete { .. }) | SendError::Filing(_) => Blame::Refused,
            SendError::Source(_)
            | SendError::FiledOtherwise { .. }
            | SendError::Ended { .. }
            | SendError::OtherCentre { .. } => Blame::Settings,
            SendError::NotOurs { .. }
            | SendError::CertificateRefused { .. }
            | SendError::CentreNotTrusted { .. } => Blame::Material,
            SendError::Store(fault) => blame_of_store(fault),
            SendError::Sign(_) | SendError::Random(_) => Blame::Machine,
            SendError::NotDelivered { .. } | SendError::Running { .. } => Blame::Line,
            SendError::TurnedDown { problem, .. } => match problem.advice() {
                Advice::GiveUp => Blame::Refused,
                Advice::Retry | Advice::Ask => Blame::Line,
            },
            SendError::Refused { .. } | SendError::Cancelled { .. } => Blame::Refused,
            SendError::Evidence(EvidenceFault::Times { source: TimeFault::Future { .. }, .. }) => {
                Blame::Machine
            }
            SendError::Evidence(_)
            | SendError::CentreLog(_)
            | SendError::LogForked { .. }
            | SendError::LogBehind { .. } => Blame::Evidence,
        }
    }

    /// What to do, in one sentence.
    pub fn next_step(&self) -> &'static str {
        match self {
            SendError::Source(SourceFault::Incomplete { .. }) => {
                "write the file out of the claims software (レセコン) once more, whole, and send that"
            }
            SendError::Source(SourceFault::Changed { .. }) => {
                "wait until the claims software has finished writing the file, then send it again"
            }
            SendError::Source(SourceFault::Name { .. }) => "give the file a plain name such as RECEIPTC.UKE",
            SendError::Source(SourceFault::Stopped) | SendError::Stopped => {
                "run the same command again; it goes on where it stopped"
            }
            SendError::Source(_) => "check the name of the file and who may read it",
            SendError::Filing(FilingFault::Sender { .. }) => {
                "check that it is the right file; for another code of the certificate add --as institution:CODE"
            }
            SendError::Filing(_) => "check that it is the right file, and what is given with the command",
            SendError::NotOurs { .. } => "use the settings whose certificate names this institution",
            SendError::Store(fault) => next_of_store(fault),
            SendError::Sign(_) | SendError::Random(_) => {
                "restart the machine; if it happens again call the contact"
            }
            SendError::Running { .. } => "wait for it to end",
            SendError::FiledOtherwise { arrived: true, .. } => {
                "nothing was sent; to send the content once more with this mark add --resubmission-of and the id of that transfer"
            }
            SendError::FiledOtherwise { arrived: false, .. } => {
                "nothing was sent; call that transfer off with `sekisho cancel` and its id, then send the file again"
            }
            SendError::Ended { .. } => "look at it with `sekisho status`",
            SendError::OtherCentre { .. } => "give the settings of that centre with --settings",
            SendError::CertificateRefused { reason } => next_after_refusal(reason),
            SendError::CentreNotTrusted { fault } => next_after_distrust(*fault),
            SendError::NotDelivered { last: LastTry::NobodyListens(_), .. } => {
                "nothing is lost: the centre's machine is there and its gateway is not; run the same command again later, and if that does not help check centre.address in the settings"
            }
            SendError::NotDelivered { last: LastTry::OwnLine(fault), .. } => fault.next_step(),
            SendError::NotDelivered { .. } => {
                "nothing is lost: run the same command again when the line is back; it goes on where it stopped"
            }
            SendError::TurnedDown { problem, .. } => match problem.advice() {
                Advice::GiveUp => {
                    "read what the centre says; something must change before the file can be sent"
                }
                Advice::Retry | Advice::Ask => "run the same command again later",
            },
            SendError::Refused { problem: Problem::AlreadyHeld, .. } => {
                "the centre holds the same file already, the refusal carries its receipt; to send it once more on purpose, name that transfer with --resubmission-of"
            }
            SendError::Refused { problem: Problem::Expired, .. } => {
                "send the file again; it becomes a new transfer"
            }
            SendError::Refused { problem: Problem::CreatedAtOutOfRange, .. } => {
                "check this machine's clock, then send the file again; it becomes a new transfer"
            }
            SendError::Refused { problem: Problem::Cancelled, .. } => {
                "nobody called it off from here: find out who did, for example a colleague with a copy of these settings; then send the file again"
            }
            SendError::Refused { .. } => {
                "read what the centre says, correct the file or the settings, and send it anew"
            }
            SendError::Cancelled { .. } => "send the file again; it becomes a new transfer",
            SendError::Evidence(EvidenceFault::Times { source: TimeFault::Future { .. }, .. }) => {
                "set this machine's clock, then run the same command again; if the clock was right, call the contact"
            }
            SendError::Evidence(_) | SendError::CentreLog(_) => {
                "do not count the file as arrived; call the contact and keep the state directory as it is"
            }
            SendError::LogBehind { .. } => {
                "the state directory was restored from an older copy: put the newest one in its place; if there is none, keep this one as it is, tell the contact of the centre, and name an empty directory in storage.data, which begins another log; a file that had arrived is not taken twice"
            }
            SendError::LogForked { .. } => {
                "send nothing more to this centre; call the contact and keep the state directory as it is; once people have looked into it, `sekisho log accept-new` takes the new log"
            }
        }
    }
}
