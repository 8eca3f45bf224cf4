//! The statements of the ledger. What they cost must not grow with the number of past transfers: each must be answered
//! from an index, and a test asks SQLite whether it is.

/// Every query that yields whole transfers: the same columns, another condition.
macro_rules! select_transfer {
    ($condition:literal) => {
        concat!(
            "SELECT t.number, t.sender, t.id, t.receiver, t.kind, t.claim_month, t.length, t.sha256, ",
            "t.class, t.manifest_sha256, t.resubmission_of, t.phase, t.reason, t.attempt, t.durable, ",
            "t.mismatches, t.since, t.offered_at, t.deadline, t.delivered_at, t.acknowledged_at, ",
            "coalesce(mh.text || '.', '') || m.text AS manifest, m.entry AS offer_entry, a.what, ",
            "coalesce(ah.text || '.', '') || a.text AS answer, a.entry AS answer_entry, ",
            "coalesce(kh.text || '.', '') || k.text AS acknowledgement FROM transfer t ",
            "LEFT JOIN manifest m ON m.transfer = t.number LEFT JOIN answer a ON a.transfer = t.number ",
            "LEFT JOIN acknowledgement k ON k.number = t.acknowledgement ",
            "LEFT JOIN jws_header mh ON mh.number = m.header LEFT JOIN jws_header ah ON ah.number = a.header ",
            "LEFT JOIN jws_header kh ON kh.number = k.header WHERE ",
            $condition
        )
    };
}

/// The transfer of a sender and id.
pub(super) const FIND: &str = select_transfer!("t.sender = ?1 AND t.id = ?2");

/// The transfer that last committed a content for a submission.
pub(super) const HELD: &str = select_transfer!(
    "t.phase = 'committed' AND t.sender = ?1 AND t.sha256 = ?2 AND t.receiver = ?3 AND t.kind = ?4 \
     AND t.claim_month = ?5 ORDER BY t.number DESC LIMIT 1"
);

/// The transfers of these senders and ids, `[[sender, id], …]`.
pub(super) const FIND_ALL: &str = select_transfer!(
    "t.number IN (SELECT w.number FROM json_each(?1) AS k CROSS JOIN transfer AS w \
     ON w.sender = k.value ->> 0 AND w.id = k.value ->> 1)"
);

/// The transfers that last committed these contents, `[[sender, sha256, receiver, kind, claim_month], …]`.
pub(super) const HELD_ALL: &str = select_transfer!(
    "t.number IN (SELECT (SELECT h.number FROM transfer AS h WHERE h.phase = 'committed' \
     AND h.sender = k.value ->> 0 AND h.sha256 = unhex(k.value ->> 1) AND h.receiver = k.value ->> 2 \
     AND h.kind = k.value ->> 3 AND h.claim_month = k.value ->> 4 ORDER BY h.number DESC LIMIT 1) \
     FROM json_each(?1) AS k)"
);

/// How many unfinished transfers each of these senders has, and what it has offered on that day, `[[sender, day_began], …]`.
pub(super) const USAGE_ALL: &str = "SELECT k.value ->> 0 AS sender, k.value ->> 1 AS day_began, \
     (SELECT count(*) FROM transfer WHERE sender = k.value ->> 0 \
     AND phase IN ('offered', 'receiving', 'checking', 'aborted')) AS unfinished, \
     coalesce(d.offers, 0) AS offers, coalesce(d.bytes, 0) AS bytes FROM json_each(?1) AS k \
     LEFT JOIN offered_day d ON d.sender = k.value ->> 0 AND d.day_began = k.value ->> 1";

/// The newest heads that the logs of these origins have shown, `[origin, …]`.
pub(super) const COUNTERPART_LOGS: &str = "SELECT origin, key, identity, size, root, checkpoint \
     FROM counterpart_log WHERE origin IN (SELECT value FROM json_each(?1))";

/// The receipts of these senders and ids, `[[sender, id], …]`, and whether they were acknowledged.
pub(super) const RECEIPTS: &str = "SELECT t.number, t.sender, t.id, t.acknowledged_at, a.sha256 \
     FROM json_each(?1) AS k \
     CROSS JOIN transfer AS t ON t.sender = k.value ->> 0 AND t.id = k.value ->> 1 \
     JOIN answer a ON a.transfer = t.number AND a.what = 'receipt'";

/// Those of these headers that are stored, by their hashes in hexadecimal.
pub(super) const HEADERS: &str =
    "SELECT number, sha256 FROM jws_header WHERE sha256 IN (SELECT unhex(value) FROM json_each(?1))";

/// Transfers that an attempt is at work on.
pub(super) const RUNNING: &str =
    "SELECT sender, id FROM transfer WHERE phase IN ('receiving', 'checking') ORDER BY number";

/// Committed transfers that were not handed over.
pub(super) const UNDELIVERED: &str =
    "SELECT sender, id FROM transfer WHERE phase = 'committed' AND delivered_at IS NULL ORDER BY number";

/// Waiting transfers beyond their deadline.
pub(super) const OVERDUE: &str = "SELECT sender, id FROM transfer WHERE phase IN ('offered', 'aborted') \
     AND deadline <= ?1 ORDER BY deadline LIMIT ?2";

/// The log's signed head.
pub(super) const LOG_HEAD: &str = "SELECT size, root, checkpoint FROM log_head";

/// The text of a log entry.
pub(super) const LOG_ENTRY: &str = "SELECT text FROM log_entry WHERE position = ?1";

/// The hashes of these log entries, by their places.
pub(super) const LEAF_HASHES: &str =
    "SELECT position AS place, hash FROM log_entry WHERE position IN (SELECT value FROM json_each(?1))";

/// The hashes of these nodes above them, by their numbers.
pub(super) const NODE_HASHES: &str =
    "SELECT number AS place, hash FROM log_node WHERE number IN (SELECT value FROM json_each(?1))";

/// How many transfers there are of each sort.
pub(super) const COUNTS: &str = "SELECT name, count FROM tally ORDER BY name";

/// Everything that a batch changed. Statements that go together are sent together; their parameters have no numbers,
/// because sqlx counts them through. Each is a table of rows in JSON:
///
/// log entries, headers of statements, new transfers, their manifests, changed transfers, receipts and refusals, heads of
/// counterparts' logs, days of senders, acknowledgements, what they acknowledge, log nodes; and then the log's head.
///
/// Log entries come first: while a row waits for one that it refers to, SQLite looks for others that may wait for each
/// new acknowledgement, and there is no index to find them by. It would read all transfers.
pub(super) const FLUSH: &str = "\
INSERT INTO log_entry (position, text, hash) \
SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?); \
INSERT INTO jws_header (number, text, sha256) \
SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?); \
INSERT INTO transfer (number, sender, id, receiver, kind, claim_month, length, sha256, class, manifest_sha256, \
    resubmission_of, phase, reason, attempt, durable, mismatches, since, offered_at, deadline, delivered_at) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
    unhex(value ->> 7), value ->> 8, unhex(value ->> 9), value ->> 10, value ->> 11, value ->> 12, value ->> 13, \
    value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19 FROM json_each(?); \
INSERT INTO manifest (transfer, text, entry, header) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?); \
UPDATE transfer SET phase = value ->> 1, reason = value ->> 2, attempt = value ->> 3, durable = value ->> 4, \
    mismatches = value ->> 5, since = value ->> 6, delivered_at = value ->> 7 \
    FROM json_each(?) WHERE number = value ->> 0; \
INSERT INTO answer (transfer, what, text, sha256, entry, header) \
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5 FROM json_each(?); \
INSERT INTO counterpart_log (origin, key, identity, size, root, checkpoint) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5 FROM json_each(?) \
    WHERE true ON CONFLICT (origin) DO UPDATE SET identity = excluded.identity, size = excluded.size, \
    root = excluded.root, checkpoint = excluded.checkpoint; \
INSERT INTO offered_day (sender, day_began, offers, bytes) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) \
    WHERE true ON CONFLICT (sender, day_began) DO UPDATE SET offers = excluded.offers, bytes = excluded.bytes; \
INSERT INTO acknowledgement (number, text, entry, header) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?); \
UPDATE transfer SET acknowledgement = value ->> 1, acknowledged_at = value ->> 2 \
    FROM json_each(?) WHERE number = value ->> 0; \
INSERT INTO log_node (number, hash) SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?); \
UPDATE log_head SET size = ?, root = ?, checkpoint = ? WHERE size = ?";

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::super::tests::Bench;
    use super::*;
    use crate::conformance::LedgerBench as _;

    #[tokio::test]
    async fn no_query_reads_its_way_through_all_transfers() {
        let bench = Bench::new();
        let ledger = bench.open().await;
        let all = [
            FIND,
            FIND_ALL,
            HELD,
            HELD_ALL,
            USAGE_ALL,
            COUNTERPART_LOGS,
            RECEIPTS,
            HEADERS,
            RUNNING,
            UNDELIVERED,
            OVERDUE,
            LOG_HEAD,
            LOG_ENTRY,
            LEAF_HASHES,
            NODE_HASHES,
            COUNTS,
        ];
        for query in all.into_iter().chain(FLUSH.split("; ")) {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps = sqlx::query(explain).fetch_all(ledger.audit().pool()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            // Seen in the plan, and never taken: see `FLUSH`.
            let waits =
                |step: &str| query.starts_with("INSERT INTO acknowledgement") && step == "SCAN transfer";
            let found = steps.iter().find(|step| grows(step) && !waits(step));
            assert_eq!(found, None, "{query}\n{steps:#?}");
        }
    }

    #[test]
    fn log_entries_are_written_before_what_refers_to_them() {
        assert!(FLUSH.starts_with("INSERT INTO log_entry "));
    }

    /// Does a step of a plan read more, the more transfers there have been?
    fn grows(step: &str) -> bool {
        // A table of one row or a few, or one that the caller brings.
        let small = ["(subquery", "CONSTANT ROW", "tally", "log_head", "VIRTUAL TABLE"];
        // A partial index that holds only what is under way: going through it is no scan of the past.
        let under_way =
            ["transfer_unfinished", "transfer_running", "transfer_waiting", "transfer_undelivered"];
        let bounded = |step: &str| small.iter().chain(&under_way).any(|name| step.contains(name));
        // One row, or the few that have brought one content.
        let all_of = [("sqlite_autoindex_transfer_1", "id=?"), ("transfer_held", "claim_month=?")];
        let part_of =
            |step: &str| all_of.iter().any(|(index, last)| step.contains(index) && !step.contains(last));
        let is_range = |step: &str| step.contains(">?") || step.contains("<?");
        match step.split(' ').next() {
            Some("SCAN") => !bounded(step),
            Some("SEARCH") => !bounded(step) && (is_range(step) || part_of(step)),
            _ => false,
        }
    }

    #[test]
    fn a_step_that_walks_through_the_past_is_told_from_one_that_does_not() {
        for step in [
            "SCAN transfer",
            "SCAN t USING INDEX transfer_held",
            "SEARCH transfer USING COVERING INDEX transfer_offered (sender=? AND offered_at>?)",
            "SEARCH transfer USING INDEX sqlite_autoindex_transfer_1 (sender=?)",
            "SEARCH log_entry USING INTEGER PRIMARY KEY (rowid>?)",
        ] {
            assert!(grows(step), "{step}");
        }
        for step in [
            "SCAN k VIRTUAL TABLE INDEX 1:",
            "SEARCH t USING INDEX sqlite_autoindex_transfer_1 (sender=? AND id=?)",
            "SEARCH transfer USING COVERING INDEX transfer_unfinished (sender=?)",
            "SCAN transfer USING INDEX transfer_running",
        ] {
            assert!(!grows(step), "{step}");
        }
    }
}
