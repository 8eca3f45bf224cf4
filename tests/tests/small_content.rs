//! Small content goes on record with its outcome: what others see of an attempt before that, and what stays of one that fails.

use protocol::{entry::Event, problem::Problem, wire::State};
use tests::{
    setting::Setting,
    wire::{Engine, get, send_head},
};

#[tokio::test]
async fn whoever_asks_while_small_content_comes_is_told_that_it_is_received() {
    Engine::each(async |engine| {
        let setting = Setting::new(100_000, &[("link.stall_max", "\"60s\"")]).await;
        let manifest = setting.manifest();
        let (key, offer) = (manifest.key(), setting.papers.sign(&manifest));
        assert_eq!(setting.caller.offer(&offer).await.status, 201);
        assert_eq!(setting.caller.state(&key).await.phase, "offered");
        let (mut line, length) = (setting.caller.with(engine).line().await, setting.content.len() as u64);
        line.write(&[&send_head(&key, 0, length), &setting.content[..50_000]].concat()).await;
        setting.centre.logs(&["attempt began", &key.to_string()]).await;
        assert_eq!(setting.caller.state(&key).await.phase, "receiving", "{engine:?}");
        assert_eq!(
            setting.caller.offer(&offer).await.json::<State>().phase,
            "receiving",
            "offered once more"
        );
        assert_eq!(line.ask(&setting.content[50_000..]).await.status, 200);
        assert_eq!(setting.caller.state(&key).await.phase, "committed");
    })
    .await;
}

#[tokio::test]
async fn small_content_that_is_cut_off_is_on_record_as_an_attempt_that_began_and_ended() {
    Engine::each(async |engine| {
        let setting = Setting::new(100_000, &[]).await;
        let (key, line) = setting.begun(engine, 50_000).await;
        drop(line);
        setting.centre.logs(&["attempt aborted", &key.to_string()]).await;
        let state = setting.caller.state(&key).await;
        assert_eq!((state.phase.as_str(), state.attempts, state.offset), ("aborted", 1, 0), "{engine:?}");
        let entries = setting.centre.entries().await;
        let of_attempt = entries.iter().filter(|entry| entry.attempt == Some(1));
        let events: Vec<_> = of_attempt.map(|entry| entry.event).collect();
        assert_eq!(events, [Event::AttemptBegan, Event::Aborted], "{engine:?}");
        assert_eq!(setting.caller.with(engine).send(&key, &setting.content).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn small_content_whose_transfer_is_called_off_meanwhile_ends_as_that_and_nothing_of_it_arrives() {
    Engine::each(async |engine| {
        let setting = Setting::new(100_000, &[("link.stall_max", "\"60s\"")]).await;
        let (key, mut line) = setting.begun(engine, 50_000).await;
        let cancel = String::from_utf8(get(&key.location())).unwrap().replace("GET ", "DELETE ");
        assert_eq!(setting.caller.ask(cancel.as_bytes()).await.status, 204);
        let told = line.answer().await.unwrap();
        assert_eq!(told.problem(), Problem::Cancelled, "{engine:?}: while the rest of it never came");
        assert_eq!(setting.caller.state(&key).await.phase, "refused");
        let entries = setting.centre.entries().await;
        assert!(entries.iter().all(|entry| entry.event != Event::Committed));
        assert_eq!(setting.centre.inbox(), []);
    })
    .await;
}
