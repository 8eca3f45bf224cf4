//! Two appends to one transfer at the same time.

use std::{path::PathBuf, time::Duration};

use protocol::{cause::Cause, entry::Event, problem::Problem};
use tests::{
    centre::spooled,
    patience::patiently,
    setting::Setting,
    wire::{Engine, send_head},
};

/// Content is made durable in pieces of this many bytes.
const PIECE: usize = 1024 * 1024;

/// Waits until this many bytes lie in the centre's spool, durable or not.
async fn spool_holds(setting: &Setting, bytes: u64) {
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let length = |file: &PathBuf| std::fs::metadata(file).map_or(0, |facts| facts.len());
    while spooled(&setting.centre.site).iter().map(length).sum::<u64>() < bytes {
        pause.tick().await;
    }
}

#[tokio::test]
async fn case_45_of_two_appends_at_once_the_later_ends_the_earlier_and_offsets_stay_consistent() {
    Engine::each(async |engine| {
        let other = if engine == Engine::Hyper { Engine::Bulk } else { Engine::Hyper };
        let setting = Setting::new(3 * 1024 * 1024, &[("link.stall_max", "\"60s\"")]).await;
        let (key, content) = (setting.offered().await, &setting.content);
        let head = |offset: usize| send_head(&key, offset as u64, (content.len() - offset) as u64);
        let mut earlier = setting.caller.with(engine).line().await;
        earlier.write(&head(0)).await;
        earlier.write(&content[..2 * PIECE + 1]).await;
        patiently("two pieces in the spool", spool_holds(&setting, 2 * PIECE as u64)).await;

        // Nothing is ever durable up to the first byte: the later one is wrong about where to go on, whatever the earlier one
        // brought. It ends it all the same, and learns where.
        let answer = setting.caller.with(other).ask(&head(1)).await;
        assert_eq!((answer.status, answer.problem()), (409, Problem::WrongOffset));
        let offset: usize = answer.header("upload-offset").unwrap().parse().unwrap();
        assert!(offset <= 2 * PIECE + 1, "no more than what came: {offset}");
        let told = earlier.answer().await.expect("the earlier one is told why it ends");
        assert_eq!((told.status, told.problem()), (409, Problem::Superseded), "{engine:?}");
        assert_eq!(setting.caller.state(&key).await.offset, offset as u64);

        // What the earlier one still has to say goes nowhere.
        earlier.write(&content[2 * PIECE + 1..]).await;
        let mut later = setting.caller.with(engine).line().await;
        later.write(&head(offset)).await;
        let receipt = later.ask(&content[offset..]).await.receipt();
        assert_eq!(setting.caller.receipt(&key).await.text(), receipt);
        assert_eq!(setting.centre.delivered(&key).await.content, *content);
        let entries = setting.centre.entries().await;
        let of = |event: Event| entries.iter().filter(move |entry| entry.event == event);
        assert_eq!(of(Event::Committed).count(), 1);
        let causes: Vec<Option<Cause>> = of(Event::Aborted).map(|entry| entry.cause).collect();
        assert!(causes.contains(&Some(Cause::Superseded)), "{causes:?}");
    })
    .await;
}
