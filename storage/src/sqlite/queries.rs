//! The statements of the ledger. What they cost must not grow with the number of past transfers: each must be answered
//! from an index, and a test asks SQLite whether it is.

/// Every query that yields whole transfers: the same columns, another condition.
macro_rules! select_transfer {
    ($condition:literal) => {
        concat!(
            "SELECT t.number, t.sender, t.id, t.receiver, t.kind, t.claim_month, t.length, t.sha256, ",
            "t.class, t.manifest_sha256, t.resubmission_of, t.phase, t.reason, t.attempt, t.durable, ",
            "t.mismatches, t.since, t.offered_at, t.deadline, t.delivered_at, t.acknowledged_at, ",
            "m.text AS manifest, m.entry AS offer_entry, a.what, a.text AS answer, ",
            "a.entry AS answer_entry, k.text AS acknowledgement FROM transfer t ",
            "LEFT JOIN manifest m ON m.transfer = t.number LEFT JOIN answer a ON a.transfer = t.number ",
            "LEFT JOIN acknowledgement k ON k.number = t.acknowledgement WHERE ",
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

/// Transfers that an attempt is at work on.
pub(super) const RUNNING: &str =
    "SELECT sender, id FROM transfer WHERE phase IN ('receiving', 'checking') ORDER BY number";

/// Committed transfers that were not handed over.
pub(super) const UNDELIVERED: &str =
    "SELECT sender, id FROM transfer WHERE phase = 'committed' AND delivered_at IS NULL ORDER BY number";

/// Waiting transfers beyond their deadline.
pub(super) const OVERDUE: &str = "SELECT sender, id FROM transfer WHERE phase IN ('offered', 'aborted') \
     AND deadline <= ?1 ORDER BY deadline LIMIT ?2";

/// How many transfers there are of each sort.
pub(super) const COUNTS: &str = "SELECT name, count FROM tally ORDER BY name";

/// Everything that a batch changed. Statements that go together are sent together; their parameters have no numbers,
/// because sqlx counts them through. Each is a table of rows in JSON:
///
/// new transfers, their manifests, changed transfers, receipts and refusals, heads of counterparts' logs,
/// days of senders, acknowledgements, what they acknowledge, log entries, log nodes; and then the log's head.
pub(super) const FLUSH: &str = "\
INSERT INTO transfer (number, sender, id, receiver, kind, claim_month, length, sha256, class, manifest_sha256, \
    resubmission_of, phase, reason, attempt, durable, mismatches, since, offered_at, deadline, delivered_at) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, \
    unhex(value ->> 7), value ->> 8, unhex(value ->> 9), value ->> 10, value ->> 11, value ->> 12, value ->> 13, \
    value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19 FROM json_each(?); \
INSERT INTO manifest (transfer, text, entry) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?); \
UPDATE transfer SET phase = value ->> 1, reason = value ->> 2, attempt = value ->> 3, durable = value ->> 4, \
    mismatches = value ->> 5, since = value ->> 6, delivered_at = value ->> 7 \
    FROM json_each(?) WHERE number = value ->> 0; \
INSERT INTO answer (transfer, what, text, sha256, entry) \
SELECT value ->> 0, value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4 FROM json_each(?); \
INSERT INTO counterpart_log (origin, key, identity, size, root, checkpoint) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5 FROM json_each(?) \
    WHERE true ON CONFLICT (origin) DO UPDATE SET identity = excluded.identity, size = excluded.size, \
    root = excluded.root, checkpoint = excluded.checkpoint; \
INSERT INTO offered_day (sender, day_began, offers, bytes) \
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) \
    WHERE true ON CONFLICT (sender, day_began) DO UPDATE SET offers = excluded.offers, bytes = excluded.bytes; \
INSERT INTO acknowledgement (number, text, entry) SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?); \
UPDATE transfer SET acknowledgement = value ->> 1, acknowledged_at = value ->> 2 \
    FROM json_each(?) WHERE number = value ->> 0; \
INSERT INTO log_entry (position, text, hash) \
SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?); \
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
            RUNNING,
            UNDELIVERED,
            OVERDUE,
            COUNTS,
        ];
        let flush = FLUSH.split("; ").filter(|statement| statement.starts_with("UPDATE"));
        for query in all.into_iter().chain(flush) {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps = sqlx::query(explain).fetch_all(ledger.audit().pool()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            // A partial index holds only what is sought: going through it is no scan of the past.
            let scans = |step: &&String| {
                let bounded = [
                    "USING INDEX transfer_",
                    "(subquery",
                    "CONSTANT ROW",
                    "tally",
                    "log_head",
                    "VIRTUAL TABLE",
                ];
                step.starts_with("SCAN") && !bounded.iter().any(|bounded| step.contains(bounded))
            };
            assert_eq!(steps.iter().find(scans), None, "{query}\n{steps:#?}");
        }
    }
}
