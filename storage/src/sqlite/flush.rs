//! Writing what a batch changed: one call to the database, whatever there is.

use protocol::{checkpoint::LogSigner, digest::Sha256, merkle::NodeId};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::{
    headers::Headers,
    log::Growth,
    queries,
    recent::Written,
    rows::{self, Stored},
    work::{Change, NewAcknowledgement, Row, Work},
};
use crate::ledger::StoreFault;

impl Work<'_> {
    /// Writes everything, with the log's new head over it. Yields what will be durable with the transaction.
    pub(super) async fn flush(
        self,
        connection: &mut SqliteConnection,
        signer: &dyn LogSigner,
    ) -> Result<Written, StoreFault> {
        let of_change = |change| self.transfers.values().filter(move |row| row.change == change);
        let logs: Vec<Value> = self.advanced.iter().filter_map(|origin| self.log_row(origin)).collect();
        let headers = &mut *self.headers;
        let new: Vec<Value> = of_change(Change::New).map(new_row).collect();
        let manifests: Vec<Value> = of_change(Change::New).map(|row| manifest_row(row, headers)).collect();
        let changed: Vec<Value> = of_change(Change::Changed).map(changed_row).collect();
        let answers: Vec<Value> =
            self.transfers.values().filter_map(|row| answer_row(row, headers)).collect();
        let acknowledged: Vec<Value> = self
            .acknowledgements
            .iter()
            .flat_map(|new| new.transfers.iter().map(|number| json!([number, new.number, new.at.unix_ms()])))
            .collect();
        let acknowledgements: Vec<Value> =
            self.acknowledgements.iter().map(|new| acknowledgement_row(new, headers)).collect();
        let growth = self.log.grow(signer);
        let tables = [
            growth.entry_rows(),
            self.headers.take_added(),
            new,
            manifests,
            changed,
            answers,
            logs,
            self.usage.rows(),
            acknowledgements,
            acknowledged,
            growth.node_rows(),
        ];
        let mut rows: usize = tables.iter().map(Vec::len).sum();
        if rows == 0 {
            return Ok(self.written(growth));
        }
        let mut query = sqlx::query(queries::FLUSH);
        for table in tables {
            query = query.bind(Value::from(table).to_string());
        }
        if growth.head.is_some() {
            rows += 1;
        }
        let (size, root, text) = match &growth.head {
            Some(head) => (Some(head.checkpoint.size), Some(head.checkpoint.root), Some(&head.text)),
            None => (None, None, None),
        };
        let written = query
            .bind(size.map(u64::cast_signed))
            .bind(root.map(|root| root.as_bytes().to_vec()))
            .bind(text)
            .bind(size.map(|_| growth.before.cast_signed()))
            .execute(connection)
            .await?;
        // One less, if the head is another than ours: somebody else writes, whom the lock file should have kept out.
        if written.rows_affected() != rows as u64 {
            let found = written.rows_affected();
            return Err(StoreFault::Damaged(format!("{found} rows changed instead of {rows}")));
        }
        if let Some(head) = &growth.head {
            self.log.grown(head.clone());
        }
        Ok(self.written(growth))
    }

    fn written(self, growth: Growth) -> Written {
        let leaf = |index: u64| NodeId { level: 0, index };
        let leaves = growth.entries.iter().map(|(index, _, hash)| (leaf(*index), *hash));
        let stored = |row: Row| Stored { number: row.number, transfer: row.transfer };
        let (unfinished, ended) = self.usage.into_unfinished();
        Written {
            unfinished,
            ended,
            // In the order in which they are applied: of these alone the row itself is not known.
            changed: self.receipts.into_keys().collect(),
            transfers: self
                .transfers
                .into_values()
                .filter(|row| row.change != Change::None)
                .map(stored)
                .collect(),
            logs: self.logs.into_values().collect(),
            hashes: leaves.chain(growth.nodes).collect(),
            entries: growth.entries.into_iter().map(|(index, text, _)| (index, text)).collect(),
            head: growth.head,
        }
    }

    fn log_row(&self, origin: &str) -> Option<Value> {
        let seen = self.logs.get(origin)?;
        let (log, size) = (&seen.log, seen.size.cast_signed());
        Some(json!([log.origin, log.key, seen.identity, size, seen.root, seen.checkpoint]))
    }
}

fn new_row(row: &Row) -> Value {
    let transfer = &row.transfer;
    json!([
        row.number,
        transfer.key.sender,
        transfer.key.id,
        transfer.submission.receiver,
        transfer.submission.kind.name(),
        rows::month_text(&transfer.submission),
        transfer.length.cast_signed(),
        transfer.sha256,
        transfer.class.name(),
        transfer.manifest_sha256,
        transfer.resubmission_of,
        transfer.state.phase.name(),
        rows::reason_text(transfer.state.phase),
        transfer.state.attempt,
        transfer.state.offset.cast_signed(),
        transfer.state.mismatches,
        transfer.since.unix_ms(),
        transfer.offered_at.unix_ms(),
        transfer.deadline.unix_ms(),
        transfer.delivered_at.map(|at| at.unix_ms()),
    ])
}

fn manifest_row(row: &Row, headers: &mut Headers) -> Value {
    let (header, text) = headers.place(&row.transfer.manifest);
    json!([row.number, text, row.transfer.offer_entry.cast_signed(), header])
}

fn acknowledgement_row(new: &NewAcknowledgement, headers: &mut Headers) -> Value {
    let (header, text) = headers.place(&new.text);
    json!([new.number, text, new.entry.cast_signed(), header])
}

fn changed_row(row: &Row) -> Value {
    let state = &row.transfer.state;
    json!([
        row.number,
        state.phase.name(),
        rows::reason_text(state.phase),
        state.attempt,
        state.offset.cast_signed(),
        state.mismatches,
        row.transfer.since.unix_ms(),
        row.transfer.delivered_at.map(|at| at.unix_ms()),
    ])
}

fn answer_row(row: &Row, headers: &mut Headers) -> Option<Value> {
    let transfer = &row.transfer;
    let (what, text, entry) = match (&transfer.receipt, &transfer.refusal) {
        _ if !row.answered => return None,
        (Some(receipt), _) => ("receipt", receipt, transfer.receipt_entry?),
        (None, Some(refusal)) => ("refusal", refusal, transfer.refusal_entry?),
        (None, None) => return None,
    };
    let sha256 = Sha256::of(text.as_bytes());
    let (header, text) = headers.place(text);
    Some(json!([row.number, what, text, sha256, entry.cast_signed(), header]))
}
