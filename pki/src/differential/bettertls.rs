//! Netflix BetterTLS.

use std::{collections::HashMap, fs::File, io::BufReader};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use protocol::moment::Moment;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::Deserialize;

use super::{Tally, Trial, suite};
use crate::{clock::moment_of_asn1, leaf};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BetterTls {
    trust_root: String,
    suites: HashMap<String, Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    test_cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    id: u32,
    certificates: Vec<String>,
    hostname: String,
    required_features: Vec<String>,
    expected: String,
    failure_is_warning: bool,
}

fn certificate(text: &str) -> CertificateDer<'static> {
    STANDARD.decode(text).unwrap().into()
}

#[test]
fn case_23_bettertls_we_are_never_looser_than_the_library_and_differ_from_the_suite_for_a_reason() {
    let Some(file) = suite("bettertls.json.xz") else { return };
    let mut text = Vec::new();
    lzma_rs::xz_decompress(&mut BufReader::new(File::open(file).unwrap()), &mut text).unwrap();
    let all: BetterTls = serde_json::from_slice(&text).unwrap();
    let root = certificate(&all.trust_root);
    let begins = moment_of_asn1(leaf::parse(&root).unwrap().validity().not_before);
    // A day after the suite was made: what is meant to be good is, what is meant to have ended has.
    let at = Moment::from_unix_ms(begins.unix_ms() + 24 * 60 * 60 * 1000);
    let mut tally = Tally::default();
    for (suite, cases) in &all.suites {
        for case in &cases.test_cases {
            let id = format!("bettertls/{suite}/{}", case.id);
            let trial = Trial {
                anchors: vec![root.clone()],
                chain: case.certificates.iter().map(|text| certificate(text)).collect(),
                lists: vec![],
                server: Some(ServerName::try_from(case.hostname.clone()).unwrap()),
                at,
            };
            // A warning is a case on which programs may differ.
            let right = case.expected == "ACCEPT" || case.failure_is_warning;
            tally.note(&id, &trial, right, &case.required_features.join(" "));
        }
    }
    assert!(tally.accepted + tally.refused > 1000, "{} cases", tally.accepted + tally.refused);
    assert!(tally.accepted > 100, "only {} accepted: nothing was compared", tally.accepted);
    tally.assert_claims("bettertls/");
}
