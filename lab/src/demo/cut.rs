//! The heart of the demo: a line on which nothing moves any more, what both sides make of it, and the second attempt.

use anyhow::{Context as _, ensure};
use protocol::{
    entry::{Entry, Event},
    limits::PIECE_BYTES,
    moment::Moment,
};

use super::{
    account::Account,
    report::{Cut, Sides},
    stage::Stage,
    tools,
};

/// Both sides must have given up within this time: `stall_max` of the demo, and a second.
const GIVEN_UP_WITHIN_MS: u64 = 3_000;

/// Sends the DPC file, and holds back every byte once half of it has passed, until both sides have given up.
pub async fn send_over_a_stalling_line(stage: &Stage, account: &Account) -> anyhow::Result<Cut> {
    let before = stage.proxy.status().up;
    let half = before + stage.dpc.bytes / 2;
    let mut sending = tools::begin_to_send(&stage.dpc)?;
    let reached = stage.proxy.wait_until(|status| status.up >= half);
    tokio::select! {
        _ = reached => {}
        ended = sending.ended() => {
            anyhow::bail!("`sekisho send` ended too early: {}\n{}", ended?, sending.err.text());
        }
    }
    let stall = stage.proxy.stall_now();
    account.says(format!(
        "after {} bytes the line stalls: nothing moves, either way",
        stage.proxy.status().up - before
    ));

    let at_sender = sending.err.wait_for(|line| line.contains("stopped: ").then_some(()));
    let at_centre = stage.process.err.wait_for(|line| line.contains("attempt aborted").then_some(()));
    let (at_sender, at_centre) = tokio::join!(at_sender, at_centre);
    at_sender.with_context(|| format!("the sender did not notice:\n{}", sending.err.text()))?;
    at_centre.context("the centre did not notice")?;
    let partial_visible = visible(stage)?;
    let (sender, receiver) = both_words(stage, stall.at).await?;
    let detected_ms = Sides { sender: sender.0, receiver: receiver.0 };
    let aborted = receiver.1;
    let cause = Sides { sender: sender.1, receiver: aborted.cause.context("an abort has a cause")? };
    let offset = aborted.offset.context("an abort has an offset")?;
    account.says(format!("the sender gave up after {} ms: {}", detected_ms.sender, cause.sender));
    account.says(format!("the centre gave up after {} ms: {}", detected_ms.receiver, cause.receiver));
    account.says(format!("the centre keeps {offset} durable bytes for the next attempt"));
    account.says(format!("visible of it in the inbox: {partial_visible}"));
    for (side, ms) in [("sender", detected_ms.sender), ("centre", detected_ms.receiver)] {
        ensure!(ms <= GIVEN_UP_WITHIN_MS, "the {side} took {ms} ms to give up");
    }
    ensure!(partial_visible == 0, "something of an incomplete file could be seen");

    stage.proxy.release();
    account.says("the line is released; the sender tries again by itself");
    let ended = sending.ended().await?;
    ensure!(ended.success(), "`sekisho send` did not succeed: {ended}\n{}", sending.err.text());
    let told = tools::status(&stage.dpc).await?;
    let [_, second] = told.attempts.as_slice() else {
        anyhow::bail!("two attempts were expected, not {:?}", told.attempts);
    };
    ensure!(
        second.offset > 0 && second.offset <= offset && offset - second.offset < PIECE_BYTES,
        "the second attempt went on at {}, not at the durable offset {offset}",
        second.offset
    );
    account.says(format!(
        "attempt {}, from byte {}, brought the rest: 到達確認 in hand",
        second.number, second.offset
    ));
    Ok(Cut { detected_ms, cause, offset: second.offset, partial_visible })
}

/// What each side put on record, and how long after the stall's beginning.
async fn both_words(
    stage: &Stage,
    stall: Moment,
) -> anyhow::Result<((u64, protocol::cause::Cause), (u64, Entry))> {
    let since =
        |at: Moment| u64::try_from(at.ms_since(stall)).context("something was noticed before it happened");
    let told = tools::status(&stage.dpc).await?;
    let first = told.attempts.first().context("no attempt is on the sender's record")?;
    let ended = first.ended.context("the first attempt has no end")?;
    let sender = (since(ended)?, first.cause.context("the first attempt has no cause")?);
    let entries = tools::entries(&stage.centre).await?;
    let own = |entry: &Entry| entry.event == Event::Aborted && entry.transfer_id == Some(told.id);
    let aborted = entries.into_iter().find(own).context("no abort is on the centre's record")?;
    Ok((sender, (since(aborted.time)?, aborted)))
}

/// Files that stand in the inbox, or on their way into it, beyond those of the two transfers that arrived.
fn visible(stage: &Stage) -> anyhow::Result<usize> {
    let root = stage.centre.inbox.parent().context("the inbox stands in a directory")?;
    let count = |name: &str| -> anyhow::Result<usize> { Ok(root.join(name).read_dir()?.count()) };
    let arrived = 2;
    Ok((count("inbox")? + count("taken")?).saturating_sub(arrived) + count(".incoming")?)
}
