//! From a file to its receipt.

use super::*;

#[tokio::test]
async fn a_file_arrives_and_every_step_of_it_stands_in_the_send_log() {
    for scene in Scene::of_either_line(200).await {
        let sent = scene.send().await.unwrap();
        assert_eq!(scene.centre.memory.lock().unwrap().content(), fs::read(&scene.file).unwrap());
        assert_eq!(scene.centre.requests(), ["offer", "send 0", "acknowledge"]);
        let events: Vec<Event> = scene.events().into_iter().map(|(event, _)| event).collect();
        assert_eq!(
            events,
            [Event::LogOpened, Event::Offered, Event::AttemptBegan, Event::Received, Event::Acknowledged]
        );
        assert!(sent.acknowledged && !sent.already);
        assert!(sent.receipt_path.exists() && sent.bundle_path.exists());
    }
}

#[tokio::test]
async fn the_same_file_again_gets_the_receipt_that_is_there_and_no_connection() {
    let scene = Scene::set().await;
    let first = scene.send().await.unwrap();
    let requests = scene.centre.requests();
    let again = scene.send().await.unwrap();
    assert!(again.already);
    assert_eq!((again.id, again.receipt_path), (first.id, first.receipt_path));
    assert_eq!(scene.centre.requests(), requests);
}

#[tokio::test]
async fn a_resubmission_on_purpose_is_a_new_transfer_that_names_the_old_one() {
    let scene = Scene::set().await;
    let client = scene.client();
    let first = scene.send_by(&client).await.unwrap();
    let filing = Filing { resubmission_of: Some(first.id), ..Filing::default() };
    let again = client.send(&scene.file, filing, &Unwatched, &CancellationToken::new()).await.unwrap();
    assert_ne!(again.id, first.id);
    let transfers = client.transfers().await.unwrap();
    assert_eq!(transfers.len(), 2);
}

#[tokio::test]
async fn while_the_centre_checks_it_is_asked_until_the_receipt_is_there() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::CheckFirst);
        scene.send().await.unwrap();
        assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "acknowledge"]);
    }
}

#[tokio::test]
async fn the_next_transfer_proves_that_both_logs_continue() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.send().await.unwrap();
    let memory = scene.centre.memory.lock().unwrap();
    let consistency = memory.offers[1].consistency.as_ref().unwrap();
    assert_eq!(consistency.from, 1, "the centre saw our log's first entry in the first manifest");
    let bundle = fs::read_to_string(newest_bundle(&scene)).unwrap();
    let bundle: crate::bundle::Bundle = serde_json::from_str(&bundle).unwrap();
    assert!(bundle.centre_log.continues.is_some());
}

#[tokio::test]
async fn a_centre_that_asks_for_another_proof_gets_it() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.centre.will(Mischief::WantProof(3));
    scene.send().await.unwrap();
    let memory = scene.centre.memory.lock().unwrap();
    let froms: Vec<Option<u64>> =
        memory.offers.iter().map(|offer| offer.consistency.as_ref().map(|proof| proof.from)).collect();
    assert_eq!(froms, [None, Some(1), Some(3)]);
}

#[tokio::test]
async fn a_receipt_that_could_not_be_acknowledged_is_acknowledged_by_the_next_run() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CheckFirst);
    let client = scene.client();
    let stop = CancellationToken::new();
    // The stop comes with the receipt: nothing more is said in this run.
    struct StopsAtReceipt<'a>(&'a CancellationToken);
    impl Progress for StopsAtReceipt<'_> {
        fn event(&self, event: &ProgressEvent) {
            if matches!(event, ProgressEvent::Received { .. }) {
                self.0.cancel();
            }
        }
    }
    let sent = client.send(&scene.file, Filing::default(), &StopsAtReceipt(&stop), &stop).await.unwrap();
    assert!(!sent.acknowledged, "the receipt counts all the same");
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.send_by(&client).await.unwrap();
    assert_eq!(scene.centre.memory.lock().unwrap().acknowledged.len(), 2);
    assert!(client.transfers().await.unwrap().iter().all(|transfer| transfer.acknowledged_at.is_some()));
}

#[tokio::test]
async fn a_question_brings_the_receipt_home_and_sends_nothing() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::LoseAnswer);
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let id = scene.transfer().id();
    let status = client.ask(id, &CancellationToken::new()).await.unwrap();
    assert_eq!(status.phase, Phase::Received);
    assert!(status.acknowledged_at.is_some());
    assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "acknowledge"]);
}
