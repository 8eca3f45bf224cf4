//! Small content goes on record with its outcome: what others see of an attempt before that, and what stays of one that fails.

use protocol::{entry::Event, problem::Problem, wire::State};
use tests::{
    setting::Setting,
    wire::{get, send_head},
};

#[tokio::test]
async fn whoever_asks_while_small_content_comes_is_told_that_it_is_received() {
    let setting = Setting::new(100_000, &[("link.stall_max", "\"60s\"")]).await;
    let manifest = setting.manifest();
    let (key, offer) = (manifest.key(), setting.papers.sign(&manifest));
    assert_eq!(setting.caller.offer(&offer).await.status, 201);
    assert_eq!(setting.caller.state(&key).await.phase, "offered");
    let (mut line, length) = (setting.caller.line().await, setting.content.len() as u64);
    line.write(&[&send_head(&key, 0, length), &setting.content[..50_000]].concat()).await;
    setting.centre.logs(&["attempt began", &key.to_string()]).await;
    assert_eq!(setting.caller.state(&key).await.phase, "receiving");
    assert_eq!(setting.caller.offer(&offer).await.json::<State>().phase, "receiving", "offered once more");
    assert_eq!(line.ask(&setting.content[50_000..]).await.status, 200);
    assert_eq!(setting.caller.state(&key).await.phase, "committed");
}

#[tokio::test]
async fn small_content_that_is_cut_off_is_on_record_as_an_attempt_that_began_and_ended() {
    let setting = Setting::new(100_000, &[]).await;
    let (key, length) = (setting.offered().await, setting.content.len() as u64);
    let mut line = setting.caller.line().await;
    line.write(&[&send_head(&key, 0, length), &setting.content[..50_000]].concat()).await;
    setting.centre.logs(&["attempt began", &key.to_string()]).await;
    drop(line);
    setting.centre.logs(&["attempt aborted", &key.to_string()]).await;
    let state = setting.caller.state(&key).await;
    assert_eq!((state.phase.as_str(), state.attempts, state.offset), ("aborted", 1, 0));
    let entries = setting.centre.entries().await;
    let of_attempt = entries.iter().filter(|entry| entry.attempt == Some(1));
    let events: Vec<_> = of_attempt.map(|entry| entry.event).collect();
    assert_eq!(events, [Event::AttemptBegan, Event::Aborted]);
    assert_eq!(setting.caller.send(&key, &setting.content).await.status, 200);
}

#[tokio::test]
async fn small_content_whose_transfer_is_called_off_meanwhile_ends_as_that_and_nothing_of_it_arrives() {
    let setting = Setting::new(100_000, &[("link.stall_max", "\"60s\"")]).await;
    let (key, length) = (setting.offered().await, setting.content.len() as u64);
    let mut line = setting.caller.line().await;
    line.write(&[&send_head(&key, 0, length), &setting.content[..50_000]].concat()).await;
    setting.centre.logs(&["attempt began", &key.to_string()]).await;
    let cancel = String::from_utf8(get(&key.location())).unwrap().replace("GET ", "DELETE ");
    assert_eq!(setting.caller.ask(cancel.as_bytes()).await.status, 204);
    let told = line.answer().await.unwrap();
    assert_eq!(told.problem(), Problem::Cancelled, "while the rest of it never came");
    assert_eq!(setting.caller.state(&key).await.phase, "refused");
    let entries = setting.centre.entries().await;
    assert!(entries.iter().all(|entry| entry.event != Event::Committed));
    assert_eq!(setting.centre.inbox(), []);
}
