//! Several transfers of one client side by side: answers come in any order, and no order of honest answers is a fork.

use tokio::task::JoinSet;

use super::*;
use crate::bundle;

const STOP: fn() -> CancellationToken = CancellationToken::new;

async fn send(client: Arc<Client>, file: PathBuf) -> Result<Sent, SendError> {
    client.send(&file, Filing::default(), &Unwatched, &STOP()).await
}

/// Files of different content in directories of their own.
fn files(scene: &Scene, count: u32) -> Vec<PathBuf> {
    let file = |number: u32| {
        let directory = scene.directory.path().join(format!("file-{number}"));
        fs::create_dir(&directory).unwrap();
        file_in(&directory, number + 1)
    };
    (0..count).map(file).collect()
}

/// Sends the first file up to an answer that is made and held back, and then the second one to its end: what became of
/// the first after `between`, when its answer comes at last.
async fn overtaken(scene: &Scene, between: impl FnOnce(&Scene)) -> Result<Sent, SendError> {
    let client = Arc::new(scene.client());
    let [zeroth, first, second] = files(scene, 3).try_into().unwrap();
    send(Arc::clone(&client), zeroth).await.unwrap();
    scene.centre.will(Mischief::AnswerLate);
    let first = tokio::spawn(send(Arc::clone(&client), first));
    scene.centre.made.notified().await;
    send(client, second).await.unwrap();
    between(scene);
    scene.centre.give.notify_one();
    first.await.unwrap()
}

#[tokio::test]
async fn a_receipt_under_an_older_head_than_the_known_one_counts_once_that_is_proved() {
    let scene = Scene::set().await;
    let sent = overtaken(&scene, |_| ()).await.unwrap();
    let proved: Vec<_> =
        scene.centre.requests().into_iter().filter(|word| word.starts_with("prove")).collect();
    assert_eq!(proved, ["prove 3 4"]);
    let bundle = bundle::read(&fs::read(&sent.bundle_path).unwrap()).unwrap();
    assert!(bundle.centre_log.continues.is_some(), "it continues what was known when it was asked for");
    bundle::judge(&bundle, None, &crate::testing::BelievesChains, clock::now()).unwrap();
    // The known head never goes back.
    scene.send().await.unwrap();
    let requests = scene.centre.requests();
    assert_eq!(requests.iter().filter(|word| word.starts_with("prove")).count(), 1, "{requests:?}");
}

#[tokio::test]
async fn an_older_head_of_another_history_is_a_fork() {
    let scene = Scene::set().await;
    let error = overtaken(&scene, |scene| {
        // As if the late answer had been of this one.
        let mut other = CentreLog::with_first_entry(1, "another history");
        other.receipt_answer(b"one", 0);
        other.receipt_answer(b"two", 0);
        other.receipt_answer(b"three", 0);
        scene.centre.memory.lock().unwrap().log = other;
    })
    .await
    .unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
    assert!(scene.events().iter().any(|(event, _)| *event == Event::LogForked));
}

#[tokio::test]
async fn an_older_head_that_the_centre_will_not_tie_to_the_known_one_is_a_fork() {
    let scene = Scene::set().await;
    let error = overtaken(&scene, |scene| {
        scene.centre.memory.lock().unwrap().log = CentreLog::new(1);
    })
    .await
    .unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
}

#[tokio::test]
async fn a_receipt_without_proof_is_followed_by_a_question_for_it() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.centre.will(Mischief::ProveNothing);
    scene.send().await.unwrap();
    assert_eq!(scene.centre.requests()[3..], ["offer", "send 0", "prove 2 3", "acknowledge"]);
}

#[tokio::test]
async fn a_manifest_made_before_another_that_the_centre_has_seen_is_still_taken() {
    let scene = Scene::set().await;
    let client = Arc::new(client_with_one_try(&scene));
    let [first, second] = files(&scene, 2).try_into().unwrap();
    scene.centre.will(Mischief::Turn(Problem::Draining));
    send(Arc::clone(&client), first.clone()).await.unwrap_err();
    send(Arc::clone(&client), second).await.unwrap();
    send(client, first).await.unwrap();
}

#[tokio::test]
async fn a_manifest_made_before_another_is_taken_even_if_the_answer_to_that_ones_offer_was_lost() {
    let scene = Scene::set().await;
    let client = Arc::new(client_with_one_try(&scene));
    let [first, second, third] = files(&scene, 3).try_into().unwrap();
    scene.centre.will(Mischief::Turn(Problem::Draining));
    send(Arc::clone(&client), first.clone()).await.unwrap_err();
    send(Arc::clone(&client), second).await.unwrap();
    scene.centre.will(Mischief::LoseOffer);
    send(Arc::clone(&client), third).await.unwrap_err();
    // The centre has seen a newer head than we know of.
    send(client, first).await.unwrap();
}

#[tokio::test]
async fn files_sent_at_the_same_time_all_arrive() {
    for scene in Scene::of_either_line(200).await {
        let client = Arc::new(client_with_one_try(&scene));
        let files = files(&scene, 12);
        let mut sending = JoinSet::new();
        files.iter().cloned().for_each(|file| _ = sending.spawn(send(Arc::clone(&client), file)));
        while let Some(sent) = sending.join_next().await {
            let sent = sent.unwrap().unwrap();
            let bundle = bundle::read(&fs::read(&sent.bundle_path).unwrap()).unwrap();
            bundle::judge(&bundle, None, &crate::testing::BelievesChains, clock::now()).unwrap();
        }
        let transfers = client.transfers().await.unwrap();
        assert_eq!(
            transfers.iter().filter(|transfer| transfer.phase == Phase::Received).count(),
            files.len()
        );
    }
}

#[tokio::test]
async fn a_fork_ends_what_is_on_its_way_to_that_centre_too() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    scene.centre.memory.lock().unwrap().log = CentreLog::with_first_entry(1, "another history");
    // The answer to one of them never comes; the other's contradicts what is known.
    scene.centre.will(Mischief::AnswerLate);
    let order = |file| crate::Order { file, filing: Filing::default(), progress: Arc::new(Unwatched) };
    let orders = files(&scene, 3).into_iter().map(order).collect();
    let (mut ended, stop) = (Vec::new(), STOP());
    let client = Arc::new(scene.client());
    client.send_all(orders, 2.try_into().unwrap(), &stop, |place, sent| ended.push((place, sent))).await;
    ended.sort_by_key(|(place, _)| *place);
    let forked =
        |(_, sent): &(usize, Result<Sent, SendError>)| matches!(sent, Err(SendError::LogForked { .. }));
    assert!(ended.len() == 2 && ended.iter().all(forked), "{ended:?}");
    assert!(!stop.is_cancelled());
}
