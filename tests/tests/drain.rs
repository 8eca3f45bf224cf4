//! SIGTERM: what runs may finish, nothing new begins, and nothing is half committed.

use protocol::{cause::Cause, kind::Kind, problem::Problem, transfer_id::TransferKey};
use tests::{
    patience::patiently,
    setting::Setting,
    upkeep::gateway_does,
    wire::{Line, send_head},
};

async fn setting(drain_max: &str) -> Setting {
    let changes = [("link.drain_max", drain_max), ("link.stall_max", "\"60s\"")];
    Setting::new(3 * 1024 * 1024, &changes).await
}

/// A transfer with its first two MiB sent, and one byte more.
async fn half_sent(setting: &Setting) -> (TransferKey, Line) {
    let key = setting.offered().await;
    let mut line = setting.caller.line().await;
    line.write(&send_head(&key, 0, setting.content.len() as u64)).await;
    line.write(&setting.content[..2 * 1024 * 1024 + 1]).await;
    setting.centre.logs(&["attempt began", &key.to_string()]).await;
    (key, line)
}

#[tokio::test]
async fn a_running_transfer_finishes_and_nothing_new_begins() {
    let mut setting = setting("\"60s\"").await;
    let (key, mut line) = half_sent(&setting).await;
    // A connection that is there already learns why nothing begins on it any more.
    let mut idle = setting.caller.line().await;
    let mut busy = setting.caller.line().await;
    let other = setting.papers.manifest(Kind::Medical, b"other");
    let offer = tests::wire::offer(&setting.papers.sign(&other));
    busy.write(&offer[..offer.len() - 1]).await;
    setting.centre.process.terminate().await.unwrap();
    setting.centre.logs(&["draining"]).await;
    assert_eq!(idle.answer().await, None, "an idle connection is closed");
    busy.write(&offer[offer.len() - 1..]).await;
    if let Some(answer) = busy.answer().await {
        assert_eq!((answer.status, answer.problem()), (503, Problem::Draining));
        assert!(answer.header("retry-after").is_some());
    }
    let nobody_is_let_in = async {
        while tokio::net::TcpStream::connect(setting.centre.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    patiently("the end of listening", nobody_is_let_in).await;
    // A second signal changes nothing.
    setting.centre.process.terminate().await.unwrap();
    let answer = line.ask(&setting.content[2 * 1024 * 1024 + 1..]).await;
    let receipt = answer.receipt();
    assert_eq!(setting.centre.process.ended().await.unwrap().code(), Some(0));
    let Setting { centre, caller, content, .. } = setting;
    let centre = centre.again().await;
    assert_eq!(caller.at(centre.address).receipt(&key).await.text(), receipt);
    assert_eq!(centre.delivered(&key).await.content, content);
}

#[tokio::test]
async fn case_50_a_transfer_that_does_not_finish_in_time_is_aborted_and_can_be_resumed() {
    let mut setting = setting("\"1s\"").await;
    let (key, mut line) = half_sent(&setting).await;
    assert_eq!(setting.centre.stop().await.code(), Some(4));
    if let Some(answer) = line.answer().await {
        assert_eq!(answer.problem(), Problem::Draining);
    }
    assert_eq!(setting.centre.inbox(), []);
    let Setting { centre, caller, content, .. } = setting;
    let centre = centre.again().await;
    let caller = caller.at(centre.address);
    let state = caller.state(&key).await;
    assert_eq!((state.phase.as_str(), state.cause), ("aborted", Some(Cause::Draining)));
    assert_eq!(state.offset, 2 * 1024 * 1024, "rounded down to whole pieces");
    let offset = state.offset as usize;
    let mut line = caller.line().await;
    line.write(&send_head(&key, state.offset, (content.len() - offset) as u64)).await;
    line.ask(&content[offset..]).await.receipt();
    assert_eq!(centre.delivered(&key).await.content, content);
}

#[tokio::test]
async fn during_a_drain_the_gateway_can_be_asked_and_told_whom_to_end() {
    let mut setting = setting("\"60s\"").await;
    let (key, line) = half_sent(&setting).await;
    setting.centre.process.terminate().await.unwrap();
    setting.centre.logs(&["draining"]).await;
    let status = setting.centre.status().await;
    assert!(!status.accepting);
    assert_eq!((status.not_ready, status.attempts_running), (vec!["draining".to_owned()], 1));
    let party = setting.papers.party.to_string();
    let said = gateway_does(&setting.centre.site, &["block", &party, "--reason", "key lost"]).await;
    assert!(said.contains("1 connections ended"), "{said}");
    line.closed().await;
    setting.centre.logs(&["attempt aborted", &key.to_string(), "revoked"]).await;
    // Nothing runs any more, so the drain is over.
    assert_eq!(setting.centre.process.ended().await.unwrap().code(), Some(0));
    assert_eq!(setting.centre.inbox(), []);
}
