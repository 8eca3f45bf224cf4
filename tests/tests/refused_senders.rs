//! A clinic's clerk reads why the centre does not take their certificate, and what to do.

use certs_tool::revocation::{Reason, serial_in};
use pki::clock;
use protocol::kind::Kind;
use serde_json::Value;
use tests::{
    files::claims_file,
    lab::{TestLab, institution},
    sender::run,
};

#[tokio::test]
async fn a_sender_whose_certificate_was_revoked_is_told_so_before_any_content_leaves() {
    let lab = TestLab::new();
    let party = institution(Kind::Medical, 1);
    let site = lab.sender("clinic", &party, "127.0.0.1:1".parse().unwrap(), &[]);
    let serial = serial_in(&site.directory.join("tls/certificate.pem")).unwrap();
    lab.sites.authority().revoke(&serial, Reason::KeyCompromise, clock::now()).unwrap();
    // The centre reads its lists when it starts.
    let centre = lab.centre(&[]).await;
    let address = format!("\"{}\"", centre.address);
    lab::site::change(&site.settings, &[("centre.address", &address)]).unwrap();
    let file = lab.file("RECEIPTC.UKE", &claims_file(Kind::Medical, &party, 5_000, 1));

    let (settings, file) = (site.settings.to_str().unwrap(), file.to_str().unwrap());
    let (ended, told): (_, Value) = run(&["send", file, "--json", "--settings", settings]).await;
    let error = &told["files"][0]["error"];
    assert_eq!((ended.code(), error["code"].as_str()), (Some(3), Some("certificate_refused")), "{told}");
    assert!(error["message"].as_str().unwrap().contains("revoked"), "{error}");
    assert!(error["next"].as_str().unwrap().contains("withdrawn"), "{error}");
    assert_eq!(centre.inbox(), []);
}
