//! What is refused, and when it is known.

use super::{
    super::{ClaimsCheck, Fault, HeadField, RECORD_LENGTH_MAX},
    HEAD, check, check_in_chunks, complete, file,
};

#[test]
fn every_prefix_of_a_complete_file_is_a_fault() {
    let whole = complete();
    assert!(check(&whole).is_ok());
    for length in 0..whole.len() {
        let verdict = check(whole.get(..length).unwrap());
        let expected = if length == 0 { Fault::Empty } else { Fault::NoEndMark };
        assert_eq!(verdict, Err(expected), "the first {length} bytes");
    }
}

#[test]
fn every_file_cut_in_the_middle_and_closed_properly_is_a_fault() {
    let whole = complete();
    for length in 1..whole.len() {
        for closing in [&b"\x1A"[..], b"\r\n\x1A", b"\n\x1A"] {
            let cut = [whole.get(..length).unwrap(), closing].concat();
            if cut != whole {
                assert!(check(&cut).is_err(), "the first {length} bytes, closed with {closing:?}");
            }
        }
    }
}

#[test]
fn each_fault_is_found() {
    let head_without = |from: &str, to: &str| file(&[&HEAD.replacen(from, to, 1), "GO,0,0,99"]);
    let long = "x".repeat(RECORD_LENGTH_MAX);
    let cases: Vec<(&str, Vec<u8>, Fault)> = vec![
        ("no byte", vec![], Fault::Empty),
        ("an archive", b"PK\x03\x04".to_vec(), Fault::NotAClaimsFile),
        ("UTF-8 with mark", [b"\xEF\xBB\xBF", &file(&[HEAD])[..]].concat(), Fault::NotAClaimsFile),
        ("a payer-side file", file(&["MN,1", HEAD, "GO,0,0,99"]), Fault::NotAClaimsFile),
        ("a head without fields", file(&["UK", "GO,0,0,99"]), Fault::NotAClaimsFile),
        ("a blank first line", file(&["", HEAD, "GO,0,0,99"]), Fault::NotAClaimsFile),
        ("only the end mark", vec![0x1A], Fault::NotAClaimsFile),
        ("payer 3", head_without("UK,1", "UK,3"), Fault::BadHead(HeadField::Payer)),
        ("payer 1 with a blank", head_without("UK,1", "UK,1 "), Fault::BadHead(HeadField::Payer)),
        ("prefecture 48", head_without("13", "48"), Fault::BadHead(HeadField::Prefecture)),
        ("prefecture 00", head_without("13", "00"), Fault::BadHead(HeadField::Prefecture)),
        ("prefecture of one digit", head_without("13", "1"), Fault::BadHead(HeadField::Prefecture)),
        ("no fee table", head_without("13,1", "13,"), Fault::BadHead(HeadField::Table)),
        ("eight-digit code", head_without("0000018", "00000018"), Fault::BadHead(HeadField::Institution)),
        ("letters in the code", head_without("0000018", "000001B"), Fault::BadHead(HeadField::Institution)),
        ("month 13", head_without("202610", "202613"), Fault::BadHead(HeadField::ClaimMonth)),
        ("year 0 of 令和", head_without("202610", "50010"), Fault::BadHead(HeadField::ClaimMonth)),
        ("era 6", head_without("202610", "60110"), Fault::BadHead(HeadField::ClaimMonth)),
        (
            "a head cut short",
            file(&["UK,1,13,1,0000018", "GO,0,0,99"]),
            Fault::BadHead(HeadField::ClaimMonth),
        ),
        ("a long head", file(&[&format!("{HEAD}{long}"), "GO,0,0,99"]), Fault::LineTooLong),
        ("a long record", file(&[HEAD, &format!("CO,{long}"), "GO,0,0,99"]), Fault::LineTooLong),
        ("a long total", file(&[HEAD, &format!("GO,0,0,99,{long}")]), Fault::LineTooLong),
        ("no end mark", file(&[HEAD, "GO,0,0,99"]).strip_suffix(b"\x1A").unwrap().to_vec(), Fault::NoEndMark),
        ("an end mark in a record", file(&[HEAD, "CO,\x1A", "GO,0,0,99"]), Fault::EndMarkInRecord),
        (
            "a total without line end",
            b"UK,1,13,1,0000018,,X,202610,,00\r\nGO,0,0,99\x1A".to_vec(),
            Fault::EndMarkInRecord,
        ),
        ("two end marks", [&file(&[HEAD, "GO,0,0,99"])[..], b"\x1A"].concat(), Fault::BytesAfterEnd),
        (
            "a line end after the end mark",
            [&file(&[HEAD, "GO,0,0,99"])[..], b"\r\n"].concat(),
            Fault::BytesAfterEnd,
        ),
        ("two files in one", [file(&[HEAD, "GO,0,0,99"]), complete()].concat(), Fault::BytesAfterEnd),
        ("no total", file(&[HEAD, "RE,1"]), Fault::NoTotal),
        ("an end mark between records", file(&[HEAD, "RE,1", "\x1ARE,2", "GO,0,0,99"]), Fault::NoTotal),
        ("a claim after the total", file(&[HEAD, "GO,0,0,99", "RE,1"]), Fault::TotalNotLast),
        ("two totals", file(&[HEAD, "GO,0,0,99", "GO,0,0,99"]), Fault::TotalNotLast),
        ("a blank line after the total", file(&[HEAD, "GO,0,0,99", ""]), Fault::TotalNotLast),
        ("no number of claims", file(&[HEAD, "GO,,0,99"]), Fault::BadTotal),
        ("negative points", file(&[HEAD, "GO,1,-1,99"]), Fault::BadTotal),
        ("too many digits", file(&[HEAD, "GO,1,1234567890123456,99"]), Fault::BadTotal),
        ("full-width digits", file(&[HEAD, "GO,１,1,99"]), Fault::BadTotal),
        ("the first of two volumes", file(&[HEAD, "GO,1,1,00"]), Fault::VolumeIncomplete),
        ("no volume", file(&[HEAD, "GO,1,1"]), Fault::VolumeIncomplete),
        ("volume 099", file(&[HEAD, "GO,1,1,099"]), Fault::VolumeIncomplete),
        (
            "LF alone at the end",
            b"UK,1,13,1,0000018,,X,202610,,00\r\nGO,0,0,99\n\x1A".to_vec(),
            Fault::LineEnd,
        ),
    ];
    for (name, bytes, expected) in &cases {
        assert_eq!(check(bytes).map(drop), Err(*expected), "{name}");
        for cut in 0..=bytes.len() {
            let (start, end) = bytes.split_at(cut);
            assert_eq!(check_in_chunks([start, end]).map(drop), Err(*expected), "{name}, cut at {cut}");
        }
    }
    let codes: std::collections::BTreeSet<&str> = cases.iter().map(|(_, _, fault)| fault.code()).collect();
    assert_eq!(codes.len(), 12, "every fault has a case and a code of its own");
}

#[test]
fn a_record_of_exactly_the_limit_is_accepted() {
    let text = "x".repeat(RECORD_LENGTH_MAX - "CO,\r\n".len());
    let (fits, too_long) = (format!("CO,{text}"), format!("CO,{text}x"));
    for chunk in [1, 7, 100_000] {
        let verdict =
            |record: &str| check_in_chunks(file(&[HEAD, record, "GO,0,0,99"]).chunks(chunk)).map(drop);
        assert_eq!(verdict(&fits), Ok(()), "in chunks of {chunk}");
        assert_eq!(verdict(&too_long), Err(Fault::LineTooLong), "in chunks of {chunk}");
    }
}

#[test]
fn the_head_is_known_before_the_second_record() {
    let mut check = ClaimsCheck::new();
    check.update(HEAD.as_bytes());
    assert!(check.head().is_none());
    check.update(b"\r\n");
    assert_eq!(check.head().unwrap().institution().as_str(), "1310000018");
}

#[test]
fn a_file_of_another_kind_is_known_by_its_first_byte() {
    let mut check = ClaimsCheck::new();
    check.update(b"%");
    assert_eq!(check.fault(), Some(Fault::NotAClaimsFile));
}

#[test]
fn a_fault_stays_whatever_follows() {
    let mut check = ClaimsCheck::new();
    check.update(b"%");
    check.update(&complete());
    assert_eq!(check.finish(), Err(Fault::NotAClaimsFile));
}

#[test]
fn nothing_of_the_file_shows_in_a_fault_or_in_debug_output() {
    let mut check = ClaimsCheck::new();
    check.update(&file(&[HEAD, "RE,SECRET", "GO,SECRET,0,99"]));
    let shown = format!("{check:?} {:?} {}", check.fault(), check.fault().unwrap());
    assert!(!shown.contains("SECRET") && !shown.contains("83, 69, 67"), "{shown}");
}
