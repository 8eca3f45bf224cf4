//! What a file is said to replace or correct is never dropped because the same content was sent before.

use super::*;
use crate::Mark;

fn other() -> TransferId {
    "0198f0a0-0000-7000-8000-000000000000".parse().unwrap()
}

async fn send_as(scene: &Scene, client: &Client, filing: Filing) -> Result<Sent, SendError> {
    client.send(&scene.file, filing, &Unwatched, &CancellationToken::new()).await
}

#[tokio::test]
async fn content_that_arrived_without_a_mark_is_not_told_as_sent_with_it() {
    let scene = Scene::set().await;
    let client = scene.client();
    let first = scene.send_by(&client).await.unwrap();
    let replaces = Filing { replaces: Some(other()), ..Filing::default() };
    let corrects = Filing { corrects: Some(other()), ..Filing::default() };
    for (filing, expected) in
        [(replaces.clone(), Mark::Replaces(other())), (corrects, Mark::Corrects(other()))]
    {
        let error = send_as(&scene, &client, filing).await.unwrap_err();
        let SendError::FiledOtherwise { id, mark, arrived: true } = error else { panic!("{error:?}") };
        assert_eq!((id, mark), (first.id, expected));
    }
    // As the message says.
    let again = Filing { resubmission_of: Some(first.id), ..replaces.clone() };
    let sent = send_as(&scene, &client, again).await.unwrap();
    assert_ne!(sent.id, first.id);
    // The same command again finds the transfer that bears the mark.
    let found = send_as(&scene, &client, replaces).await.unwrap();
    assert_eq!((found.id, found.already), (sent.id, true));
}

#[tokio::test]
async fn content_that_is_held_without_a_mark_does_not_go_on_as_if_it_had_it() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let id = scene.transfer().id();
    let replaces = Filing { replaces: Some(other()), ..Filing::default() };
    let error = send_as(&scene, &client, replaces.clone()).await.unwrap_err();
    assert!(matches!(error, SendError::FiledOtherwise { arrived: false, .. }), "{error:?}");
    // As the message says.
    client.cancel(id, &CancellationToken::new()).await.unwrap();
    send_as(&scene, &client, replaces).await.unwrap();
    let memory = scene.centre.memory.lock().unwrap();
    let manifest = protocol::jws::Unverified::<protocol::statement::Manifest>::parse(
        &memory.offers.last().unwrap().manifest,
    );
    assert_eq!(manifest.unwrap().claimed().replaces, Some(other()));
}

#[tokio::test]
async fn a_marked_file_that_is_sent_again_without_its_mark_is_still_the_same_file() {
    let scene = Scene::set().await;
    let client = scene.client();
    let replaces = Filing { replaces: Some(other()), ..Filing::default() };
    let first = send_as(&scene, &client, replaces).await.unwrap();
    let again = scene.send_by(&client).await.unwrap();
    assert_eq!((again.id, again.already), (first.id, true));
}
