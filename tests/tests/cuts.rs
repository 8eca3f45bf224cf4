//! A line that is cut ends an attempt cleanly, under its name on both sides, and the next attempt finishes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of the tests")]

use std::path::PathBuf;

use lab::{
    proxy::{Fault, FaultProxy, Plan, Way},
    site::SenderSite,
};
use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    kind::Kind,
};
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    sender::{Sending, Told, entries, status},
};

struct Setting {
    _lab: TestLab,
    centre: Centre,
    proxy: FaultProxy,
    site: SenderSite,
    file: PathBuf,
    content: Vec<u8>,
}

/// Content that goes on the line of its offer, and content that has a line of its own.
#[derive(Clone, Copy, Debug)]
struct Content {
    bytes: u64,
    /// The number of the connection that brings it.
    connection: u64,
}

const CONTENT: [Content; 2] =
    [Content { bytes: 5_000_000, connection: 1 }, Content { bytes: 12_000_000, connection: 2 }];

/// So little that it goes on the line of its offer.
const LITTLE: Content = Content { bytes: 3_000, connection: 1 };

/// A sender whose connection for its content has this fault the first time, and no other.
async fn setting(content: Content, way: Way, fault: Option<Fault>) -> Setting {
    let Content { bytes, connection } = content;
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let plan = move |number| match fault {
        Some(fault) if number == connection => Plan::clean().with(way, fault),
        _ => Plan::clean(),
    };
    let proxy = FaultProxy::start("127.0.0.1:0".parse().unwrap(), centre.address, plan).await.unwrap();
    let party = institution(Kind::Dpc, 1);
    let changes = [("link.stall_max", "\"2s\"")];
    let site = lab.sender("hospital", &party, proxy.address(), &changes);
    let content = claims_file(Kind::Dpc, &party, bytes, 1);
    let file = lab.file("RECEIPTD.UKE", &content);
    Setting { _lab: lab, centre, proxy, site, file, content }
}

impl Setting {
    /// Sends to the end: the only transfer.
    async fn send(&self) -> Told {
        let ended = Sending::start(&self.site, &self.file).ended().await;
        assert!(ended.success(), "{ended}");
        let told = status(&self.site).await;
        let [transfer] = told.as_slice() else { panic!("one transfer, not {told:?}") };
        assert_eq!(transfer.phase, "received");
        self.centre.logs(&["delivered", &transfer.id.to_string()]).await;
        let inbox = self.centre.inbox();
        assert!(inbox.len() == 1 && inbox[0].content == self.content, "one whole file");
        transfer.clone()
    }

    /// What the centre's log says of attempts that were cut.
    async fn aborted(&self) -> Vec<Entry> {
        let aborted = |entry: &Entry| entry.event == Event::Aborted;
        self.centre.entries().await.into_iter().filter(aborted).collect()
    }
}

/// The content is cut at byte `after`: what each side calls it, and where the next attempt goes on.
async fn cut_in_the_content(fault: Fault, at_sender: Cause, at_centre: Cause) {
    for content in CONTENT {
        cut_in_this_content(content, fault, at_sender, at_centre).await;
    }
}

async fn cut_in_this_content(content: Content, fault: Fault, at_sender: Cause, at_centre: Cause) {
    let setting = setting(content, Way::Up, Some(fault)).await;
    let transfer = setting.send().await;
    let [first, second] = transfer.attempts.as_slice() else { panic!("two attempts, not {transfer:?}") };
    assert_eq!((first.cause, second.cause), (Some(at_sender), None), "{fault:?}");
    let aborted = setting.aborted().await;
    let [aborted] = aborted.as_slice() else { panic!("one abort, not {aborted:?}") };
    assert_eq!((aborted.cause, aborted.attempt), (Some(at_centre), Some(1)), "{fault:?}");
    assert_eq!(Some(second.offset), aborted.offset.map(|offset| offset - offset % (1024 * 1024)));
    // A reset also takes away what the centre's kernel held and the centre had not read.
    let expected = if matches!(fault, Fault::Reset { .. }) {
        0..=2 * 1024 * 1024
    } else {
        2 * 1024 * 1024..=2 * 1024 * 1024
    };
    assert!(expected.contains(&second.offset), "{fault:?}: went on at {}", second.offset);
    let own: Vec<_> =
        entries(&setting.site).into_iter().filter(|entry| entry.event == Event::Aborted).collect();
    assert_eq!(own.len(), 1, "the sender's log has it too");
    assert_eq!(own[0].cause, Some(at_sender));
}

/// Bytes on the way up: the handshake, perhaps the offer, two MiB of content and some more.
const IN_THE_CONTENT: u64 = 2_500_000;

#[tokio::test]
async fn case_42_content_cut_by_fin_is_named_peer_closed_and_resumed() {
    cut_in_the_content(Fault::Fin { after: IN_THE_CONTENT }, Cause::PeerClosed, Cause::PeerClosed).await;
}

#[tokio::test]
async fn case_42_content_cut_by_reset_is_named_peer_closed_and_resumed() {
    cut_in_the_content(Fault::Reset { after: IN_THE_CONTENT }, Cause::PeerClosed, Cause::PeerClosed).await;
}

#[tokio::test]
async fn content_cut_by_silence_is_named_stalled_and_resumed() {
    cut_in_the_content(Fault::Silence { after: IN_THE_CONTENT }, Cause::Stalled, Cause::Stalled).await;
}

#[tokio::test]
async fn content_altered_on_the_line_never_arrives() {
    for content in CONTENT {
        let setting = setting(content, Way::Up, Some(Fault::Flip { at: IN_THE_CONTENT })).await;
        let transfer = setting.send().await;
        assert_eq!(transfer.attempts.len(), 2, "{transfer:?}");
        assert_eq!(setting.aborted().await.len(), 1);
    }
}

/// The answer is cut in the middle of the receipt: the transfer is committed, and the sender does not know.
async fn cut_in_the_receipt(cut: impl Fn(u64) -> Fault) {
    for content in CONTENT {
        cut_in_this_receipt(content, &cut).await;
    }
}

async fn cut_in_this_receipt(content: Content, cut: impl Fn(u64) -> Fault) {
    // Bytes on the way down of each connection until the content is asked for; the receipt begins behind them.
    let clean = setting(content, Way::Down, Some(Fault::Stall { after: u64::MAX })).await;
    let sending = clean.send();
    let before = async {
        clean.centre.logs(&["attempt began"]).await;
        clean.proxy.status().down / content.connection
    };
    let (_, before) = tokio::join!(sending, before);

    let fault = cut(before + 1_000);
    let setting = setting(content, Way::Down, Some(fault)).await;
    let transfer = setting.send().await;
    assert_eq!(
        transfer.attempts.len(),
        1,
        "{content:?} {fault:?}: what arrived is not sent again: {transfer:?}"
    );
    assert_eq!(setting.aborted().await, []);
    let began = |entry: &&Entry| entry.event == Event::AttemptBegan;
    assert_eq!(setting.centre.entries().await.iter().filter(began).count(), 1, "{fault:?}");
}

#[tokio::test]
async fn after_a_fin_in_the_middle_of_the_receipt_the_sender_asks_and_sends_nothing_again() {
    cut_in_the_receipt(|after| Fault::Fin { after }).await;
}

#[tokio::test]
async fn after_a_reset_in_the_middle_of_the_receipt_the_sender_asks_and_sends_nothing_again() {
    cut_in_the_receipt(|after| Fault::Reset { after }).await;
}

#[tokio::test]
async fn after_silence_in_the_middle_of_the_receipt_the_sender_asks_and_sends_nothing_again() {
    cut_in_the_receipt(|after| Fault::Silence { after }).await;
}

#[tokio::test]
async fn a_line_cut_at_any_byte_of_handshake_offer_and_answer_comes_to_the_receipt() {
    // The first connection is cut earlier and earlier; each sender needs no more than its usual tries.
    for after in [0, 1, 500, 1_500, 3_000, 5_000, 7_000, 9_000] {
        for (way, fault) in [
            (Way::Up, Fault::Fin { after }),
            (Way::Up, Fault::Reset { after }),
            (Way::Down, Fault::Fin { after }),
            (Way::Down, Fault::Reset { after }),
        ] {
            let setting = setting(LITTLE, way, Some(fault)).await;
            setting.send().await;
            assert!(setting.centre.verify_log().await.is_ok(), "{way} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_line_for_content_cut_at_any_byte_of_its_handshake_comes_to_the_receipt() {
    for after in [0, 500, 1_500, 3_000] {
        for (way, fault) in [(Way::Up, Fault::Fin { after }), (Way::Down, Fault::Reset { after })] {
            let setting = setting(CONTENT[1], way, Some(fault)).await;
            setting.send().await;
            assert!(setting.centre.verify_log().await.is_ok(), "{way} {fault:?}");
        }
    }
}
