//! Cuts, stops and losses, and how a transfer goes on after them.

use super::*;

#[tokio::test]
async fn the_manifest_is_durable_before_the_first_byte_leaves() {
    let scene = Scene::set().await;
    let client = client(&scene.data(), "127.0.0.1:1".parse().unwrap());
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(
        matches!(&error, SendError::NotDelivered { tries: 3, last: LastTry::NobodyListens(_), .. }),
        "{error}"
    );
    assert!(error.next_step().contains("centre.address"), "{}", error.next_step());
    let transfer = scene.transfer();
    assert_eq!(transfer.phase(), Phase::Held);
    assert!(transfer.record.attempts.is_empty(), "no content was sent");
}

#[tokio::test]
async fn after_a_cut_it_asks_and_goes_on_where_the_centre_stands() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::CutAfter(5_000));
        let sent = scene.send().await.unwrap();
        let requests = ["offer", "send 0", "ask", "send 5000", "acknowledge"];
        assert_eq!(scene.centre.requests(), requests);
        assert_eq!(causes(&sent), [Some(Cause::PeerClosed), None]);
        assert!(scene.events().contains(&(Event::Aborted, Some(Cause::PeerClosed))));
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_nothing_is_sent_twice() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::LoseAnswer);
        scene.send().await.unwrap();
        assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "acknowledge"]);
    }
}

#[tokio::test]
async fn a_centre_that_forgot_the_transfer_is_offered_the_same_id_again() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let first = client_with_one_try(&scene);
    scene.send_by(&first).await.unwrap_err();
    drop(first);
    scene.centre.memory.lock().unwrap().forget();
    scene.send().await.unwrap();
    let requests = ["offer", "send 0", "ask", "offer", "send 0", "acknowledge"];
    assert_eq!(scene.centre.requests(), requests);
    let memory = scene.centre.memory.lock().unwrap();
    assert_eq!(memory.offers[0].manifest, memory.offers[1].manifest);
}

#[tokio::test]
async fn a_process_that_was_killed_goes_on_under_the_same_id() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::ReadNothing);
        let client = scene.client();
        // Killed: the future is dropped in the midst of an attempt, and the state directory opened anew.
        tokio::select! {
            _ = scene.send_by(&client) => panic!("a centre that reads nothing gave an answer"),
            () = scene.centre.receiving.notified() => {}
        }
        drop(client);
        let before = scene.transfer();
        assert_eq!(before.phase(), Phase::Sending);
        let sent = scene.send().await.unwrap();
        assert_eq!(sent.id, before.id());
        assert_eq!(causes(&sent), [Some(Cause::Restarted), None]);
        assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "send 0", "acknowledge"]);
    }
}

#[tokio::test]
async fn a_stop_by_the_user_is_on_record_and_the_transfer_stays_resumable() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::ReadNothing);
        let client = scene.client();
        let stop = CancellationToken::new();
        let sending = client.send(&scene.file, Filing::default(), &Unwatched, &stop);
        let stopping = async {
            scene.centre.receiving.notified().await;
            stop.cancel();
        };
        let (sent, ()) = tokio::join!(sending, stopping);
        assert!(matches!(sent, Err(SendError::Stopped)), "{sent:?}");
        assert_eq!(scene.transfer().phase(), Phase::Aborted(Cause::Cancelled));
        assert!(scene.events().contains(&(Event::Aborted, Some(Cause::Cancelled))));
        drop(client);
        scene.send().await.unwrap();
    }
}

#[tokio::test]
async fn a_centre_that_takes_nothing_is_stalled_and_not_lost() {
    // More than any buffer between here and there holds.
    for scene in Scene::of_either_line(400_000).await {
        scene.centre.will(Mischief::ReadNothing);
        let (notes, client) = (Notes::default(), scene.client());
        let sent =
            client.send(&scene.file, Filing::default(), &notes, &CancellationToken::new()).await.unwrap();
        assert_eq!(causes(&sent), [Some(Cause::Stalled), None]);
        let detected = sent.attempts[0].detected_ms.unwrap();
        assert!((1_000..3_000).contains(&detected), "noticed after {detected} ms");
        let aborted = notes.taken().into_iter().any(|event| {
            matches!(event, ProgressEvent::Aborted { cause: Cause::Stalled, detected_ms, .. } if detected_ms == detected)
        });
        assert!(aborted, "the user is told");
    }
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_no_longer_than_its_deadline() {
    // So little that it all fits into buffers: only the answer is missing.
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::ReadNothing);
        let sent = scene.send().await.unwrap();
        assert_eq!(causes(&sent), [Some(Cause::Stalled), None]);
    }
}

#[tokio::test]
async fn a_file_that_changes_on_its_way_stops_the_transfer() {
    for scene in Scene::of_either_line(400_000).await {
        scene.centre.will(Mischief::ReadNothing);
        let client = scene.client();
        let changing = async {
            scene.centre.receiving.notified().await;
            let file = fs::OpenOptions::new().append(true).open(&scene.file).unwrap();
            std::io::Write::write_all(&mut &file, b"x").unwrap();
        };
        let (sent, ()) = tokio::join!(scene.send_by(&client), changing);
        let error = sent.unwrap_err();
        assert!(matches!(&error, SendError::Source(SourceFault::Changed { .. })), "{error}");
        assert!(!scene.transfer().phase().is_final());
    }
}

#[tokio::test]
async fn content_that_is_wanted_again_and_again_is_sent_no_oftener_than_the_retry_policy_says() {
    for scene in Scene::of_either_line(200).await {
        for _ in 0..9 {
            scene.centre.will(Mischief::CheckAndDrop);
        }
        let error = scene.send().await.unwrap_err();
        assert!(matches!(&error, SendError::NotDelivered { tries: 3, last: LastTry::Cut(_), .. }), "{error}");
        let sends = scene.centre.requests().iter().filter(|request| *request == "send 0").count();
        assert_eq!(sends, 3);
    }
}

#[tokio::test]
async fn a_stop_between_state_and_log_is_mended_by_the_next_run() {
    let scene = Scene::set().await;
    let client = client(&scene.data(), "127.0.0.1:1".parse().unwrap());
    scene.send_by(&client).await.unwrap_err();
    drop(client);
    // As if the stop had come before the log's entry was known.
    let mut transfer = scene.transfer();
    transfer.record.offered_entry = None;
    transfer.save().unwrap();
    let sent = scene.send().await.unwrap();
    assert!(sent.bundle_path.exists());
}

#[tokio::test]
async fn a_file_that_was_moved_goes_on_from_its_new_place() {
    let mut scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let elsewhere = scene.directory.path().join("moved.uke");
    fs::rename(&scene.file, &elsewhere).unwrap();
    scene.file = elsewhere;
    scene.send_by(&client).await.unwrap();
    assert_eq!(scene.centre.requests()[2..], ["ask", "send 100", "acknowledge"]);
}
