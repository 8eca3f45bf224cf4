//! What a batch of operations needs, read at once before the first of them, and what they changed.
//!
//! Each statement costs two changes of thread, which is more than most statements cost themselves. So the operations
//! run on memory, one after the other, each seeing what those before it did; nothing they decide on may be missing
//! here, and nothing else is read. [`super::flush`] then writes the changes, all at once too.

use std::collections::{HashMap, HashSet};

use protocol::{
    digest::Sha256,
    moment::Moment,
    party::Party,
    receiver::Phase,
    transfer_id::{TransferId, TransferKey},
};
use serde_json::json;
use sqlx::{Row as _, SqliteConnection};

use super::{
    headers::Headers,
    log::Tail,
    queries,
    recent::Recent,
    rows::{self, Stored},
    usage::{self, SenderDay, Usage},
    writer::Command,
};
use crate::{
    ledger::StoreFault,
    transfer::{LogSeen, Submission, Transfer},
};

/// The numbers that the next rows get. They are the writer's to give: nobody else writes.
pub(super) struct Numbers {
    pub(super) transfer: i64,
    pub(super) acknowledgement: i64,
}

/// What a transfer brings: the same for the same submission is held once, unless it is repeated on purpose.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Content {
    pub(super) submission: Submission,
    pub(super) sha256: Sha256,
}

impl Content {
    pub(super) fn of(transfer: &Transfer) -> Self {
        Content { submission: transfer.submission.clone(), sha256: transfer.sha256 }
    }
}

/// A transfer as it stands after the operations so far.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) transfer: Transfer,
    pub(super) change: Change,
    /// It got its receipt or refusal in this batch.
    pub(super) answered: bool,
}

/// What a batch did to a row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Changed,
    New,
}

impl Row {
    pub(super) fn mark(&mut self) {
        if self.change == Change::None {
            self.change = Change::Changed;
        }
    }
}

impl From<Stored> for Row {
    fn from(stored: Stored) -> Self {
        let Stored { number, transfer } = stored;
        Row { number, transfer, change: Change::None, answered: false }
    }
}

/// A receipt as acknowledgements see it: its transfer's row alone, since there may be very many.
pub(super) struct Receipt {
    pub(super) number: i64,
    pub(super) sha256: Sha256,
    pub(super) acknowledged: bool,
}

/// An acknowledgement that counts, and the transfers, by number, whose receipts it names.
pub(super) struct NewAcknowledgement {
    pub(super) number: i64,
    pub(super) text: String,
    pub(super) entry: u64,
    pub(super) at: Moment,
    pub(super) transfers: Vec<i64>,
}

/// The working set of a batch.
pub(super) struct Work<'a> {
    pub(super) log: &'a mut Tail,
    pub(super) numbers: &'a mut Numbers,
    pub(super) headers: &'a mut Headers,
    /// Every transfer that an operation names or may meet.
    pub(super) transfers: HashMap<TransferKey, Row>,
    /// Who committed a content last, where anybody did.
    pub(super) held: HashMap<Content, TransferKey>,
    /// What the senders that offer something have offered before.
    pub(super) usage: Usage,
    /// What the logs that are shown have shown before.
    pub(super) logs: HashMap<String, LogSeen>,
    /// Receipts that acknowledgements name.
    pub(super) receipts: HashMap<TransferKey, Receipt>,
    pub(super) acknowledgements: Vec<NewAcknowledgement>,
    /// Origins of the logs whose newest head was replaced.
    pub(super) advanced: HashSet<String>,
}

impl<'a> Work<'a> {
    pub(super) fn empty(log: &'a mut Tail, numbers: &'a mut Numbers, headers: &'a mut Headers) -> Self {
        Work {
            log,
            numbers,
            headers,
            transfers: HashMap::new(),
            held: HashMap::new(),
            usage: Usage::default(),
            logs: HashMap::new(),
            receipts: HashMap::new(),
            acknowledgements: Vec::new(),
            advanced: HashSet::new(),
        }
    }

    /// Reads whatever these commands may need.
    pub(super) async fn gather(
        &mut self,
        connection: &mut SqliteConnection,
        commands: &[Command],
        recent: &Recent,
    ) -> Result<(), StoreFault> {
        let wanted = Wanted::by(commands);
        self.read_transfers(connection, &wanted.transfers, recent).await?;
        self.read_held(connection, &wanted, recent).await?;
        self.usage = Usage::read(connection, &wanted.days).await?;
        self.read_logs(connection, &wanted.origins, recent).await?;
        self.read_receipts(connection, &wanted.receipts).await?;
        self.headers.read(connection, commands).await
    }

    async fn read_transfers(
        &mut self,
        connection: &mut SqliteConnection,
        keys: &HashSet<TransferKey>,
        recent: &Recent,
    ) -> Result<(), StoreFault> {
        let mut unread = Vec::new();
        for key in keys.iter().filter(|key| !self.transfers.contains_key(key)).collect::<Vec<_>>() {
            match recent.transfer(key) {
                Some(stored) => drop(self.transfers.insert(key.clone(), Row::from(stored))),
                None => unread.push(key),
            }
        }
        if unread.is_empty() {
            return Ok(());
        }
        let rows = sqlx::query(queries::FIND_ALL).bind(keys_json(&unread)).fetch_all(connection).await?;
        self.keep(&rows).map(drop)
    }

    fn keep(&mut self, rows: &[sqlx::sqlite::SqliteRow]) -> Result<Vec<TransferKey>, StoreFault> {
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let stored = rows::stored(row)?;
            keys.push(stored.transfer.key.clone());
            self.transfers.entry(stored.transfer.key.clone()).or_insert(Row::from(stored));
        }
        Ok(keys)
    }

    /// For offers and commits: who holds their content, and the transfers they repeat on purpose.
    async fn read_held(
        &mut self,
        connection: &mut SqliteConnection,
        wanted: &Wanted,
        recent: &Recent,
    ) -> Result<(), StoreFault> {
        let mut contents = wanted.contents.clone();
        let mut named = wanted.named.clone();
        for key in &wanted.commits {
            let Some(row) = self.transfers.get(key) else { continue };
            contents.insert(Content::of(&row.transfer));
            named.extend(repeated(&row.transfer.key.sender, row.transfer.resubmission_of));
        }
        self.read_transfers(connection, &named, recent).await?;
        if contents.is_empty() {
            return Ok(());
        }
        let contents: Vec<_> = contents
            .iter()
            .map(|Content { submission, sha256 }| {
                json!([
                    submission.sender,
                    sha256,
                    submission.receiver,
                    submission.kind.name(),
                    rows::month_text(submission)
                ])
            })
            .collect();
        let rows =
            sqlx::query(queries::HELD_ALL).bind(json!(contents).to_string()).fetch_all(connection).await?;
        for key in self.keep(&rows)? {
            if let Some(row) = self.transfers.get(&key) {
                self.held.insert(Content::of(&row.transfer), key);
            }
        }
        Ok(())
    }

    async fn read_logs(
        &mut self,
        connection: &mut SqliteConnection,
        origins: &HashSet<String>,
        recent: &Recent,
    ) -> Result<(), StoreFault> {
        let mut unread = Vec::new();
        for origin in origins {
            match recent.log(origin) {
                Some(seen) => drop(self.logs.insert(origin.clone(), seen)),
                None => unread.push(origin),
            }
        }
        if unread.is_empty() {
            return Ok(());
        }
        let query = sqlx::query(queries::COUNTERPART_LOGS).bind(json!(unread).to_string());
        for row in query.fetch_all(connection).await? {
            let seen = rows::log_seen(&row)?;
            self.logs.insert(seen.log.origin.clone(), seen);
        }
        Ok(())
    }

    async fn read_receipts(
        &mut self,
        connection: &mut SqliteConnection,
        keys: &HashSet<TransferKey>,
    ) -> Result<(), StoreFault> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys_json(&keys.iter().collect::<Vec<_>>());
        for row in sqlx::query(queries::RECEIPTS).bind(keys).fetch_all(connection).await? {
            let receipt = Receipt {
                number: row.try_get("number")?,
                sha256: rows::sha256(&row, "sha256")?,
                acknowledged: row.try_get::<Option<i64>, _>("acknowledged_at")?.is_some(),
            };
            self.receipts.insert(rows::key(&row)?, receipt);
        }
        Ok(())
    }

    /// The committed transfer that already brought this one's content, unless this one repeats such a one on purpose.
    pub(super) fn held_by_another(&self, transfer: &Transfer) -> Option<&Transfer> {
        let content = Content::of(transfer);
        let named = repeated(&transfer.key.sender, transfer.resubmission_of);
        let repeats = |named: &Row| {
            named.transfer.state.phase == Phase::Committed && Content::of(&named.transfer) == content
        };
        if named.and_then(|named| self.transfers.get(&named)).is_some_and(repeats) {
            return None;
        }
        self.held.get(&content).and_then(|key| self.transfers.get(key)).map(|row| &row.transfer)
    }
}

/// The transfer that another one of its sender repeats on purpose.
fn repeated(sender: &Party, id: Option<TransferId>) -> Option<TransferKey> {
    id.map(|id| TransferKey { sender: sender.clone(), id })
}

/// Keys as the statements take many of them: `[[sender, id], …]`.
fn keys_json(keys: &[&TransferKey]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| (&key.sender, key.id)).collect();
    json!(keys).to_string()
}

/// What commands name.
#[derive(Default)]
struct Wanted {
    transfers: HashSet<TransferKey>,
    commits: HashSet<TransferKey>,
    named: HashSet<TransferKey>,
    contents: HashSet<Content>,
    days: HashSet<SenderDay>,
    origins: HashSet<String>,
    receipts: HashSet<TransferKey>,
}

impl Wanted {
    fn by(commands: &[Command]) -> Self {
        let mut wanted = Wanted::default();
        for command in commands {
            match command {
                Command::Offer(new, _) => {
                    wanted.transfers.insert(new.key.clone());
                    wanted.named.extend(repeated(&new.key.sender, new.resubmission_of));
                    wanted
                        .contents
                        .insert(Content { submission: new.submission.clone(), sha256: new.sha256 });
                    wanted.days.insert(usage::day_of(new));
                    wanted.origins.extend(new.log_seen.as_ref().map(|shown| shown.seen.log.origin.clone()));
                }
                Command::Step(call, _) => {
                    let (key, step) = &**call;
                    wanted.transfers.insert(key.clone());
                    if step.input.commits() {
                        wanted.commits.insert(key.clone());
                    }
                }
                Command::Delivered(call, _) => {
                    wanted.transfers.insert(call.0.clone());
                }
                Command::Acknowledge(call, _) => {
                    wanted.receipts.extend(call.receipts.iter().map(|(key, _)| key.clone()));
                }
                Command::Record(..) | Command::Settle(..) | Command::Close => {}
            }
        }
        wanted
    }
}
