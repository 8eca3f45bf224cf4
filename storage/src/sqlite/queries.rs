//! The queries whose cost must not grow with the number of past transfers. Each must be answered from an index; a test
//! asks SQLite whether it is.

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

/// The receipt of a transfer and whether it was acknowledged.
pub(super) const RECEIPT: &str = "SELECT t.number, t.acknowledged_at, a.text FROM transfer t \
     JOIN answer a ON a.transfer = t.number AND a.what = 'receipt' WHERE t.sender = ?1 AND t.id = ?2";

/// Unfinished transfers of a sender, counted no further than needed.
pub(super) const UNFINISHED: &str = "SELECT count(*) FROM (SELECT 1 FROM transfer WHERE sender = ?1 \
     AND phase IN ('offered', 'receiving', 'checking', 'aborted') LIMIT ?2)";

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
        for query in [FIND, HELD, RECEIPT, UNFINISHED, RUNNING, UNDELIVERED, OVERDUE, COUNTS] {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"));
            let steps = sqlx::query(explain).fetch_all(ledger.audit().pool()).await.unwrap();
            let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
            // A partial index holds only what is sought: going through it is no scan of the past.
            let scans = |step: &&String| {
                let bounded = ["USING INDEX transfer_", "(subquery", "tally"];
                step.starts_with("SCAN") && !bounded.iter().any(|bounded| step.contains(bounded))
            };
            assert_eq!(steps.iter().find(scans), None, "{query}\n{steps:#?}");
        }
    }
}
