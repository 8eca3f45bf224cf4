//! The statements of the ledger. What they cost must not grow with the number of past transfers: each must be answered
//! from an index, and a test asks SQLite whether it is.

/// Every query that yields whole transfers: the same columns, another condition.
macro_rules! select_transfer {
    ($condition:literal) => {
        concat!(
            "SELECT t.number, t.sender, t.id, t.receiver, t.kind, t.claim_month, t.length, t.sha256, t.class, ",
            "t.manifest_sha256, t.resubmission_of, t.phase, t.reason, t.attempt, t.durable, t.mismatches, t.since, ",
            "t.offered_at, t.deadline, t.delivered_at, t.acknowledged_at, m.text AS manifest, m.entry AS offer_entry, ",
            "a.what, a.text AS answer, a.entry AS answer_entry, k.text AS acknowledgement ",
            "FROM transfer t LEFT JOIN manifest m ON m.transfer = t.number LEFT JOIN answer a ON a.transfer = t.number ",
            "LEFT JOIN acknowledgement k ON k.number = t.acknowledgement WHERE ",
            $condition
        )
    };
}

/// The transfer of a sender and id.
pub(super) const FIND: &str = select_transfer!("t.sender = ?1 AND t.id = ?2");

/// The last transfer but one that committed some content for a submission.
pub(super) const HELD: &str = select_transfer!(
    "t.phase = 'committed' AND t.sender = ?1 AND t.sha256 = ?2 AND t.receiver = ?3 AND t.kind = ?4 \
     AND t.claim_month = ?5 AND t.id <> ?6 ORDER BY t.number DESC LIMIT 1"
);

/// The transfers of these senders and ids, `[[sender, id], …]`.
pub(super) const FIND_ALL: &str = select_transfer!(
    "t.number IN (SELECT w.number FROM json_each(?1) AS k CROSS JOIN transfer AS w \
     ON w.sender = k.value ->> 0 AND w.id = k.value ->> 1)"
);

/// The receipts of these senders and ids, and whether they were acknowledged.
pub(super) const RECEIPTS: &str = "SELECT t.number, t.sender, t.id, t.acknowledged_at, CAST(a.text AS BLOB) AS text FROM json_each(?1) AS k \
     CROSS JOIN transfer AS t ON t.sender = k.value ->> 0 AND t.id = k.value ->> 1 \
     JOIN answer a ON a.transfer = t.number AND a.what = 'receipt'";

/// Everything that may speak against an offer: its key is taken; its content is held for the same submission; its
/// sender has too many unfinished transfers (counted no further than needed); what its log showed before.
pub(super) const LOOK: &str = "SELECT \
     EXISTS (SELECT 1 FROM transfer WHERE sender = ?1 AND id = ?2) AS known, \
     EXISTS (SELECT 1 FROM transfer WHERE phase = 'committed' AND sender = ?1 AND sha256 = ?3 AND receiver = ?4 \
             AND kind = ?5 AND claim_month = ?6) AS held, \
     (SELECT count(*) FROM (SELECT 1 FROM transfer WHERE sender = ?1 \
             AND phase IN ('offered', 'receiving', 'checking', 'aborted') LIMIT ?7)) AS unfinished, \
     c.origin, c.key, c.identity, c.size, c.root, c.checkpoint \
     FROM (SELECT 1) LEFT JOIN counterpart_log c ON c.origin = ?8";

/// The newest head that the log of an origin has shown.
pub(super) const COUNTERPART_LOG: &str =
    "SELECT origin, key, identity, size, root, checkpoint FROM counterpart_log WHERE origin = ?1";

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

/// A new transfer with its manifest and, where they are given, its refusal and its sender's new head.
pub(super) const OFFER: &str = "INSERT INTO transfer (sender, id, receiver, kind, claim_month, length, sha256, class, \
     manifest_sha256, resubmission_of, phase, reason, attempt, durable, mismatches, since, offered_at, deadline) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0, 0, 0, ?13, ?13, ?14); \
     INSERT INTO manifest (transfer, text, entry) \
     SELECT number, ?15, ?16 FROM transfer WHERE sender = ?1 AND id = ?2; \
     INSERT INTO answer (transfer, what, text, entry) \
     SELECT number, 'refusal', ?17, ?16 FROM transfer WHERE sender = ?1 AND id = ?2 AND ?17 IS NOT NULL; \
     INSERT INTO counterpart_log (origin, key, identity, size, root, checkpoint) \
     SELECT ?18, ?19, ?20, ?21, ?22, ?23 WHERE ?18 IS NOT NULL ON CONFLICT (origin) DO UPDATE SET \
     identity = excluded.identity, size = excluded.size, root = excluded.root, checkpoint = excluded.checkpoint";

macro_rules! step {
    ($answer:literal) => {
        concat!(
            "UPDATE transfer SET phase = ?2, reason = ?3, attempt = ?4, durable = ?5, mismatches = ?6, since = ?7 ",
            "WHERE number = ?1",
            $answer
        )
    };
}

/// A transfer's new state.
pub(super) const STEP: &str = step!("");

/// A transfer's new state and its receipt or refusal.
pub(super) const STEP_WITH_ANSWER: &str =
    step!("; INSERT INTO answer (transfer, what, text, entry) VALUES (?1, ?8, ?9, ?10)");

/// An acknowledgement and the transfers, by number, whose receipts it names.
pub(super) const ACKNOWLEDGE: &str = "INSERT INTO acknowledgement (text, entry) VALUES (?1, ?2); \
     UPDATE transfer SET acknowledged_at = ?3, \
     acknowledgement = (SELECT number FROM acknowledgement WHERE entry = ?2) \
     WHERE number IN (SELECT value FROM json_each(?4))";

/// The log grows by entries, `[[position, text, hash], …]`, and full nodes, `[[number, hash], …]`, under a new head in
/// place of the one of this size.
pub(super) const GROW_LOG: &str = "INSERT INTO log_entry (position, text, hash) \
     SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?1); \
     INSERT INTO log_node (number, hash) SELECT value ->> 0, unhex(value ->> 1) FROM json_each(?2); \
     UPDATE log_head SET size = ?3, root = ?4, checkpoint = ?5 WHERE size = ?6";

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
            RECEIPTS,
            LOOK,
            COUNTERPART_LOG,
            RUNNING,
            UNDELIVERED,
            OVERDUE,
            COUNTS,
            STEP,
        ];
        for query in all {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps = sqlx::query(explain).fetch_all(ledger.audit().pool()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            // A partial index holds only what is sought: going through it is no scan of the past.
            let scans = |step: &&String| {
                let bounded =
                    ["USING INDEX transfer_", "(subquery", "CONSTANT ROW", "tally", "VIRTUAL TABLE"];
                step.starts_with("SCAN") && !bounded.iter().any(|bounded| step.contains(bounded))
            };
            assert_eq!(steps.iter().find(scans), None, "{query}\n{steps:#?}");
        }
    }
}
