//! Whatever is altered behind the ledger's back, the full check finds and names.

use protocol::{
    entry::Event,
    merkle::{NodeId, leaf_hash},
    problem::Problem,
    transfer_id::TransferKey,
};
use sqlx::Row as _;

use super::*;
use crate::{
    audit::{AuditFault, Place},
    conformance::{dice::Dice, samples::*},
    transfer::Acknowledging,
};

/// A ledger with every kind of evidence, closed: two committed transfers of senders 1 and 2, one refused of sender 3,
/// one offered of sender 4, an acknowledgement of the first, and some entries beside.
async fn full() -> Bench {
    let bench = Bench::new();
    let ledger = bench.open().await;
    for _ in 0..5 {
        ledger.record(entry(Event::Denied)).await.unwrap();
    }
    let one = committed(&ledger, offer(1)).await;
    committed(&ledger, offer(2)).await;
    offered(&ledger, refused(offer(3), Problem::TooLarge)).await;
    offered(&ledger, offer(4)).await;
    let receipt = Sha256::of(one.receipt.unwrap().as_bytes());
    let acknowledging = Acknowledging {
        receipts: vec![(one.key, receipt)],
        text: "acknowledgement".to_owned(),
        at: moment(9),
        entry: entry_about(Event::Acknowledged, "acknowledgement"),
    };
    ledger.acknowledge(acknowledging).await.unwrap();
    for _ in 0..7 {
        ledger.record(entry(Event::Denied)).await.unwrap();
    }
    ledger.close().await;
    bench
}

/// The entry of the acknowledgement above.
const ACKNOWLEDGED_IN: u64 = 13;

fn nth(n: u64) -> TransferKey {
    key(&sender(n), n)
}

async fn first_damage(bench: &Bench) -> Option<Place> {
    first_damage_and_what(bench).await.map(|(place, _)| place)
}

async fn first_damage_and_what(bench: &Bench) -> Option<(Place, &'static str)> {
    let audit = SqliteAudit::open(&bench.path(), bench.log()).await.unwrap();
    let verified = audit.verify(&|_, _| {}).await;
    audit.close().await;
    match verified {
        Ok(_) => None,
        Err(AuditFault::Damaged { place, what }) => Some((place, what)),
        Err(fault) => panic!("not named: {fault:?}"),
    }
}

#[tokio::test]
async fn a_flipped_bit_in_any_hash_or_text_is_found_and_named() {
    let mut dice = Dice::from_seed();
    let bench = full().await;
    assert_eq!(first_damage(&bench).await, None);
    let mut raw = bench.raw().await;
    let transfer_of = |number: i64| nth(number.cast_unsigned());
    let node_place = |number: i64| {
        let ids = (1..10u8).flat_map(|level| (0..64).map(move |index| NodeId { level, index }));
        let id = ids.into_iter().find(|id| log::node_number(*id) == number.cast_unsigned()).unwrap();
        Place::Node { level: id.level, index: id.index }
    };
    // (table, its key, column, rounds, where the harm is)
    type Harm<'a> = (&'a str, &'a str, &'a str, u64, Box<dyn Fn(i64) -> Place + 'a>);
    let entry_place = |place: i64| Place::Entry(place.cast_unsigned());
    let answer_place = move |number: i64| match number {
        3 => Place::Refusal(transfer_of(3)),
        _ => Place::Receipt(transfer_of(number)),
    };
    let harms: [Harm; 11] = [
        ("log_entry", "position", "text", 3, Box::new(entry_place)),
        ("log_entry", "position", "hash", 1, Box::new(entry_place)),
        ("log_node", "number", "hash", 1, Box::new(node_place)),
        ("log_head", "only_row", "root", 3, Box::new(|_| Place::Checkpoint)),
        ("log_head", "only_row", "checkpoint", 20, Box::new(|_| Place::Checkpoint)),
        ("manifest", "transfer", "text", 3, Box::new(|number| Place::Manifest(transfer_of(number)))),
        ("answer", "transfer", "text", 3, Box::new(answer_place)),
        ("answer", "transfer", "sha256", 1, Box::new(answer_place)),
        ("acknowledgement", "number", "text", 3, Box::new(|_| Place::Acknowledgement(ACKNOWLEDGED_IN))),
        ("transfer", "number", "sha256", 1, Box::new(|number| Place::Transfer(transfer_of(number)))),
        ("transfer", "number", "manifest_sha256", 1, Box::new(|number| Place::Transfer(transfer_of(number)))),
    ];
    for (table, key, column, rounds, place) in harms {
        let select = format!("SELECT {key}, CAST({column} AS BLOB), typeof({column}) FROM {table}");
        let rows = sqlx::query(AssertSqlSafe(select)).fetch_all(&mut raw).await.unwrap();
        assert!(!rows.is_empty());
        for row in rows {
            let (number, good, kind): (i64, Vec<u8>, String) = (row.get(0), row.get(1), row.get(2));
            for _ in 0..rounds {
                let (byte, bit) = (dice.below(good.len() as u64) as usize, dice.below(8));
                let mut bad = good.clone();
                bad[byte] ^= 1 << bit;
                let set = format!("UPDATE {table} SET {column} = CAST(?1 AS {kind}) WHERE {key} = ?2");
                let put = async |raw: &mut SqliteConnection, bytes: &[u8]| {
                    let query = sqlx::query(AssertSqlSafe(set.clone())).bind(bytes.to_vec()).bind(number);
                    assert_eq!(query.execute(raw).await.unwrap().rows_affected(), 1);
                };
                put(&mut raw, &bad).await;
                let found = first_damage(&bench).await;
                assert_eq!(found, Some(place(number)), "{table}.{column} {number}, byte {byte}, bit {bit}");
                put(&mut raw, &good).await;
            }
        }
    }
    assert_eq!(first_damage(&bench).await, None);
}

#[tokio::test]
async fn what_was_removed_added_exchanged_or_rewritten_is_found_and_named() {
    // By way of a value that no row has.
    let swap = |table: &str, column: &str, key: &str, one: i64, two: i64| {
        let set =
            |row: i64, value: &str| format!("UPDATE {table} SET {column} = {value} WHERE {key} = {row};");
        let kept = |row: i64| format!("(SELECT kept FROM swap WHERE row = {row})");
        format!(
            "CREATE TEMP TABLE IF NOT EXISTS swap (row, kept); DELETE FROM swap; \
             INSERT INTO swap SELECT {key}, {column} FROM {table} WHERE {key} IN ({one}, {two}); {}{}{}",
            set(
                one,
                &format!(
                    "CASE typeof({column}) WHEN 'integer' THEN 999 WHEN 'text' THEN 'none' ELSE x'00' END"
                )
            ),
            set(two, &kept(one)),
            set(one, &kept(two)),
        )
    };
    let (receipt, refusal, manifest) =
        (|n| Place::Receipt(nth(n)), |n| Place::Refusal(nth(n)), |n| Place::Manifest(nth(n)));
    let row = |n| Place::Transfer(nth(n));
    for (harm, expected) in [
        // Dropped from the log, at its beginning, middle and end.
        ("DELETE FROM log_entry WHERE position = 0".to_owned(), Place::Entry(0)),
        ("DELETE FROM log_entry WHERE position = 7".to_owned(), Place::Entry(7)),
        ("DELETE FROM log_entry WHERE position = 20".to_owned(), Place::Entry(20)),
        ("DELETE FROM log_node WHERE number = 3".to_owned(), Place::Node { level: 1, index: 2 }),
        ("DELETE FROM log_head".to_owned(), Place::Checkpoint),
        // Put in behind the signed head.
        ("INSERT INTO log_entry VALUES (21, 'more', zeroblob(32))".to_owned(), Place::Entry(21)),
        // Reordered, text alone and text with hash.
        (swap("log_entry", "text", "position", 5, 12), Place::Entry(5)),
        (
            swap("log_entry", "text", "position", 5, 12) + &swap("log_entry", "hash", "position", 5, 12),
            Place::Entry(5),
        ),
        // Evidence that is gone.
        ("DELETE FROM answer WHERE transfer = 1".to_owned(), receipt(1)),
        ("DELETE FROM answer WHERE transfer = 3".to_owned(), refusal(3)),
        ("DELETE FROM manifest WHERE transfer = 4".to_owned(), manifest(4)),
        ("DELETE FROM acknowledgement".to_owned(), Place::Acknowledgement(ACKNOWLEDGED_IN)),
        ("DELETE FROM transfer WHERE number = 2".to_owned(), manifest(2)),
        // Gone with every row that spoke of it, so that the ledger alone contradicts nothing.
        (
            "UPDATE transfer SET acknowledged_at = NULL, acknowledgement = NULL; DELETE FROM acknowledgement"
                .to_owned(),
            Place::Acknowledgement(ACKNOWLEDGED_IN),
        ),
        (
            "DELETE FROM manifest WHERE transfer = 4; DELETE FROM transfer WHERE number = 4".to_owned(),
            manifest(4),
        ),
        // Evidence of another.
        (swap("answer", "text", "transfer", 1, 2), receipt(1)),
        (swap("answer", "entry", "transfer", 1, 2), receipt(2)),
        (swap("manifest", "text", "transfer", 1, 2), manifest(1)),
        (swap("transfer", "id", "number", 1, 2), Place::Manifest(key(&sender(1), 2))),
        ("UPDATE answer SET entry = 0 WHERE transfer = 1".to_owned(), receipt(1)),
        ("UPDATE answer SET what = 'refusal' WHERE transfer = 1".to_owned(), refusal(1)),
        // A forged receipt with its own hash beside it.
        (format!("UPDATE answer SET text = 'abc', sha256 = x'{}'", Sha256::of(b"abc")), receipt(1)),
        // What the ledger says of the transfer.
        ("UPDATE transfer SET length = length + 1 WHERE number = 1".to_owned(), row(1)),
        ("UPDATE transfer SET class = 'public' WHERE number = 2".to_owned(), row(2)),
        ("UPDATE transfer SET kind = 'dental' WHERE number = 2".to_owned(), row(2)),
        ("UPDATE transfer SET phase = 'offered' WHERE number = 2".to_owned(), row(2)),
        ("UPDATE transfer SET phase = 'committed' WHERE number = 4".to_owned(), receipt(4)),
        ("UPDATE transfer SET acknowledged_at = NULL WHERE number = 1".to_owned(), row(1)),
    ] {
        let bench = full().await;
        assert!(run(&mut bench.raw().await, &harm).await > 0, "{harm}");
        let (place, what) = first_damage_and_what(&bench).await.unwrap();
        assert_eq!(place, expected, "{harm}");
        assert!(!harm.starts_with("DELETE FROM log") || what == "it is missing", "{harm}: {what}");
    }
}

#[tokio::test]
async fn an_entry_that_was_rewritten_with_its_hash_shows_in_what_is_above() {
    // The last of an odd number of leaves has nothing above it but the root.
    for (position, shows_in) in [(6, Place::Node { level: 1, index: 3 }), (20, Place::Checkpoint)] {
        let bench = full().await;
        let mut raw = bench.raw().await;
        let text: String = sqlx::query_scalar("SELECT text FROM log_entry WHERE position = ?1")
            .bind(position)
            .fetch_one(&mut raw)
            .await
            .unwrap();
        let forged = text.replace("unknown", "synchronised");
        assert_ne!(forged, text);
        sqlx::query("UPDATE log_entry SET text = ?1, hash = ?2 WHERE position = ?3")
            .bind(&forged)
            .bind(leaf_hash(forged.as_bytes()).as_bytes().as_slice())
            .bind(position)
            .execute(&mut raw)
            .await
            .unwrap();
        assert_eq!(first_damage(&bench).await, Some(shows_in));
    }
}

#[tokio::test]
async fn a_log_rebuilt_from_forged_entries_lacks_the_signature() {
    let bench = full().await;
    let forger = Bench { signer: signer(9), ..Bench::new() };
    let ledger = forger.open().await;
    ledger.record(entry(Event::Denied)).await.unwrap();
    ledger.close().await;
    std::fs::copy(forger.path(), bench.path()).unwrap();
    assert_eq!(first_damage(&bench).await, Some(Place::Checkpoint));
}

#[tokio::test]
async fn a_proof_over_a_missing_node_names_it() {
    let bench = full().await;
    run(&mut bench.raw().await, "DELETE FROM log_node WHERE number = 0").await;
    run(&mut bench.raw().await, "DELETE FROM log_entry WHERE position = 5").await;
    let audit = SqliteAudit::open(&bench.path(), bench.log()).await.unwrap();
    for (proof, expected) in [
        (audit.inclusion(2, 21).await, Place::Node { level: 1, index: 0 }),
        (audit.inclusion(4, 21).await, Place::Entry(5)),
    ] {
        match proof {
            Err(AuditFault::Damaged { place, .. }) => assert_eq!(place, expected),
            other => panic!("{other:?}"),
        }
    }
}
