//! Clocks that do not agree: told, and only beyond their bounds a reason to refuse.

use super::*;
use crate::{
    evidence::EvidenceFault,
    limits::FUTURE_MS_MAX,
    times::{ClockOff, TimeFault},
};

const HOUR: i64 = 3_600_000;

async fn send_to_a_clock_ahead(scene: &Scene, ms: i64) -> (Result<Sent, SendError>, Vec<ClockOff>) {
    scene.centre.memory.lock().unwrap().log.clock_ahead_ms = ms;
    let (notes, client) = (Notes::default(), scene.client());
    let sent = client.send(&scene.file, Filing::default(), &notes, &CancellationToken::new()).await;
    let told = notes.taken().into_iter().filter_map(|event| match event {
        ProgressEvent::ClockOff { off_ms } => Some(off_ms),
        _ => None,
    });
    (sent, told.collect())
}

#[tokio::test]
async fn a_file_arrives_although_the_clocks_differ_and_the_difference_is_told() {
    let scene = Scene::set().await;
    let (sent, told) = send_to_a_clock_ahead(&scene, HOUR).await;
    let off = sent.unwrap().clock_off_ms.unwrap();
    assert!((-HOUR..-HOUR + 60_000).contains(&off), "{off} ms");
    assert_eq!(told, [off]);
}

#[tokio::test]
async fn nothing_is_told_of_clocks_that_agree() {
    let scene = Scene::set().await;
    let (sent, told) = send_to_a_clock_ahead(&scene, 0).await;
    assert_eq!((sent.unwrap().clock_off_ms, told), (None, vec![]));
}

#[tokio::test]
async fn a_receipt_from_a_far_future_counts_once_the_clock_is_right() {
    let scene = Scene::set().await;
    let (sent, _) = send_to_a_clock_ahead(&scene, FUTURE_MS_MAX + HOUR).await;
    let error = sent.unwrap_err();
    let SendError::Evidence(EvidenceFault::Times { source: TimeFault::Future { .. }, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!((error.code(), error.blame()), ("clock", crate::Blame::Machine));
    assert!(!scene.transfer().phase().is_final());
}

#[tokio::test]
async fn a_receipt_dated_back_before_its_manifest_is_no_receipt() {
    let scene = Scene::set().await;
    let (sent, _) = send_to_a_clock_ahead(&scene, -HOUR).await;
    let error = sent.unwrap_err();
    assert!(
        matches!(
            &error,
            SendError::Evidence(EvidenceFault::Times { source: TimeFault::TooEarly { .. }, .. })
        ),
        "{error:?}"
    );
    assert!(!scene.transfer().file(RECEIPT).exists());
}

#[tokio::test]
async fn a_refusal_because_of_the_clock_counts_however_far_the_clocks_are_apart() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::RefuseOffer(Problem::CreatedAtOutOfRange));
    let (sent, told) = send_to_a_clock_ahead(&scene, -50 * HOUR).await;
    let error = sent.unwrap_err();
    assert!(matches!(&error, SendError::Refused { problem: Problem::CreatedAtOutOfRange, .. }), "{error}");
    assert!(told.iter().all(|off| (49 * HOUR..=50 * HOUR).contains(off)) && told.len() == 1, "{told:?}");
}
