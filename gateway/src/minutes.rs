//! What is done once a minute: counts of what was turned down, ends that come nearer, and memory that nobody needs any more.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use protocol::entry::{Entry, Event};

use crate::{
    alarms::{Alarms, say},
    centre::Centre,
    counters::Stage,
    limits::SOURCES_NAMED_MAX,
};

/// How often.
const EVERY: Duration = Duration::from_secs(60);

/// Does it until the centre ends.
pub async fn run(centre: Arc<Centre>) {
    let mut alarms = Alarms::default();
    loop {
        say(&alarms.due(&centre.in_force(), pki::clock::now()));
        tokio::select! {
            biased;
            () = centre.ending.cancelled() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
        write_turned_away(&centre).await;
        if centre.attempts.count() == 0 {
            centre.buffers.release();
        }
    }
    write_turned_away(&centre).await;
}

/// One entry for all that was turned away before it was known by name: a stranger cannot fill the log, and an auditor
/// still sees that somebody knocked.
async fn write_turned_away(centre: &Arc<Centre>) {
    let sources = centre.counters.take_sources();
    if sources.is_empty() {
        return;
    }
    for (source, (stage, reason), count) in sources.iter().take(SOURCES_NAMED_MAX) {
        let source = source.map_or_else(|| "others".to_owned(), |net| net.to_string());
        tracing::info!(source, stage = stage.name(), reason, count, "turned away in the last minute");
    }
    let more: u64 = sources.iter().skip(SOURCES_NAMED_MAX).map(|(_, _, count)| count).sum();
    if more > 0 {
        tracing::info!(count = more, "turned away in the last minute, from further sources");
    }
    let mut by_reason = std::collections::BTreeMap::<(Stage, &str), u64>::new();
    for (_, reason, count) in &sources {
        *by_reason.entry(*reason).or_default() += count;
    }
    let mut note = String::new();
    for ((stage, reason), count) in by_reason {
        // Writing into a String does not fail.
        let _ = write!(note, "{}{}:{reason} {count}", if note.is_empty() { "" } else { ", " }, stage.name());
    }
    // A log that cannot be written has broken the centre, and says so itself.
    let _ = centre.record(Entry { note: Some(note), ..centre.entry(Event::TurnedAway) }).await;
}
