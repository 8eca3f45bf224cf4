//! A centre that is killed leaves one whole file or none, and its sender ends with the receipt.
//!
//! The kill comes just before a call that changes what is on the disk, at every such call of a transfer's life: before
//! its commit, during it and after it. Of the many calls for large content, those that differ are chosen. And it comes in the
//! middle of one long attempt.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use protocol::{
    cause::Cause,
    kind::Kind,
    limits::{DURABLE_OFFSET_EVERY, PIECE_BYTES},
    transfer_id::TransferKey,
    wire::{ACKNOWLEDGEMENTS, JOSE, State},
};
use tests::{
    centre::{Centre, spooled},
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    patience::patiently,
    shim::{Chosen, Shim, at_every_call, at_these_calls, differing},
    wire::{Caller, Ending, Engine, get, offer, post, send_head},
};
use tokio::time::sleep;

/// What is sent, and how.
#[derive(Clone, Copy)]
struct Sent {
    length: u64,
    engine: Engine,
    /// The first attempt ends after so many bytes, and another one goes on.
    cut_at: Option<usize>,
}

/// Content of less than a piece, in a file of its own.
const ONE_PIECE: Sent = Sent { length: 300_000, engine: Engine::Hyper, cut_at: None };

/// Small content, which is kept with others.
const SMALL: Sent = Sent { length: 5_000, engine: Engine::Bulk, cut_at: None };

/// Three pieces and a rest, which go past the system's cache into a file of their own. The second attempt begins at the end of
/// the second piece.
const LARGE: Sent = Sent { length: 3_300_000, engine: Engine::Bulk, cut_at: Some(2_500_000) };

/// Between two looks at how an attempt goes.
const ASK_EVERY: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn case_46_killed_before_any_call_it_leaves_one_whole_file_or_none_and_the_sender_gets_its_receipt() {
    killed_at_every_call_with(ONE_PIECE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_keeps_small_content_with_others() {
    killed_at_every_call_with(SMALL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_one_that_takes_content_of_many_pieces_in_two_attempts() {
    let (lab, seed) = (Arc::new(TestLab::new()), UNIX_EPOCH.elapsed().unwrap().as_secs());
    let shim = Shim::build(&lab);
    let listed = calls_of(&lab, &shim, LARGE).await;
    let calls = differing(&listed, seed);
    println!("seed {seed}: {} of {} calls", calls.len(), listed.len());
    let stories = at_these_calls(calls, |call| {
        let (lab, shim) = (Arc::clone(&lab), shim.clone());
        async move { killed_at(&lab, &shim, call, LARGE).await }
    })
    .await;
    tell(&stories);
    let within = |story: &Story| (1..LARGE.length).contains(&story.went_on_at);
    assert!(stories.iter().any(within), "some went on in the middle");
    assert!(
        stories
            .iter()
            .filter(|story| within(story))
            .all(|story| story.went_on_at.is_multiple_of(PIECE_BYTES))
    );
}

#[tokio::test]
async fn killed_in_the_middle_of_an_attempt_it_goes_on_from_what_was_made_durable_meanwhile() {
    let lab = TestLab::new();
    let centre = lab.centre(&[("link.stall_max", "\"120s\"")]).await;
    let party = institution(Kind::Pharmacy, 1);
    let sender = lab.sender("pharmacy", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&sender, centre.address), Papers::of(&sender));
    let come = DURABLE_OFFSET_EVERY + PIECE_BYTES + 5;
    // One attempt by each engine, and one kill in the middle of both.
    let mut running = Vec::new();
    for (seed, engine) in (1..).zip(Engine::ALL) {
        let content = claims_file(Kind::Pharmacy, &party, DURABLE_OFFSET_EVERY + 3 * PIECE_BYTES, seed);
        let manifest = papers.manifest(Kind::Pharmacy, &content);
        let key = manifest.key();
        assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
        let mut line = caller.with(engine).line().await;
        line.write(&send_head(&key, 0, content.len() as u64)).await;
        line.write(&content[..usize::try_from(come).unwrap()]).await;
        patiently("an offset on record", an_offset_is_on_record(&caller, &key)).await;
        running.push((engine, key, content, line));
    }
    let centre = centre.again_after_kill().await;
    let caller = caller.at(centre.address);
    for (engine, key, content, _line) in running {
        let state = caller.state(&key).await;
        assert_eq!((state.phase.as_str(), state.attempts), ("aborted", 1), "{engine:?}");
        assert_eq!(state.cause, Some(Cause::Restarted), "{engine:?}");
        assert!((DURABLE_OFFSET_EVERY..=come).contains(&state.offset), "{engine:?}: {}", state.offset);
        assert!(state.offset.is_multiple_of(PIECE_BYTES), "{engine:?}: {}", state.offset);
        let mut line = caller.with(engine).line().await;
        let receipt = line.ask(&request(&key, &content, state.offset)).await.receipt();
        let delivered = centre.delivered(&key).await;
        assert!(delivered.content == content && delivered.receipt == receipt, "{engine:?}");
    }
}

/// Waits until a running attempt need not be begun anew, whatever happens.
async fn an_offset_is_on_record(caller: &Caller, key: &TransferKey) {
    let mut line = caller.line().await;
    loop {
        let state: State = line.ask(&get(&key.location())).await.json();
        assert_eq!(state.phase, "receiving");
        if state.offset > 0 {
            return;
        }
        sleep(ASK_EVERY).await;
    }
}

async fn killed_at_every_call_with(sent: Sent) {
    let lab = Arc::new(TestLab::new());
    let shim = Shim::build(&lab);
    let stories = at_every_call(|call| {
        let (lab, shim) = (Arc::clone(&lab), shim.clone());
        async move { killed_at(&lab, &shim, call, sent).await }
    })
    .await;
    tell(&stories);
}

fn tell(stories: &[Story]) {
    for Story { report, held_receipt, went_on_at } in stories {
        let when = if *held_receipt { ", after the receipt had left" } else { "" };
        println!("{report}{when}, and went on at {went_on_at}");
    }
    assert!(stories.iter().any(|story| story.held_receipt), "some kills came after the commit");
    assert!(stories.iter().any(|story| !story.held_receipt), "some kills came before the commit");
}

/// What a killed centre left.
struct Story {
    report: String,
    held_receipt: bool,
    /// How much of the content it had.
    went_on_at: u64,
}

/// A centre with one transfer, as far as it lived.
struct Life {
    centre: Centre,
    caller: Caller,
    key: TransferKey,
    text: String,
    content: Vec<u8>,
    /// The receipt, if it came.
    held: Option<String>,
    /// What the shim told, of a centre that has ended.
    report: Option<String>,
    /// It lived on to its own end.
    lived: bool,
}

/// All calls of a centre that lives.
async fn calls_of(lab: &TestLab, shim: &Shim, sent: Sent) -> Vec<String> {
    let life = life(lab, 0, |directory| shim.list(directory), sent).await;
    assert!(life.lived);
    life.report.unwrap().lines().map(str::to_owned).collect()
}

/// One transfer with a centre of this number.
async fn life(lab: &TestLab, number: u32, choose: impl FnOnce(&Path) -> Chosen, sent: Sent) -> Life {
    let site = lab.sites.centre(&format!("centre-{number}"), &[]).unwrap();
    let chosen = choose(&site.directory);
    let mut centre = Centre::start_by(site, |program| chosen.command(program)).await;
    let party = institution(Kind::Pharmacy, number);
    let sender = lab.sender(&format!("sender-{number}"), &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&sender, centre.address), Papers::of(&sender));
    let content = claims_file(Kind::Pharmacy, &party, sent.length, u64::from(number));
    let manifest = papers.manifest(Kind::Pharmacy, &content);
    let (key, text) = (manifest.key(), papers.sign(&manifest));

    chosen.arm();
    let held = send(&caller, sent, &key, &text, &content).await;
    if let Some(receipt) = &held {
        let acknowledgement = papers.acknowledgement(&key, receipt);
        let acknowledgement = post(ACKNOWLEDGEMENTS, JOSE, acknowledgement.as_bytes());
        caller.try_ask(&acknowledgement).await;
        // It delivers, or dies before.
        let delivered = |line: &str| line.contains("delivered").then_some(());
        patiently("a delivery", centre.process.err.wait_for(delivered)).await;
    }
    let lived = centre.stop().await.success();
    let report = chosen.report();
    Life { centre, caller, key, text, content, held, report, lived }
}

/// One transfer with a centre that dies at this call; nothing if it lived on to its own end.
async fn killed_at(lab: &TestLab, shim: &Shim, call: u32, sent: Sent) -> Option<Story> {
    let life = life(lab, call, |directory| shim.die_at(directory, call), sent).await;
    let Life { centre, caller, key, text, content, held, report, lived } = life;
    assert_eq!(report.is_none(), lived, "{report:?}");
    let report = report?;

    // The sender offers the same id again, goes on from where the centre stands, and ends with the receipt.
    let mut centre = centre.again().await;
    let caller = caller.at(centre.address);
    let state: State = caller.offer(&text).await.json();
    let receipt = match state.receipt {
        Some(answer) => answer.receipt,
        None => {
            let mut line = caller.with(sent.engine).line().await;
            line.ask(&request(&key, &content, state.offset)).await.receipt()
        }
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
    Some(Story { report, held_receipt: held.is_some(), went_on_at: state.offset })
}

/// Offers and sends, as far as the centre lives; the receipt, if it came.
async fn send(caller: &Caller, sent: Sent, key: &TransferKey, text: &str, content: &[u8]) -> Option<String> {
    let offered = caller.try_ask(&offer(text)).await?;
    assert_eq!(offered.status, 201, "{}", offered.text());
    let sending = caller.with(sent.engine);
    let mut offset = 0;
    if let Some(end) = sent.cut_at {
        let head = send_head(key, 0, content.len() as u64);
        let mut line = sending.try_line().await.ok()?;
        line.write(&[&head, &content[..end]].concat()).await;
        line.end(Ending::Fin, content[end]).await;
        offset = patiently("the end of an attempt", aborted_at(caller, key)).await?;
        // A centre that still answers has lost no whole piece that came before the end of the line.
        assert_eq!(offset, (end as u64) / PIECE_BYTES * PIECE_BYTES);
    }
    Some(sending.try_ask(&request(key, content, offset)).await?.receipt())
}

/// Where another attempt may go on once this one is over; nothing if the centre is gone.
async fn aborted_at(caller: &Caller, key: &TransferKey) -> Option<u64> {
    loop {
        let state: State = caller.try_ask(&get(&key.location())).await?.json();
        if state.phase == "aborted" {
            return Some(state.offset);
        }
        sleep(ASK_EVERY).await;
    }
}

/// Brings the content from an offset on.
fn request(key: &TransferKey, content: &[u8], offset: u64) -> Vec<u8> {
    let rest = &content[usize::try_from(offset).unwrap()..];
    [&send_head(key, offset, rest.len() as u64), rest].concat()
}
