//! A centre that is killed leaves one whole file or none, and its sender ends with the receipt.
//!
//! The kill comes just before a call that changes what is on the disk, at every such call of a transfer's life: before
//! its commit, during it and after it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::{path::PathBuf, sync::Arc};

use protocol::{
    kind::Kind,
    statement::Manifest,
    wire::{ACKNOWLEDGEMENTS, JOSE, State},
};
use tests::{
    centre::{Centre, spooled},
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    patience::patiently,
    shim::{Shim, at_every_call},
    wire::{Caller, offer, post, send_head},
};

#[tokio::test(flavor = "multi_thread")]
async fn case_46_killed_before_any_call_it_leaves_one_whole_file_or_none_and_the_sender_gets_its_receipt() {
    killed_at_every_call_with(300_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_keeps_small_content_with_others() {
    killed_at_every_call_with(5_000).await;
}

async fn killed_at_every_call_with(length: u64) {
    let lab = Arc::new(TestLab::new());
    let shim = Shim::build(&lab);
    let stories = at_every_call(|call| {
        let (lab, shim) = (Arc::clone(&lab), shim.clone());
        async move { killed_at(&lab, &shim, call, length).await }
    })
    .await;
    for Story { report, held_receipt } in &stories {
        println!("{report}{}", if *held_receipt { ", after the receipt had left" } else { "" });
    }
    assert!(stories.iter().any(|story| story.held_receipt), "some kills came after the commit");
    assert!(stories.iter().any(|story| !story.held_receipt), "some kills came before the commit");
}

/// What a killed centre left.
struct Story {
    report: String,
    held_receipt: bool,
}

/// One transfer with a centre that dies at this call; nothing if it lived on to its own end.
async fn killed_at(lab: &TestLab, shim: &Shim, call: u32, length: u64) -> Option<Story> {
    let site = lab.sites.centre(&format!("centre-{call}"), &[]).unwrap();
    let chosen = shim.die_at(&site.directory, call);
    let mut centre = Centre::start_by(site, |program| chosen.command(program)).await;
    let party = institution(Kind::Pharmacy, call);
    let sender = lab.sender(&format!("sender-{call}"), &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&sender, centre.address), Papers::of(&sender));
    let content = claims_file(Kind::Pharmacy, &party, length, u64::from(call));
    let manifest = papers.manifest(Kind::Pharmacy, &content);
    let (key, text) = (manifest.key(), papers.sign(&manifest));

    chosen.arm();
    let held = send(&caller, &manifest, &text, &content).await;
    if let Some(receipt) = &held {
        let acknowledgement = papers.acknowledgement(&key, receipt);
        let acknowledgement = post(ACKNOWLEDGEMENTS, JOSE, acknowledgement.as_bytes());
        caller.try_ask(&acknowledgement).await;
        // It delivers, or dies before.
        let delivered = |line: &str| line.contains("delivered").then_some(());
        patiently("a delivery", centre.process.err.wait_for(delivered)).await;
    }
    let ended = centre.stop().await;
    let report = chosen.report();
    assert_eq!(report.is_none(), ended.success(), "{ended}: {report:?}");
    let report = report?;

    // The sender offers the same id again, goes on from where the centre stands, and ends with the receipt.
    let mut centre = centre.again().await;
    let caller = caller.at(centre.address);
    let state: State = caller.offer(&text).await.json();
    let receipt = match state.receipt {
        Some(answer) => answer.receipt,
        None => caller.send(&key, &content).await.receipt(),
    };
    if let Some(held) = &held {
        assert_eq!(*held, receipt, "{report}: the receipt that left is the one for ever");
    }
    assert_eq!(caller.receipt(&key).await.text(), receipt, "{report}");
    centre.until("everything is delivered", |status| status.undelivered == 0).await;
    let inbox = centre.inbox();
    assert_eq!(inbox.len(), 1, "{report}");
    assert!(inbox[0].content == content && inbox[0].receipt == receipt, "{report}");
    assert!(centre.stop().await.success(), "{report}");
    centre.verify_log().await.unwrap_or_else(|fault| panic!("{report}: {fault}"));
    let left: Vec<_> = spooled(&centre.site)
        .into_iter()
        .filter(|file| {
            let path = file.display().to_string();
            path.contains(&key.id.to_string()) || path.contains("/segments/")
        })
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new(), "{report}");
    Some(Story { report, held_receipt: held.is_some() })
}

/// Offers and sends, as far as the centre lives; the receipt, if it came.
async fn send(caller: &Caller, manifest: &Manifest, text: &str, content: &[u8]) -> Option<String> {
    let offered = caller.try_ask(&offer(text)).await?;
    assert_eq!(offered.status, 201, "{}", offered.text());
    let head = send_head(&manifest.key(), 0, content.len() as u64);
    let sent = caller.try_ask(&[&head, content].concat()).await?;
    Some(sent.receipt())
}
