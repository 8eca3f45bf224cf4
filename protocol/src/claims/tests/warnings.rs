//! What is carried, and what is said about it.

use super::{
    super::{ClaimsCheck, Head, HeadRecord, Warning},
    HEAD, check, complete, file,
};

fn warnings(records: &[&str]) -> Vec<Warning> {
    check(&file(records)).unwrap().warnings
}

fn head(record: &str) -> Head {
    check(&file(&[record, "GO,0,0,99"])).unwrap().head
}

#[test]
fn a_complete_file_yields_what_it_says() {
    let summary = check(&complete()).unwrap();
    assert_eq!((summary.claims, summary.records, summary.bytes), (2, 8, complete().len() as u64));
    assert_eq!((summary.total_claims, summary.total_points), (3, 1234));
    assert!(!summary.is_dpc);
    assert_eq!(summary.warnings, []);
    assert_eq!(summary.head.record(), HeadRecord::Uk);
    assert_eq!((summary.head.payer(), summary.head.prefecture(), summary.head.table()), (1, 13, b'1'));
    assert_eq!(summary.head.review_agency_code().as_str(), "113");
    assert_eq!(summary.head.claim_month().to_string(), "202610");
}

#[test]
fn a_file_that_begins_with_ir_is_warned_about() {
    assert_eq!(warnings(&[&HEAD.replacen("UK", "IR", 1), "GO,0,0,99"]), [Warning::HeadWithoutUk]);
}

#[test]
fn a_wrong_check_digit_is_warned_about() {
    assert_eq!(warnings(&[&HEAD.replacen("0000018", "1234567", 1), "GO,0,0,99"]), [Warning::CheckDigit]);
}

#[test]
fn the_old_form_of_the_claim_month_is_warned_about() {
    assert_eq!(warnings(&[&HEAD.replacen("202610", "50810", 1), "GO,0,0,99"]), [Warning::OldClaimMonthForm]);
}

#[test]
fn more_claims_than_the_total_counts_are_warned_about() {
    assert_eq!(warnings(&[HEAD, "RE,1", "RE,2", "GO,1,0,99"]), [Warning::ClaimCountAboveTotal]);
    assert_eq!(warnings(&[HEAD, "RE,1", "GO,2,0,99"]), [], "併用 claims count more than once");
    assert_eq!(
        warnings(&[HEAD, "RE,1", "BU,1", "RE,2", "GO,1,0,99"]),
        [],
        "総括 claims have several RE records"
    );
}

#[test]
fn cr_and_lf_apart_are_warned_about() {
    for (name, text) in [("LF alone", "CO,a\nCO,b"), ("CR alone", "CO,a\rb"), ("LF CR", "CO,a\n\rCO,b")] {
        assert_eq!(warnings(&[HEAD, text, "GO,0,0,99"]), [Warning::LineEnds], "{name}");
    }
}

#[test]
fn a_record_after_lf_alone_is_still_a_record() {
    let summary = check(&file(&[HEAD, "CO,a\nRE,1", "GO,1,0,99"])).unwrap();
    assert_eq!((summary.claims, summary.records), (1, 4));
}

#[test]
fn unknown_record_ids_are_accepted() {
    assert_eq!(warnings(&[HEAD, "ZZ,1", "QX", "9A,,,", "GO,0,0,99"]), []);
}

#[test]
fn ids_count_only_at_the_beginning_of_a_record() {
    let summary = check(&file(&[HEAD, "CO,RE,GO,BU,", "XRE,1", "GOX,1", "REX", "GO,0,0,99"])).unwrap();
    assert_eq!((summary.claims, summary.is_dpc), (0, false));
}

#[test]
fn every_first_record_is_read() {
    let heads = [
        ("UK,2,01,3,0000015,,X,202610,0117,00", HeadRecord::Uk, "0130000015", "201"),
        ("IR,1,13,1,9999913,,X,42811,00,03", HeadRecord::Ir, "1319999913", "113"),
        ("IR,1,13,3,0000018,,202610,0300000000,0117", HeadRecord::Ir, "1330000018", "113"),
        ("IR,1,13,3,0000018,,202610,202601,0117", HeadRecord::Ir, "1330000018", "113"),
        ("YK,1,27,4,0000015,X,202610,00,06", HeadRecord::Yk, "2740000015", "127"),
        ("YK,1,27,4,0000015,,X,202610,00,06", HeadRecord::Yk, "2740000015", "127"),
        ("HM,2,47,6,0000015,X,202610,098", HeadRecord::Hm, "4760000015", "247"),
    ];
    for (text, record, institution, agency) in heads {
        let head = head(text);
        assert_eq!(head.record(), record, "{text}");
        assert_eq!(head.institution().as_str(), institution, "{text}");
        assert_eq!(head.review_agency_code().as_str(), agency, "{text}");
        assert!(["202610", "201611"].contains(&head.claim_month().to_string().as_str()), "{text}");
    }
}

#[test]
fn old_claim_months_become_western_ones() {
    for (old, western) in [
        ("42811", "201611"),
        ("50105", "201905"),
        ("50810", "202610"),
        ("36401", "198901"),
        ("10112", "186812"),
    ] {
        assert_eq!(head(&HEAD.replacen("202610", old, 1)).claim_month().to_string(), western, "{old}");
    }
}

#[test]
fn second_bytes_of_characters_are_never_taken_for_marks() {
    let leads = (0x81..=0x9F).chain(0xE0..=0xFC);
    let mut text = b"UK,1,13,1,0000018,,X,202610,,00\r\n".to_vec();
    let mut lines = 0;
    for lead in leads {
        for trails in [0x40..=0x7E, 0x80..=0xFC] {
            lines += 1;
            text.extend_from_slice(b"CO,");
            trails.for_each(|trail| text.extend_from_slice(&[lead, trail]));
            text.extend_from_slice(b"\r\n");
        }
    }
    text.extend_from_slice(b"GO,0,0,99\r\n\x1A");
    let summary = check(&text).unwrap();
    assert_eq!((summary.records, summary.claims, summary.warnings), (lines + 2, 0, vec![]));
}

#[test]
fn memory_does_not_grow_with_the_file() {
    assert!(size_of::<ClaimsCheck>() <= 2048, "{} bytes", size_of::<ClaimsCheck>());
}

#[test]
fn a_million_records_are_counted() {
    let mut check = ClaimsCheck::new();
    check.update(HEAD.as_bytes());
    check.update(b"\r\n");
    let claim = b"RE,1\r\nSI,1\r\n".repeat(1000);
    (0..500).for_each(|_| check.update(&claim));
    check.update(b"GO,500000,0,99\r\n\x1A");
    let summary = check.finish().unwrap();
    assert_eq!((summary.claims, summary.records, summary.warnings), (500_000, 1_000_002, vec![]));
}
