//! A line that goes dead without a word is noticed at both ends in time, and called what it is, by both engines.
//!
//! Centre and sender stand in two network namespaces; the kernel drops what goes between them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::path::PathBuf;

use lab::site::SenderSite;
use pki::clock;
use protocol::{cause::Cause, entry::Event, kind::Kind, moment::Moment};
use tests::{
    centre::{Centre, spooled},
    files::claims_file,
    lab::{TestLab, institution},
    patience::patiently,
    sender::{Sending, status},
    shim::{Chosen, Shim},
    tools::skip,
    towns::{CENTRE, RoadCut, Town, Towns},
    wire::Engine,
};

/// `detect_max` of the lab's configurations, and a second.
const NOTICED_WITHIN_MS: i64 = 2_000 + 1_000;

/// What is sent, and how much the road carries in a second: a file takes long enough to be cut in its middle.
struct Content {
    bytes: u64,
    megabits: u32,
}

/// Content from 8 MiB on goes by the bulk engine, all other by the first one.
fn cut_in_its_middle(engine: Engine) -> Content {
    match engine {
        Engine::Hyper => Content { bytes: 7_000_000, megabits: 16 },
        Engine::Bulk => Content { bytes: 40_000_000, megabits: 64 },
    }
}

/// All of it comes.
fn cut_behind_it(engine: Engine) -> Content {
    match engine {
        Engine::Hyper => Content { bytes: 8_000_000, megabits: 64 },
        Engine::Bulk => Content { bytes: 9_000_000, megabits: 64 },
    }
}

struct Setting {
    lab: TestLab,
    towns: Towns,
    centre: Centre,
    sender: SenderSite,
    disk: Chosen,
}

/// Centre and sender in their towns; nothing where that cannot be had.
async fn setting() -> Option<Setting> {
    let towns = match Towns::new().await {
        Ok(towns) => towns,
        Err(why) => {
            skip(&why);
            return None;
        }
    };
    let lab = TestLab::new();
    // What is to be noticed here is the line; stalls have their own tests.
    let centre = [
        ("listen.address", format!("\"{CENTRE}:0\"")),
        ("link.stall_max", "\"60s\"".to_owned()),
        ("log.level", "\"debug\"".to_owned()),
    ];
    let centre: Vec<_> = centre.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let site = lab.sites.centre_named("centre", &[CENTRE], &centre).unwrap();
    let disk = Shim::build(&lab).hold(&site.directory);
    let centre = Centre::start_by(site, |program| disk.apply(towns.command(Town::Centre, program))).await;
    let changes = [("link.stall_max", "\"60s\""), ("retry.attempts", "1")];
    let sender = lab.sender("hospital", &institution(Kind::Dpc, 1), centre.address, &changes);
    Some(Setting { lab, towns, centre, sender, disk })
}

impl Setting {
    fn file(&self, bytes: u64) -> PathBuf {
        self.lab.file("RECEIPTD.UKE", &claims_file(Kind::Dpc, &institution(Kind::Dpc, 1), bytes, 1))
    }

    fn send(&self, file: &std::path::Path) -> Sending {
        Sending::start_by(&self.sender, file, |program| self.towns.command(Town::Sender, program))
    }

    /// Begins to send on a road like this, by this engine.
    async fn begin(&self, file: &std::path::Path, megabits: u32, engine: Engine) -> Sending {
        self.towns.slow_down(megabits).await;
        let sending = self.send(file);
        self.centre.logs(&["attempt began"]).await;
        let by_bulk = self.centre.process.err.text().contains("is_bulk=true");
        assert_eq!(by_bulk, engine == Engine::Bulk);
        sending
    }

    /// Cuts the road, and waits until the sender has given up: when it was cut.
    async fn cut(&self, how: RoadCut, sending: &mut Sending) -> Moment {
        let cut_at = clock::now();
        self.towns.cut(how).await;
        sending.says(&["stopped: "]).await;
        let told = status(&self.sender).await;
        let [attempt] = told[0].attempts.as_slice() else { panic!("one attempt, not {told:?}") };
        let noticed = attempt.ended.unwrap().ms_since(cut_at);
        println!("{how:?}: the sender noticed {:?} after {noticed} ms", attempt.cause);
        assert_eq!(attempt.cause, Some(Cause::LinkLost), "{how:?}");
        assert!((0..=NOTICED_WITHIN_MS).contains(&noticed), "{how:?}: {noticed} ms");
        assert_eq!(sending.ended().await.code(), Some(5), "{how:?}");
        cut_at
    }
}

async fn noticed_while_content_flows(how: RoadCut) {
    Engine::each(async |engine| noticed_while_this_flows(how, engine).await).await;
}

async fn noticed_while_this_flows(how: RoadCut, engine: Engine) {
    let Some(setting) = setting().await else { return };
    let Content { bytes, megabits } = cut_in_its_middle(engine);
    let file = setting.file(bytes);
    let mut sending = setting.begin(&file, megabits, engine).await;
    let cut_at = setting.cut(how, &mut sending).await;

    setting.centre.logs(&["attempt aborted"]).await;
    let entries = setting.centre.entries().await;
    let aborted = entries.iter().find(|entry| entry.event == Event::Aborted).unwrap();
    let noticed = aborted.time.ms_since(cut_at);
    println!("{how:?} {engine:?}: the centre noticed {:?} after {noticed} ms", aborted.cause);
    assert_eq!(aborted.cause, Some(Cause::LinkLost), "{how:?} {engine:?}");
    assert!((0..=NOTICED_WITHIN_MS).contains(&noticed), "{how:?} {engine:?}: {noticed} ms");
    assert_eq!(setting.centre.inbox(), []);

    // The road is there again, and another run brings the rest.
    setting.towns.mend().await;
    let mut again = setting.send(&file);
    assert!(again.ended().await.success(), "{how:?}");
    assert_eq!(status(&setting.sender).await[0].attempts.len(), 2);
    setting.centre.logs(&["delivered"]).await;
    assert!(setting.centre.inbox()[0].content == std::fs::read(&file).unwrap());
}

async fn noticed_while_the_receipt_is_awaited(how: RoadCut) {
    Engine::each(async |engine| noticed_while_this_receipt_is_awaited(how, engine).await).await;
}

async fn noticed_while_this_receipt_is_awaited(how: RoadCut, engine: Engine) {
    let Some(setting) = setting().await else { return };
    let Content { bytes, megabits } = cut_behind_it(engine);
    let file = setting.file(bytes);
    let length = std::fs::metadata(&file).unwrap().len();
    let mut sending = setting.begin(&file, megabits, engine).await;
    // Everything arrives, but the disk does not answer: no receipt can come.
    setting.disk.hold_syncs();
    let whole = async {
        let is_whole = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|file| file.len() >= length);
        while !spooled(&setting.centre.site).iter().any(is_whole) {
            tokio::task::yield_now().await;
        }
    };
    patiently("the whole content in the spool", whole).await;
    setting.towns.settled().await;
    let cut_at = setting.cut(how, &mut sending).await;

    let line = setting.centre.logs(&["connection ended"]).await;
    let noticed = clock::now().ms_since(cut_at);
    let lost = line.contains("link_lost");
    println!(
        "{how:?} {engine:?}: the centre noticed within {noticed} ms{}",
        if lost { ": link_lost" } else { "" }
    );
    // Over the direction that still works the sender's kernel may say that it gave up, just before ours does.
    assert!(
        lost || how == RoadCut::TowardsSender && line.contains("peer_closed"),
        "{how:?} {engine:?}: {line}"
    );
    assert!(noticed <= NOTICED_WITHIN_MS, "{how:?} {engine:?}: {noticed} ms");

    // The commit does not depend on the line. Afterwards the sender asks, and sends nothing again.
    setting.disk.release_syncs();
    setting.centre.logs(&["committed"]).await;
    setting.towns.mend().await;
    let mut again = setting.send(&file);
    assert!(again.ended().await.success(), "{how:?}");
    let told = status(&setting.sender).await;
    assert_eq!((told[0].phase.as_str(), told[0].attempts.len()), ("received", 1));
}

#[tokio::test]
async fn both_directions_dropped_while_content_flows() {
    noticed_while_content_flows(RoadCut::BothWays).await;
}

#[tokio::test]
async fn the_direction_to_the_centre_dropped_while_content_flows() {
    noticed_while_content_flows(RoadCut::TowardsCentre).await;
}

#[tokio::test]
async fn the_direction_to_the_sender_dropped_while_content_flows() {
    noticed_while_content_flows(RoadCut::TowardsSender).await;
}

#[tokio::test]
async fn the_link_set_down_while_content_flows() {
    noticed_while_content_flows(RoadCut::LinkDown).await;
}

#[tokio::test]
async fn both_directions_dropped_while_the_receipt_is_awaited() {
    noticed_while_the_receipt_is_awaited(RoadCut::BothWays).await;
}

#[tokio::test]
async fn the_direction_to_the_centre_dropped_while_the_receipt_is_awaited() {
    noticed_while_the_receipt_is_awaited(RoadCut::TowardsCentre).await;
}

#[tokio::test]
async fn the_direction_to_the_sender_dropped_while_the_receipt_is_awaited() {
    noticed_while_the_receipt_is_awaited(RoadCut::TowardsSender).await;
}

#[tokio::test]
async fn the_link_set_down_while_the_receipt_is_awaited() {
    noticed_while_the_receipt_is_awaited(RoadCut::LinkDown).await;
}
