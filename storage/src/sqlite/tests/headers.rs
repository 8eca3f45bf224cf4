//! What many statements have in common is kept once, and every statement is what it was.

use super::*;
use crate::{
    audit::{AuditFault, Place},
    conformance::samples::*,
    transfer::{NewTransfer, Step},
};

/// The `n`-th offer of its sender, with a manifest as long as real ones are.
fn signed(header: &str, n: u64) -> NewTransfer {
    let manifest = format!("{header}.payload-{n}.signature.");
    NewTransfer { manifest_sha256: Sha256::of(manifest.as_bytes()), manifest, ..offer(n) }
}

async fn take(ledger: &SqliteLedger, offer: NewTransfer, receipt: String) -> Transfer {
    let key = checking(ledger, offer).await;
    let entry = entry_about(protocol::entry::Event::Committed, &receipt);
    let commit = Step { receipt: Some(receipt), entry: Some(entry), ..commit(&key, 1) };
    ledger.step(&key, commit).await.unwrap().transfer
}

/// Two transfers whose manifests have one header, and whose receipts another; from two runs of the program.
async fn two() -> (Bench, [Transfer; 2]) {
    let bench = Bench::new();
    let (sender, centre) = ("s".repeat(2000), "c".repeat(2000));
    let ledger = bench.open().await;
    let one = take(&ledger, signed(&sender, 1), format!("{centre}.1.")).await;
    ledger.close().await;
    let ledger = bench.open().await;
    let two = take(&ledger, signed(&sender, 2), format!("{centre}.2.")).await;
    ledger.close().await;
    (bench, [one, two])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_is_stored_once_and_every_statement_is_given_out_to_the_byte() {
    let (bench, transfers) = two().await;
    let headers: i64 = sqlx::query_scalar("SELECT count(*) FROM jws_header")
        .fetch_one(&mut bench.raw().await)
        .await
        .unwrap();
    assert_eq!(headers, 2);
    let ledger = bench.open().await;
    ledger.verify(&|_, _| {}).await.unwrap();
    for transfer in transfers {
        assert_eq!(found(&ledger, &transfer.key).await, transfer);
        assert!(transfer.manifest.len() > 2000 && transfer.receipt.is_some_and(|text| text.len() > 2000));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_that_was_altered_or_removed_shows_in_the_first_statement_that_has_it() {
    for (harm, expected) in [
        ("UPDATE jws_header SET text = replace(text, 's', 'S')", Place::Manifest(offer(1).key)),
        ("UPDATE jws_header SET text = replace(text, 'c', 'C')", Place::Receipt(offer(1).key)),
        ("DELETE FROM jws_header WHERE text LIKE 's%'", Place::Manifest(offer(1).key)),
        ("UPDATE manifest SET header = NULL WHERE transfer = 2", Place::Manifest(offer(2).key)),
        ("UPDATE answer SET header = 1 WHERE transfer = 2", Place::Receipt(offer(2).key)),
    ] {
        let (bench, _) = two().await;
        assert!(run(&mut bench.raw().await, harm).await > 0, "{harm}");
        let audit = SqliteAudit::open(&bench.path(), bench.log()).await.unwrap();
        match audit.verify(&|_, _| {}).await {
            Err(AuditFault::Damaged { place, .. }) => assert_eq!(place, expected, "{harm}"),
            other => panic!("{harm}: {other:?}"),
        }
    }
}
