//! How much each sender has offered: what is unfinished, and what belongs to a day.

use std::collections::{HashMap, HashSet};

use protocol::{moment::Moment, party::Party};
use serde_json::{Value, json};
use sqlx::{Row as _, SqliteConnection};

use super::{queries, rows};
use crate::{
    ledger::StoreFault,
    transfer::{Allowance, NewTransfer},
};

/// The use that the senders of a batch have made of their allowances.
#[derive(Default)]
pub(super) struct Usage {
    /// Transfers that are not ended.
    unfinished: HashMap<Party, u32>,
    /// Transfers that ended, of senders whose number of unfinished ones was not read.
    ended_unread: HashMap<Party, u32>,
    days: HashMap<SenderDay, OfDay>,
    /// Days that the batch added to.
    grown: HashSet<SenderDay>,
}

/// A sender's day, by its beginning.
pub(super) type SenderDay = (Party, Moment);

#[derive(Clone, Copy, Default)]
struct OfDay {
    offers: u32,
    /// Of content, declared.
    bytes: u64,
}

/// The day that an offer belongs to.
pub(super) fn day_of(new: &NewTransfer) -> SenderDay {
    (new.key.sender.clone(), new.allowance.day_began)
}

impl Usage {
    /// Reads what was made of these days.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        days: &HashSet<SenderDay>,
    ) -> Result<Self, StoreFault> {
        let mut usage = Usage::default();
        if days.is_empty() {
            return Ok(usage);
        }
        let asked: Vec<_> = days.iter().map(|(sender, began)| json!([sender, began.unix_ms()])).collect();
        let query = sqlx::query(queries::USAGE_ALL).bind(json!(asked).to_string());
        for row in query.fetch_all(connection).await? {
            let sender: &str = row.try_get("sender")?;
            let sender: Party =
                sender.parse().map_err(|_| StoreFault::Damaged(format!("the sender `{sender}`")))?;
            usage.unfinished.insert(sender.clone(), row.try_get("unfinished")?);
            let day = (sender, Moment::from_unix_ms(row.try_get("day_began")?));
            usage
                .days
                .insert(day, OfDay { offers: row.try_get("offers")?, bytes: rows::unsigned(&row, "bytes")? });
        }
        Ok(usage)
    }

    /// May one more be offered on this day? For what is refused for good its bytes are not asked for, and count like all others.
    pub(super) fn day_allows(&self, day: &SenderDay, allowance: &Allowance, bytes: Option<u64>) -> bool {
        let used = self.days.get(day).copied().unwrap_or_default();
        let fits = |bytes| used.bytes.saturating_add(bytes) <= allowance.bytes_of_day_max;
        used.offers < allowance.of_day_max && bytes.is_none_or(fits)
    }

    /// Transfers of this sender that are not ended.
    pub(super) fn unfinished(&self, sender: &Party) -> u32 {
        self.unfinished.get(sender).copied().unwrap_or_default()
    }

    /// One more was offered.
    pub(super) fn offered(&mut self, day: SenderDay, bytes: u64, unfinished: bool) {
        if unfinished {
            *self.unfinished.entry(day.0.clone()).or_default() += 1;
        }
        let used = self.days.entry(day.clone()).or_default();
        used.offers = used.offers.saturating_add(1);
        used.bytes = used.bytes.saturating_add(bytes);
        self.grown.insert(day);
    }

    /// One has ended.
    pub(super) fn ended(&mut self, sender: &Party) {
        match self.unfinished.get_mut(sender) {
            Some(unfinished) => *unfinished = unfinished.saturating_sub(1),
            None => *self.ended_unread.entry(sender.clone()).or_default() += 1,
        }
    }

    /// How many transfers the senders have now that are not ended; and of those of whom that was not read, how many ended.
    pub(super) fn into_unfinished(self) -> (HashMap<Party, u32>, HashMap<Party, u32>) {
        (self.unfinished, self.ended_unread)
    }

    /// `[sender, day_began, offers, bytes]` of each day that the batch added to.
    pub(super) fn rows(&self) -> Vec<Value> {
        let row = |day: &SenderDay| {
            let used = self.days.get(day)?;
            Some(json!([day.0, day.1.unix_ms(), used.offers, used.bytes.cast_signed()]))
        };
        self.grown.iter().filter_map(row).collect()
    }
}
