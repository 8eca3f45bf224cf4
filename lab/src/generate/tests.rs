//! Claims of the generator: what it writes is what a claims software would write, and always the same.

use std::collections::BTreeMap;

use protocol::claims::{ClaimsCheck, Summary};

use super::*;

const KINDS: [Kind; 3] = [Kind::Medical, Kind::Dpc, Kind::Pharmacy];

fn order(kind: Kind, target_bytes: u64, seed: u64) -> Order {
    Order {
        kind,
        institution: synthetic_institution(13, kind.table(), 1),
        payer: 1,
        claim_month: ClaimMonth::new(2026, 10).unwrap(),
        target_bytes,
        seed,
        planted: None,
    }
}

fn generate(order: &Order) -> (Vec<u8>, Written) {
    let mut bytes = Vec::new();
    let written = write_claims_file(order, &mut bytes).unwrap();
    (bytes, written)
}

fn check(bytes: &[u8]) -> Summary {
    let mut check = ClaimsCheck::new();
    check.update(bytes);
    check.finish().unwrap()
}

/// The records of a file, each as its fields.
fn records(bytes: &[u8]) -> impl Iterator<Item = Vec<&[u8]>> {
    let records = bytes.strip_suffix(b"\r\n\x1A").unwrap().split(|byte| *byte == b'\n');
    records.map(|record| record.strip_suffix(b"\r").unwrap_or(record).split(|byte| *byte == b',').collect())
}

fn number(field: &[u8]) -> u64 {
    std::str::from_utf8(field).unwrap().parse().unwrap()
}

#[test]
fn every_kind_passes_the_claims_check_without_a_warning() {
    for kind in KINDS {
        for (prefecture, payer, month) in [(1, 1, 1), (13, 2, 2), (27, 1, 12), (47, 2, 3)] {
            let order = Order {
                institution: synthetic_institution(prefecture, kind.table(), 10_007),
                payer,
                claim_month: ClaimMonth::new(2026, month).unwrap(),
                ..order(kind, 300_000, u64::from(prefecture))
            };
            let (bytes, written) = generate(&order);
            let summary = check(&bytes);
            let facts = summary.facts(kind).unwrap();
            assert_eq!(facts.warnings, [], "{kind}");
            assert_eq!(facts.institution, order.institution, "{kind}");
            assert_eq!((facts.payer, facts.claim_month), (payer, order.claim_month), "{kind}");
            assert_eq!((summary.bytes, summary.claims), (written.bytes, written.claims), "{kind}");
            assert_eq!(summary.is_dpc, kind == Kind::Dpc, "{kind}");
        }
    }
}

#[test]
fn every_file_is_strict_shift_jis() {
    for kind in KINDS {
        let (bytes, _) = generate(&order(kind, 500_000, 2));
        let text = encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(&bytes);
        assert!(text.unwrap().contains('\u{3000}'), "{kind}");
    }
}

#[test]
fn every_line_ends_with_cr_lf_and_no_field_holds_a_quote() {
    for kind in KINDS {
        let (bytes, _) = generate(&order(kind, 200_000, 3));
        for record in records(&bytes) {
            assert_eq!(record[0].len(), 2, "{kind}");
            assert!(
                record.iter().all(|field| field.iter().all(|byte| *byte >= b' ' && *byte != b'"')),
                "{kind}"
            );
        }
        let line_feeds = bytes.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(count_pairs(&bytes, b"\r\n"), line_feeds, "{kind}");
    }
}

fn count_pairs(bytes: &[u8], pair: &[u8; 2]) -> usize {
    bytes.windows(2).filter(|window| window == pair).count()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    for kind in KINDS {
        assert_eq!(generate(&order(kind, 100_000, 4)), generate(&order(kind, 100_000, 4)), "{kind}");
        assert_ne!(generate(&order(kind, 100_000, 4)).0, generate(&order(kind, 100_000, 5)).0, "{kind}");
    }
}

#[test]
fn totals_are_those_of_the_claims() {
    for kind in KINDS {
        let (bytes, written) = generate(&order(kind, 400_000, 6));
        let summary = check(&bytes);
        let (mut claims, mut counted, mut points) = (0, 0, 0);
        for record in records(&bytes) {
            match record[0] {
                b"RE" => claims += 1,
                b"HO" => (counted, points) = (counted + 1, points + number(record[5])),
                b"KO" => counted += 1,
                _ => {}
            }
        }
        assert_eq!(claims, written.claims, "{kind}");
        assert_eq!((counted, points), (summary.total_claims, summary.total_points), "{kind}");
        assert!(counted > claims, "{kind}: some claims are shared with 公費");
    }
}

#[test]
fn the_points_of_a_medical_claim_are_those_of_its_services() {
    let (bytes, _) = generate(&order(Kind::Medical, 200_000, 7));
    let (mut claimed, mut served) = (Vec::new(), Vec::new());
    for record in records(&bytes) {
        match record[0] {
            b"HO" => {
                claimed.push(number(record[5]));
                served.push(0);
            }
            b"SI" | b"IY" | b"TO" => *served.last_mut().unwrap() += number(record[5]) * number(record[6]),
            _ => {}
        }
    }
    assert_eq!(claimed, served);
}

#[test]
fn the_flat_rate_of_a_dpc_claim_covers_each_day_of_the_stay_once() {
    let (bytes, _) = generate(&order(Kind::Dpc, 300_000, 16));
    let (mut stayed, mut covered) = (Vec::new(), Vec::new());
    for record in records(&bytes) {
        match record[0] {
            b"HO" => {
                stayed.push((number(record[4]), number(record[5])));
                covered.push((0, 0));
            }
            b"HH" => {
                let (days, points) = covered.last_mut().unwrap();
                (*days, *points) = (*days + number(record[7]), *points + number(record[8]));
            }
            b"SI" | b"IY" | b"TO" => covered.last_mut().unwrap().1 += number(record[5]) * number(record[6]),
            _ => {}
        }
    }
    assert_eq!(stayed, covered);
}

#[test]
fn records_have_as_many_fields_as_the_specification_says() {
    let expected: BTreeMap<&[u8], usize> = [
        (&b"UK"[..], 10),
        (b"IR", 10),
        (b"RE", 38),
        (b"HO", 15),
        (b"KO", 12),
        (b"SN", 9),
        (b"JD", 33),
        (b"MF", 33),
        (b"SY", 8),
        (b"SI", 44),
        (b"IY", 44),
        (b"TO", 48),
        (b"CO", 5),
        (b"SJ", 3),
        (b"GO", 4),
    ]
    .into();
    let (bytes, _) = generate(&order(Kind::Medical, 1_000_000, 8));
    let mut seen = BTreeMap::new();
    for record in records(&bytes) {
        assert_eq!(Some(&record.len()), expected.get(record[0]), "{}", String::from_utf8_lossy(record[0]));
        *seen.entry(record[0]).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), expected.len(), "every record occurs: {seen:?}");
}

#[test]
fn dpc_and_pharmacy_files_hold_the_records_of_their_kind() {
    let ids = |kind| {
        let (bytes, _) = generate(&order(kind, 1_000_000, 9));
        records(&bytes).map(|record| String::from_utf8_lossy(record[0]).into_owned()).collect::<Vec<_>>()
    };
    for (kind, expected) in [
        (Kind::Dpc, "UK IR RE HO KO SN JD MF BU SB KK SK GA HH GT SI IY TO CO SJ CD GO"),
        (Kind::Pharmacy, "YK RE HO KO SN JD MF SH CZ IY TO CO TK KI GO"),
    ] {
        let seen = ids(kind);
        for id in expected.split(' ') {
            assert!(seen.iter().any(|is| is == id), "{kind}: {id}");
        }
        assert!(seen.iter().all(|id| expected.contains(id.as_str())), "{kind}");
    }
}

#[test]
fn insurers_and_public_payers_have_valid_check_digits() {
    for payer in [1, 2] {
        let (bytes, _) = generate(&Order { payer, ..order(Kind::Medical, 200_000, 10) });
        for record in records(&bytes) {
            if matches!(record[0], b"HO" | b"KO") {
                assert!(protocol::claims::check_digit::luhn_holds(record[1]));
            }
        }
    }
}

#[test]
fn the_length_is_the_target_or_little_more() {
    for kind in KINDS {
        for target in [0, 1000, 100_000, 777_777, 5_000_000] {
            let (bytes, written) = generate(&order(kind, target, 11));
            assert_eq!(bytes.len() as u64, written.bytes);
            assert!(
                written.bytes >= target && written.bytes < target + 40_000,
                "{kind} {target}: {}",
                written.bytes
            );
        }
    }
}

#[test]
fn a_planted_marker_stands_in_every_name_field() {
    for kind in KINDS {
        let marker = "漏洩検知ＸＹＺ";
        let (bytes, written) =
            generate(&Order { planted: Some(marker.to_owned()), ..order(kind, 50_000, 12) });
        let (encoded, _, _) = encoding_rs::SHIFT_JIS.encode(marker);
        let named = records(&bytes).filter(|record| record[0] == b"RE" && record[4] == &encoded[..]).count();
        assert_eq!(named as u64, written.claims, "{kind}");
        check(&bytes);
    }
}

#[test]
fn treatment_lies_in_the_months_before_the_claim_month() {
    let january =
        Order { claim_month: ClaimMonth::new(2026, 1).unwrap(), ..order(Kind::Medical, 300_000, 13) };
    let (bytes, _) = generate(&january);
    for record in records(&bytes).filter(|record| record[0] == b"RE") {
        assert!([202_512, 202_511].contains(&number(record[3])));
    }
}

#[test]
fn an_order_that_makes_no_sense_is_refused_and_nothing_written() {
    let good = order(Kind::Medical, 1000, 14);
    let bad = [
        Order { kind: Kind::Dental, institution: synthetic_institution(13, b'3', 1), ..good.clone() },
        Order { kind: Kind::Pharmacy, ..good.clone() },
        Order { institution: "131".parse().unwrap(), ..good.clone() },
        Order { payer: 3, ..good.clone() },
        Order { claim_month: ClaimMonth::new(1899, 12).unwrap(), ..good.clone() },
        Order { planted: Some("a,b".to_owned()), ..good },
    ];
    for order in bad {
        let mut out = Vec::new();
        let refused = write_claims_file(&order, &mut out).unwrap_err();
        assert_eq!((refused.kind(), out.len()), (io::ErrorKind::InvalidInput, 0), "{order:?}");
    }
}

#[test]
fn a_writer_that_fails_ends_the_work() {
    let mut room = [0; 1000];
    assert!(write_claims_file(&order(Kind::Dpc, 1_000_000_000_000, 15), &mut &mut room[..]).is_err());
}
