//! What the ledger keeps of one transfer, and what callers hand in to change it.

use std::{fmt, sync::Arc};

use protocol::{
    checkpoint::LogIdentity,
    digest::Sha256,
    entry::Entry,
    kind::{ClaimMonth, Class, Kind},
    moment::Moment,
    party::{Identity, Party},
    problem::Problem,
    receiver::{Act, Input, Receiver},
    transfer_id::{TransferId, TransferKey},
};

/// What a file is for. File names repeat every month and identify nothing; this does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Submission {
    /// Who sends.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// What is in the file.
    pub kind: Kind,
    /// 請求年月, for kinds that have one.
    pub claim_month: Option<ClaimMonth>,
}

/// Everything the ledger knows of one transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What it is known by.
    pub key: TransferKey,
    /// The manifest's exact compact JWS.
    pub manifest: String,
    /// SHA-256 of that text.
    pub manifest_sha256: Sha256,
    /// The log entry that speaks of the manifest.
    pub offer_entry: u64,
    /// What the file is for.
    pub submission: Submission,
    /// Bytes of content declared.
    pub length: u64,
    /// SHA-256 of the content declared.
    pub sha256: Sha256,
    /// Class of information it is held under.
    pub class: Class,
    /// The transfer of the same content that it repeats on purpose.
    pub resubmission_of: Option<TransferId>,
    /// Where it stands.
    pub state: Receiver,
    /// Since when.
    pub since: Moment,
    /// When the manifest was accepted or refused.
    pub offered_at: Moment,
    /// Until when it may be finished.
    pub deadline: Moment,
    /// The receipt's exact compact JWS, once committed.
    pub receipt: Option<String>,
    /// The log entry in which the receipt's hash stands.
    pub receipt_entry: Option<u64>,
    /// The refusal's exact compact JWS, once refused.
    pub refusal: Option<String>,
    /// The log entry in which the refusal's hash stands.
    pub refusal_entry: Option<u64>,
    /// The acknowledgement's exact compact JWS, once it came.
    pub acknowledgement: Option<String>,
    /// When it came.
    pub acknowledged_at: Option<Moment>,
    /// When the content was handed over.
    pub delivered_at: Option<Moment>,
}

/// A manifest that was accepted, or refused for good.
#[derive(Clone, Debug)]
pub struct NewTransfer {
    /// What it is known by.
    pub key: TransferKey,
    /// The manifest's exact compact JWS.
    pub manifest: String,
    /// SHA-256 of that text.
    pub manifest_sha256: Sha256,
    /// What the file is for.
    pub submission: Submission,
    /// Bytes of content declared.
    pub length: u64,
    /// SHA-256 of the content declared.
    pub sha256: Sha256,
    /// Class of information it is held under.
    pub class: Class,
    /// When the offer came.
    pub offered_at: Moment,
    /// Until when it may be finished.
    pub deadline: Moment,
    /// The transfer of the same content that it repeats on purpose.
    pub resubmission_of: Option<TransferId>,
    /// Set when the offer itself is refused for good: the transfer begins and ends with this.
    pub refusal: Option<RefusalText>,
    /// What the sender showed of its log.
    pub log_seen: Option<LogAdvance>,
    /// How much this sender may offer.
    pub allowance: Allowance,
    /// [`protocol::entry::Event::Offered`], or `Refused` with a refusal.
    pub entry: Entry,
}

/// How much one sender may offer, with this offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Unfinished transfers. A refused offer does not count.
    pub open_max: u32,
    /// When the day began that the next two are for.
    pub day_began: Moment,
    /// Offers since then, refused ones too: each leaves its entry in the log.
    pub of_day_max: u32,
    /// Bytes of content declared in them.
    pub bytes_of_day_max: u64,
}

/// A final no, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalText {
    /// Why.
    pub reason: Problem,
    /// The exact compact JWS.
    pub text: String,
}

/// The newest signed head that a counterpart's log has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSeen {
    /// Which log.
    pub log: LogIdentity,
    /// Whose.
    pub identity: Identity,
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Sha256,
    /// The signed checkpoint that says so.
    pub checkpoint: String,
}

/// A step of a counterpart's log, verified by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogAdvance {
    /// What it shows now.
    pub seen: LogSeen,
    /// Size and root of the stored head that this one was proved consistent with; `None` if none was stored.
    pub verified_against: Option<(u64, Sha256)>,
}

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// Stored now.
    New(Box<Transfer>),
    /// The same manifest was offered before; here is what became of it. Nothing was stored.
    Same(Box<Transfer>),
    /// Another manifest was offered under this key before. Nothing was stored.
    Conflict,
    /// The same content for the same submission was committed before, under this other key, and the offer does not
    /// name it in `resubmission_of`. Nothing was stored: refuse the offer, with that receipt, by a second call.
    AlreadyHeld(Box<Transfer>),
    /// The sender's log contradicts what it showed before, or is another party's. Nothing was stored.
    LogForked,
    /// The stored head of the sender's log is no longer the one that the new head was verified against: another offer
    /// was faster. Nothing was stored: read [`crate::ledger::Ledger::counterpart_log`], verify and offer again.
    LogMoved,
    /// The sender has as many unfinished transfers as it may. Nothing was stored.
    TooManyOpen,
    /// The sender has offered as much as it may since the day began. Nothing was stored.
    OverQuota,
}

/// One event in the life of a transfer, with the texts that belong to it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What happened.
    pub input: Input,
    /// When.
    pub at: Moment,
    /// The receipt, with an input that commits and with no other.
    pub receipt: Option<String>,
    /// The refusal, if the step ends in one and only then.
    pub refusal: Option<String>,
    /// What the log will say of the attempt's beginning, before the rest: with an input that begins and commits at once, and
    /// with no other. The ledger fills in the same as in `entry`.
    pub began: Option<Entry>,
    /// What the log will say of it. A receipt or refusal needs one, with its hash in `statement_sha256`. The ledger
    /// itself fills in `seq`, `sender`, `transfer_id`, `manifest_sha256`, `attempt` and, unless set, `offset`.
    pub entry: Option<Entry>,
    /// What can still forbid it.
    pub guard: Option<Guard>,
}

/// A question that the ledger asks when it takes a step, and not when it is asked to: may it still be? Steps are taken one
/// after the other, so whoever makes the answer "no" and then waits for [`crate::ledger::Ledger::settle`] knows that no
/// guarded step becomes durable any more.
#[derive(Clone)]
pub struct Guard(Arc<dyn Fn() -> bool + Send + Sync>);

impl Guard {
    /// Asks this, which must not block.
    pub fn new(may: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Guard(Arc::new(may))
    }

    /// May the step be taken?
    pub fn allows(&self) -> bool {
        (self.0)()
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Guard").field(&self.allows()).finish()
    }
}

/// A step that is durable now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// As it is now.
    pub transfer: Transfer,
    /// What must be done, in order.
    pub acts: Vec<Act>,
    /// The entry of the step, if it had one.
    pub logged: Option<Logged>,
}

/// An entry that is durable and covered by a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Where it stands, from 0.
    pub index: u64,
    /// The exact text of the leaf.
    pub entry: String,
    /// A signed checkpoint of a log that holds it.
    pub checkpoint: String,
    /// Entries under that checkpoint.
    pub size: u64,
}

/// Receipts whose sender says that it holds them.
#[derive(Clone, Debug)]
pub struct Acknowledging {
    /// Each transfer with the SHA-256 of its receipt's exact text.
    pub receipts: Vec<(TransferKey, Sha256)>,
    /// The statement's exact compact JWS.
    pub text: String,
    /// When it came.
    pub at: Moment,
    /// [`protocol::entry::Event::Acknowledged`], with the statement's hash in `statement_sha256`.
    pub entry: Entry,
}

/// What became of an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// Every receipt counts as acknowledged, now or since an earlier statement.
    Accepted,
    /// This transfer has no such receipt. Nothing of the statement was stored.
    Unknown(TransferKey),
}

/// How many transfers there are of each sort.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By [`protocol::receiver::Phase::name`], each name present.
    pub phases: Vec<(String, u64)>,
    /// Committed and not yet handed over.
    pub undelivered: u64,
    /// Committed and not yet acknowledged.
    pub unacknowledged: u64,
}

impl Counts {
    /// Transfers in the phase of this name.
    pub fn of(&self, phase: &str) -> u64 {
        self.phases.iter().find(|(name, _)| name == phase).map_or(0, |(_, count)| *count)
    }
}
