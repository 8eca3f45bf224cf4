//! A sender that is killed goes on where it stopped, and ends with the receipt of one transfer.
//!
//! The kill comes just before a call that changes what is on its disk, at every such call from the first start to the
//! acknowledgement; and at other times in the middle of the content.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::sync::Arc;

use lab::{
    proxy::{Fault, FaultProxy, Plan},
    site::{SenderSite, change},
};
use protocol::{digest::Sha256, kind::Kind, party::Party};
use serde::Deserialize;
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    patience::patiently,
    sender::{Sending, run, status},
    shim::{Shim, at_every_call},
};

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_any_call_it_ends_with_the_receipt_of_one_transfer() {
    let lab = Arc::new(TestLab::new());
    let centre = Arc::new(lab.centre(&[]).await);
    let shim = Shim::build(&lab);
    let stories = at_every_call(|call| {
        let (lab, centre, shim) = (Arc::clone(&lab), Arc::clone(&centre), shim.clone());
        async move { killed_at(&lab, &centre, &shim, call).await }
    })
    .await;
    stories.iter().for_each(|report| println!("{report}"));
    assert!(!stories.is_empty());
    assert!(centre.verify_log().await.is_ok());
}

/// A sender that dies at this call: which one it was; nothing if it lived on to its own end.
async fn killed_at(lab: &TestLab, centre: &Centre, shim: &Shim, call: u32) -> Option<String> {
    let party = institution(Kind::Pharmacy, call);
    let site = lab.sender(&format!("sender-{call}"), &party, centre.address, &[]);
    let content = claims_file(Kind::Pharmacy, &party, 5_000, u64::from(call));
    let file = lab.file(&format!("files-{call}/RECEIPTY.CYO"), &content);
    let chosen = shim.die_at(&site.directory, call);
    chosen.arm();
    let ended = Sending::start_by(&site, &file, |program| chosen.command(program)).ended().await;
    let report = chosen.report();
    assert_eq!(report.is_none(), ended.success(), "{ended}: {report:?}");
    if report.is_some() {
        let mut again = Sending::start(&site, &file);
        assert!(again.ended().await.success(), "{report:?}");
    }
    one_transfer_with_its_receipt(lab, centre, &site, &party, &content).await;
    report
}

/// The sender knows of one transfer, which arrived; so does the centre; and all evidence of it verifies.
async fn one_transfer_with_its_receipt(
    lab: &TestLab,
    centre: &Centre,
    site: &SenderSite,
    party: &Party,
    content: &[u8],
) {
    // Whatever was left undone for the receipt's sake is done when the centre is asked.
    let settings = site.settings.to_str().unwrap();
    let (asked, _): (_, serde_json::Value) =
        run(&["status", "--ask", "--json", "--settings", settings]).await;
    assert!(asked.success(), "{asked}");
    let told = status(site).await;
    let [transfer] = told.as_slice() else { panic!("one transfer, not {told:?}") };
    assert_eq!(transfer.phase, "received");
    let bundle = transfer.bundle.clone().unwrap();
    let receipt = std::fs::read_to_string(bundle.with_file_name("receipt.jws")).unwrap();
    let key = protocol::transfer_id::TransferKey { sender: party.clone(), id: transfer.id };
    let delivered = centre.delivered(&key).await;
    assert!(delivered.content == content && delivered.receipt == receipt);
    let of_this_sender = format!(".{}.{}", party.role(), party.code());
    let all = centre.inbox();
    let own =
        all.iter().filter(|delivered| delivered.directory.display().to_string().ends_with(&of_this_sender));
    assert_eq!(own.count(), 1, "the file was delivered once");

    #[derive(Deserialize)]
    struct Verdict {
        ok: bool,
        verified: Evidence,
    }
    #[derive(Deserialize)]
    struct Evidence {
        sha256: Sha256,
        acknowledged: bool,
    }
    let anchors = lab.sites.authority().root_pem();
    let arguments = ["verify", "--json", bundle.to_str().unwrap(), "--anchors", anchors.to_str().unwrap()];
    let (_, verdict): (_, Verdict) = run(&arguments).await;
    assert!(verdict.ok && verdict.verified.acknowledged, "{party}");
    assert_eq!(verdict.verified.sha256, Sha256::of(content));
    let (_, log): (_, serde_json::Value) = run(&["log", "verify", "--json", "--settings", settings]).await;
    assert_eq!(log.get("ok"), Some(&serde_json::Value::Bool(true)), "{log}");
}

/// Content that goes on the line of its offer, and content that has a line of its own, by the other engine: its bytes, the number
/// of the connection that brings it, and how many of its bytes come.
const CONTENT: [(u64, u64, u64); 2] = [(7_000_000, 1, 5_000_000), (20_000_000, 2, 12_000_000)];

#[tokio::test]
async fn killed_in_the_middle_of_the_content_it_goes_on_from_the_durable_offset() {
    let [one, other] = CONTENT;
    tokio::join!(killed_in_the_middle(one), killed_in_the_middle(other));
}

async fn killed_in_the_middle((bytes, connection, come): (u64, u64, u64)) {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let party = institution(Kind::Dpc, 1);
    let content = claims_file(Kind::Dpc, &party, bytes, 1);
    let file = lab.file("RECEIPTD.UKE", &content);
    // The line for content is held in the middle, so that the sender stands there when it is killed.
    let plan = move |number| {
        if number == connection { Plan::clean().up(Fault::Silence { after: come }) } else { Plan::clean() }
    };
    let proxy = FaultProxy::start("127.0.0.1:0".parse().unwrap(), centre.address, plan).await.unwrap();
    let site = lab.sender("hospital", &party, proxy.address(), &[]);
    let mut sending = Sending::start(&site, &file);
    patiently("a line that is held", proxy.wait_until(|status| status.stalls == 1)).await;
    sending.process.kill().await.unwrap();
    // What it left in the systems on the way is lost with the line.
    drop(proxy);
    centre.logs(&["attempt aborted"]).await;
    let address = format!("\"{}\"", centre.address);
    change(&site.settings, &[("centre.address", address.as_str())]).unwrap();

    let mut again = Sending::start(&site, &file);
    assert!(again.ended().await.success());
    let told = status(&site).await;
    assert_eq!(told[0].attempts.len(), 2, "{told:?}");
    assert!(told[0].attempts[1].offset > come - 2_000_000, "{told:?}");
    one_transfer_with_its_receipt(&lab, &centre, &site, &party, &content).await;
}
