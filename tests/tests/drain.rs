//! SIGTERM: what runs may finish, nothing new begins, and nothing is half committed. By both engines.

use protocol::{cause::Cause, kind::Kind, problem::Problem};
use tests::{
    patience::patiently,
    setting::Setting,
    upkeep::gateway_does,
    wire::{Engine, offer, send_head},
};

async fn setting(drain_max: &str) -> Setting {
    let changes = [("link.drain_max", drain_max), ("link.stall_max", "\"60s\"")];
    Setting::new(3 * 1024 * 1024, &changes).await
}

/// Two MiB of the content, and one byte more.
const SENT: usize = 2 * 1024 * 1024 + 1;

#[tokio::test]
async fn a_running_transfer_finishes_and_nothing_new_begins() {
    Engine::each(async |engine| {
        let mut setting = setting("\"60s\"").await;
        let (key, mut line) = setting.begun(engine, SENT).await;
        let (other, caller) = (setting.offered().await, setting.caller.with(engine));
        // A connection that is there already learns why nothing begins on it any more.
        let mut idle = caller.line().await;
        let begins = send_head(&other, 0, setting.content.len() as u64);
        let offers = offer(&setting.papers.sign(&setting.papers.manifest(Kind::Medical, b"other")));
        let requests = match engine {
            Engine::Hyper => vec![&begins, &offers],
            Engine::Bulk => vec![&begins],
        };
        let mut busy = Vec::new();
        for request in requests {
            let (last, before) = request.split_last().unwrap();
            let mut line = caller.line().await;
            line.write(before).await;
            busy.push((line, *last));
        }
        setting.centre.process.terminate().await.unwrap();
        setting.centre.logs(&["draining"]).await;
        assert_eq!(idle.answer().await, None, "{engine:?}: an idle connection is closed");
        for (mut line, last) in busy {
            line.write(&[last]).await;
            if let Some(answer) = line.answer().await {
                assert_eq!((answer.status, answer.problem()), (503, Problem::Draining), "{engine:?}");
                assert!(answer.header("retry-after").is_some());
            }
        }
        let nobody_is_let_in = async {
            while tokio::net::TcpStream::connect(setting.centre.address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        patiently("the end of listening", nobody_is_let_in).await;
        // A second signal changes nothing.
        setting.centre.process.terminate().await.unwrap();
        // What stands behind the content does not begin either.
        line.write(&[&setting.content[SENT..], &begins].concat()).await;
        let receipt = line.answer().await.unwrap().receipt();
        assert_eq!(line.closed().await, b"", "{engine:?}");
        assert_eq!(setting.centre.process.ended().await.unwrap().code(), Some(0), "{engine:?}");
        let Setting { centre, caller, content, .. } = setting;
        let centre = centre.again().await;
        let caller = caller.at(centre.address);
        assert_eq!(caller.receipt(&key).await.text(), receipt);
        assert_eq!(centre.delivered(&key).await.content, content);
        let state = caller.state(&other).await;
        assert_eq!((state.phase.as_str(), state.attempts), ("offered", 0), "{engine:?}");
    })
    .await;
}

#[tokio::test]
async fn case_50_a_transfer_that_does_not_finish_in_time_is_aborted_and_can_be_resumed() {
    Engine::each(async |engine| {
        let mut setting = setting("\"1s\"").await;
        let (key, mut line) = setting.begun(engine, SENT).await;
        assert_eq!(setting.centre.stop().await.code(), Some(4), "{engine:?}");
        if let Some(answer) = line.answer().await {
            assert_eq!(answer.problem(), Problem::Draining, "{engine:?}");
        }
        assert_eq!(setting.centre.inbox(), []);
        let Setting { centre, caller, content, .. } = setting;
        let centre = centre.again().await;
        let caller = caller.at(centre.address);
        let state = caller.state(&key).await;
        assert_eq!((state.phase.as_str(), state.cause), ("aborted", Some(Cause::Draining)), "{engine:?}");
        assert_eq!(state.offset, 2 * 1024 * 1024, "{engine:?}: rounded down to whole pieces");
        let rest = &content[state.offset as usize..];
        let mut line = caller.with(engine).line().await;
        line.write(&send_head(&key, state.offset, rest.len() as u64)).await;
        line.ask(rest).await.receipt();
        assert_eq!(centre.delivered(&key).await.content, content);
    })
    .await;
}

#[tokio::test]
async fn during_a_drain_the_gateway_can_be_asked_and_told_whom_to_end() {
    Engine::each(async |engine| {
        let mut setting = setting("\"60s\"").await;
        let (key, line) = setting.begun(engine, SENT).await;
        setting.centre.until("one connection", |status| status.connections == 1).await;
        setting.centre.process.terminate().await.unwrap();
        setting.centre.logs(&["draining"]).await;
        let status = setting.centre.status().await;
        assert!(!status.accepting);
        assert_eq!((status.not_ready, status.attempts_running), (vec!["draining".to_owned()], 1));
        let party = setting.papers.party.to_string();
        let said = gateway_does(&setting.centre.site, &["block", &party, "--reason", "key lost"]).await;
        assert!(said.contains("1 connections ended"), "{engine:?}: {said}");
        line.closed().await;
        setting.centre.logs(&["attempt aborted", &key.to_string(), "revoked"]).await;
        // Nothing runs any more, so the drain is over.
        assert_eq!(setting.centre.process.ended().await.unwrap().code(), Some(0), "{engine:?}");
        assert_eq!(setting.centre.inbox(), []);
    })
    .await;
}
