//! Calling a transfer off.

use super::*;

/// A transfer of which the centre holds a part.
async fn begun(scene: &Scene) -> (Client, TransferId) {
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(scene);
    scene.send_by(&client).await.unwrap_err();
    (client, scene.transfer().id())
}

#[tokio::test]
async fn a_transfer_that_was_called_off_never_goes_on() {
    let scene = Scene::set().await;
    let (client, id) = begun(&scene).await;
    let stop = CancellationToken::new();
    let status = client.cancel(id, &stop).await.unwrap();
    assert_eq!(status.phase, Phase::Cancelled);
    assert!(scene.transfer().file(REFUSAL).exists(), "the centre's signed word is kept");
    assert!(scene.events().iter().any(|(event, _)| *event == Event::Cancelled));
    let error = client.cancel(id, &stop).await.unwrap_err();
    assert!(matches!(error, SendError::Ended { .. }), "{error}");
    let sent = scene.send_by(&client).await.unwrap();
    assert_ne!(sent.id, id, "the same file is a new transfer");
}

#[tokio::test]
async fn a_cancellation_whose_answer_was_lost_is_known_as_ours_when_the_centre_is_asked() {
    let scene = Scene::set().await;
    let (client, id) = begun(&scene).await;
    scene.centre.will(Mischief::LoseCancel);
    let stop = CancellationToken::new();
    let error = client.cancel(id, &stop).await.unwrap_err();
    assert!(matches!(error, SendError::NotDelivered { .. }), "{error}");
    assert!(!scene.transfer().phase().is_final());
    let status = client.ask(id, &stop).await.unwrap();
    assert_eq!(status.phase, Phase::Cancelled);
    assert!(scene.transfer().file(REFUSAL).exists());
}

#[tokio::test]
async fn a_file_whose_transfer_was_called_off_behind_a_lost_answer_does_not_arrive_silently() {
    let scene = Scene::set().await;
    let (client, id) = begun(&scene).await;
    scene.centre.will(Mischief::LoseCancel);
    client.cancel(id, &CancellationToken::new()).await.unwrap_err();
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(matches!(error, SendError::Cancelled { .. }), "{error}");
    assert_eq!(scene.transfer().phase(), Phase::Cancelled);
}

#[tokio::test]
async fn a_transfer_that_had_arrived_is_not_called_off_and_its_receipt_is_taken() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::LoseAnswer);
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let error = client.cancel(scene.transfer().id(), &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, SendError::Ended { phase: "received", .. }), "{error}");
    assert!(scene.transfer().file(RECEIPT).exists());
}

#[tokio::test]
async fn a_transfer_that_the_centre_never_heard_of_ends_here_alone() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::Turn(Problem::Draining));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let status = client.cancel(scene.transfer().id(), &CancellationToken::new()).await.unwrap();
    assert_eq!(status.phase, Phase::Cancelled);
    assert!(!scene.transfer().file(REFUSAL).exists());
}
