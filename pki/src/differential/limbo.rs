//! C2SP x509-limbo.

use std::{fs::File, io::Read as _, path::Path};

use protocol::moment::Moment;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Tally, Trial, suite};
use crate::pem;

#[derive(Deserialize)]
struct Limbo {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    description: String,
    validation_kind: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: String,
    expected_peer_name: Option<PeerName>,
    #[serde(default)]
    crls: Vec<String>,
}

#[derive(Deserialize)]
struct PeerName {
    value: String,
}

/// When the cases without a time of their own are judged: a time at which their certificates are meant to be good.
const USUAL_TIME: &str = "2024-01-01T00:00:00Z";

impl Case {
    /// `None` if the case cannot even be put to a verifier: its texts are no PEM, or its name no name.
    fn trial(&self) -> Option<Trial<'static>> {
        let origin = Path::new("limbo");
        let read = |texts: &[String]| {
            let each = texts.iter().map(|text| pem::certificates_in(text.as_bytes(), origin).ok());
            Some(each.collect::<Option<Vec<_>>>()?.concat())
        };
        let mut chain = pem::certificates_in(self.peer_certificate.as_bytes(), origin).ok()?;
        chain.extend(read(&self.untrusted_intermediates)?);
        let lists = self.crls.iter().map(|text| pem::crls_in(text.as_bytes(), origin).ok());
        let at = self.validation_time.as_deref().unwrap_or(USUAL_TIME);
        let at = OffsetDateTime::parse(at, &Rfc3339).unwrap();
        let server = match self.validation_kind.as_str() {
            "SERVER" => Some(ServerName::try_from(self.expected_peer_name.as_ref()?.value.clone()).ok()?),
            _ => None,
        };
        Some(Trial {
            anchors: read(&self.trusted_certs)?,
            chain,
            lists: lists.collect::<Option<Vec<_>>>()?.concat(),
            server,
            at: Moment::from_unix_ms(at.unix_timestamp() * 1000),
        })
    }
}

#[test]
fn case_23_limbo_we_are_never_looser_than_the_library_and_differ_from_the_suite_for_a_reason() {
    let Some(file) = suite("limbo.json.zst") else { return };
    let mut text = Vec::new();
    let mut decoder = ruzstd::decoding::StreamingDecoder::new(File::open(file).unwrap()).unwrap();
    decoder.read_to_end(&mut text).unwrap();
    let limbo: Limbo = serde_json::from_slice(&text).unwrap();
    let mut tally = Tally::default();
    let mut not_put = Vec::new();
    for case in &limbo.testcases {
        let id = format!("limbo/{}", case.id);
        let right = case.expected_result == "SUCCESS";
        let about = case.description.lines().next().unwrap_or_default();
        match case.trial() {
            Some(trial) => tally.note(&id, &trial, right, about),
            None => not_put.push(id),
        }
    }
    println!("not put to any verifier: {not_put:?}");
    assert!(limbo.testcases.len() > 100 && not_put.len() < 20, "{} cases", limbo.testcases.len());
    assert!(tally.accepted > 10, "only {} accepted: nothing was compared", tally.accepted);
    tally.assert_claims("limbo/");
}
