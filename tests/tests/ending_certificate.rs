//! A certificate that ends between offer and receipt ends no evidence: each statement is judged at the time when its
//! receiver judged it.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use certs_tool::{Profile, Validity};
use client::{Believed, verify_bundle};
use lab::proxy::{Fault, FaultProxy, Plan, Way};
use pki::clock;
use protocol::{jws::Unverified, kind::Kind, moment::Moment, statement::Receipt};
use tests::{
    files::claims_file,
    lab::{TestLab, institution},
    sender::{Sending, status},
};

/// Seconds that the certificate still counts: enough to offer a file, over before the second attempt. On a machine that is
/// too busy for the first, the next is tried.
const LEFT: [i64; 4] = [3, 6, 15, 40];

#[tokio::test]
async fn a_bundle_whose_manifest_was_signed_by_a_certificate_that_ended_before_the_receipt_verifies() {
    for left in LEFT {
        if verifies(left).await {
            return;
        }
    }
    panic!("nothing arrived, however long the certificate counted");
}

/// Does the bundle verify, of a file offered by a certificate that counts so long? False where nothing arrived: the
/// certificate had ended before the offer, or nothing is taken from it any more.
async fn verifies(left: i64) -> bool {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    // The first connection is cut in the content, and the second attempt waits until the certificate has ended.
    let plan = |number| match number {
        1 => Plan::clean().with(Way::Up, Fault::Reset { after: 100_000 }),
        _ => Plan::clean(),
    };
    let proxy = FaultProxy::start("127.0.0.1:0".parse().unwrap(), centre.address, plan).await.unwrap();
    let party = institution(Kind::Dpc, 1);
    // Half of a wait is certain, the rest random. A certificate's end is a whole second, and it counts to the end of that.
    let wait = format!("\"{}s\"", 2 * (left + 2));
    let waits = [("retry.first_wait", wait.as_str()), ("retry.longest_wait", &wait)];
    let site = lab.sender("hospital", &party, proxy.address(), &waits);
    let file = lab.file("RECEIPTD.UKE", &claims_file(Kind::Dpc, &party, 300_000, 1));
    let now = clock::now();
    let ends = Moment::from_unix_ms((now.unix_ms() / 1000 + left) * 1000);
    let validity = Validity::new(Moment::from_unix_ms(now.unix_ms() - 60_000), ends).unwrap();
    let issued = lab
        .sites
        .authority()
        .issue(Profile::Evidence, &site.identity, &[], &lab.path().join("ending"), validity)
        .unwrap();
    for (from, to) in [(&issued.cert_path, "certificate.pem"), (&issued.key_path, "key.pem")] {
        std::fs::copy(from, site.directory.join("evidence").join(to)).unwrap();
    }
    Sending::start(&site, &file).ended().await;
    let told = status(&site).await;
    let Some(arrived) = told.first().filter(|told| told.phase == "received") else { return false };
    assert_eq!(arrived.attempts.len(), 2, "{told:?}");

    let bundle = std::fs::read(arrived.bundle.as_ref().unwrap()).unwrap();
    let text: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
    let receipt = Unverified::<Receipt>::parse(text["receipt"].as_str().unwrap()).unwrap().claimed().clone();
    assert!(receipt.offered_at < ends && ends < receipt.received_at, "{ends} is not in between");
    let root = std::fs::read(lab.sites.authority().root_pem()).unwrap();
    let verified = verify_bundle(&bundle, Some(&file), Believed::of_lab(&root)).unwrap();
    assert_eq!(verified.length, receipt.length);
    // What is signed after its end is not taken: nothing was acknowledged.
    assert!(!verified.acknowledged);
    true
}
