//! What goes into a receipt, and whether the file is what it was declared as.

use crate::kind::Kind;

use super::{
    super::{ClaimsFacts, Mismatch, Warning},
    HEAD, check, complete, file,
};

#[test]
fn facts_hold_the_results_and_no_name() {
    let facts = check(&complete()).unwrap().facts(Kind::Medical).unwrap();
    let json = serde_json::to_string(&facts).unwrap();
    assert_eq!(
        json,
        r#"{"kind":"medical","institution":"1310000018","payer":1,"claim_month":"202610","#.to_owned()
            + r#""claims":2,"total_claims":3,"total_points":1234,"warnings":[]}"#
    );
    assert_eq!(serde_json::from_str::<ClaimsFacts>(&json).unwrap(), facts);
}

#[test]
fn facts_with_an_unknown_member_are_refused() {
    let facts = check(&complete()).unwrap().facts(Kind::Medical).unwrap();
    let mut json = serde_json::to_value(&facts).unwrap();
    json["name"] = "X".into();
    assert!(serde_json::from_value::<ClaimsFacts>(json).is_err());
}

#[test]
fn warnings_are_written_as_their_codes() {
    for warning in Warning::ALL {
        assert_eq!(serde_json::to_value(warning).unwrap(), warning.code());
    }
}

#[test]
fn a_file_matches_only_the_kinds_its_head_allows() {
    use Kind::{Dental, Dpc, HomeNursing, Medical, Pharmacy};
    let cases: [(&str, &str, &[Kind]); 9] = [
        ("UK", "1", &[Medical, Dpc]),
        ("UK", "3", &[Dental]),
        ("UK", "4", &[Pharmacy]),
        ("UK", "6", &[HomeNursing]),
        ("IR", "1", &[Medical, Dpc]),
        ("IR", "3", &[Dental]),
        ("YK", "4", &[Pharmacy]),
        ("HM", "6", &[HomeNursing]),
        ("YK", "1", &[]),
    ];
    for (record, table, kinds) in cases {
        let head = HEAD.replacen("UK", record, 1).replacen("13,1", &format!("13,{table}"), 1);
        let summary = check(&file(&[&head, "GO,0,0,99"])).unwrap();
        for kind in Kind::ALL {
            let expected = kinds.contains(&kind);
            assert_eq!(summary.head.matches_kind(kind).is_ok(), expected, "{record} {table} as {kind}");
            assert_eq!(summary.matches_kind(kind).is_ok(), expected, "{record} {table} as {kind}");
        }
    }
}

#[test]
fn dpc_records_in_a_file_declared_medical_are_a_mismatch() {
    let summary = check(&file(&[HEAD, "RE,1", "BU,1", "GO,1,0,99"])).unwrap();
    assert_eq!(summary.matches_kind(Kind::Medical), Err(Mismatch::DpcRecords));
    assert_eq!(summary.facts(Kind::Medical), Err(Mismatch::DpcRecords));
    assert_eq!(summary.facts(Kind::Dpc).unwrap().warnings, []);
}

#[test]
fn a_file_declared_dpc_without_dpc_records_is_only_warned_about() {
    let summary = check(&file(&[HEAD, "RE,1", "GO,1,0,99"])).unwrap();
    assert_eq!(summary.facts(Kind::Dpc).unwrap().warnings, [Warning::NoDpcRecord]);
    assert_eq!(summary.facts(Kind::Medical).unwrap().warnings, []);
}

#[test]
fn each_mismatch_has_a_code_of_its_own() {
    let codes = [Mismatch::HeadRecord, Mismatch::Table, Mismatch::DpcRecords].map(Mismatch::code);
    assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
}
