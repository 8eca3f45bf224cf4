//! Centres that say no, and centres that lie.

use super::*;

#[tokio::test]
async fn a_signed_refusal_is_final_and_kept() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::RefuseOffer(Problem::TooLarge));
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::Refused { problem: Problem::TooLarge, .. }), "{error}");
    let transfer = scene.transfer();
    assert_eq!(transfer.phase(), Phase::Refused(Problem::TooLarge));
    assert!(transfer.file(REFUSAL).exists());
    assert_eq!(scene.centre.requests(), ["offer"], "not one byte of content left");
}

#[tokio::test]
async fn a_refusal_that_the_receiver_did_not_sign_ends_nothing() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::ForgeRefusal(Problem::TooLarge));
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::Evidence(_)), "{error}");
    assert_eq!(scene.transfer().phase(), Phase::Held);
    scene.send().await.unwrap();
}

#[tokio::test]
async fn an_answer_before_the_whole_content_was_sent_is_heard() {
    for scene in Scene::of_either_line(400_000).await {
        scene.centre.will(Mischief::RefuseEarly(Problem::ClaimsIncomplete));
        let error = scene.send().await.unwrap_err();
        assert!(matches!(&error, SendError::Refused { problem: Problem::ClaimsIncomplete, .. }), "{error}");
        assert_eq!(scene.centre.requests(), ["offer", "send 0"]);
    }
}

#[tokio::test]
async fn a_receipt_that_the_receiver_did_not_sign_is_no_receipt() {
    for scene in Scene::of_either_line(200).await {
        scene.centre.will(Mischief::ForgeReceipt);
        let error = scene.send().await.unwrap_err();
        assert!(matches!(&error, SendError::Evidence(_)), "{error}");
        let transfer = scene.transfer();
        assert!(!transfer.phase().is_final());
        assert!(!transfer.file(RECEIPT).exists());
        assert!(transfer.file("rejected.json").exists(), "kept for those who look into it");
    }
}

#[tokio::test]
async fn a_send_log_restored_from_an_older_copy_is_called_that_and_a_new_one_goes_on() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    // What a backup holds; the log then grows while the centre looks on.
    let (data, backup) = (scene.data(), scene.directory.path().join("backup"));
    let copied = std::process::Command::new("cp").arg("-r").args([&data, &backup]).status().unwrap();
    assert!(copied.success());
    let next = |claims| {
        let file = scene.directory.path().join(format!("{claims}.uke"));
        fs::write(&file, crate::testing::claims_file(claims)).unwrap();
        file
    };
    let send = async |client: Client, file: PathBuf| {
        client.send(&file, Filing::default(), &Unwatched, &CancellationToken::new()).await
    };
    for claims in [7, 8] {
        send(scene.client(), next(claims)).await.unwrap();
    }
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&backup, &data).unwrap();
    for _ in 0..2 {
        let error = send(scene.client(), next(9)).await.unwrap_err();
        assert!(matches!(error, SendError::LogBehind { seen, here } if here < seen), "{error}");
    }
    fs::rename(&data, &backup).unwrap();
    send(scene.client(), next(9)).await.unwrap();
}

#[tokio::test]
async fn a_centre_whose_log_was_rewritten_gets_nothing_more() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    let file = scene.directory.path().join("second.uke");
    fs::write(&file, crate::testing::claims_file(7)).unwrap();
    scene.centre.memory.lock().unwrap().log = CentreLog::with_first_entry(1, "another history");
    let client = scene.client();
    let (filing, stop) = (Filing::default, CancellationToken::new());
    let error = client.send(&file, filing(), &Unwatched, &stop).await.unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
    assert!(scene.events().iter().any(|(event, _)| *event == Event::LogForked));
    let requests = scene.centre.requests();
    drop(client);
    let error = scene.client().send(&file, filing(), &Unwatched, &stop).await.unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
    assert_eq!(scene.centre.requests(), requests, "nothing more is said to it");
}

#[tokio::test]
async fn a_new_log_that_people_accepted_counts_from_then_on_and_both_heads_stay_on_record() {
    let scene = Scene::set().await;
    scene.send().await.unwrap();
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.centre.memory.lock().unwrap().log = CentreLog::with_first_entry(1, "another history");
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
    let (receiver, sender) =
        (crate::testing::RECEIVER.parse().unwrap(), crate::testing::SENDER.parse().unwrap());
    let environment = protocol::party::Environment::Test;
    let fork = store::accept_fork(&scene.data(), environment, &sender, &receiver).unwrap().unwrap();
    assert_eq!(store::accept_fork(&scene.data(), environment, &sender, &receiver).unwrap(), None);

    // The receipt that did not count is asked for, and counts.
    scene.send().await.unwrap();
    let log = fs::read_to_string(scene.data().join("log/entries.jsonl")).unwrap();
    let mut entries = log.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
    let accepted = entries.find(|entry| entry.event == Event::LogAccepted).unwrap();
    assert_eq!(accepted.note, Some(fork.shown.clone()));
    let known = scene.client().desk_mut().store.lock().unwrap().centre(&receiver).unwrap().clone();
    assert_eq!((known.fork, &known.accepted[0].fork), (None, &fork));
    // The new log is held to what was accepted.
    fs::write(&scene.file, crate::testing::claims_file(8)).unwrap();
    scene.centre.memory.lock().unwrap().log = CentreLog::with_first_entry(1, "a third one");
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::LogForked { .. }), "{error}");
}

#[tokio::test]
async fn a_no_for_now_is_tried_again_and_a_no_without_signature_is_not_final() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::Turn(Problem::TooMany));
    scene.send().await.unwrap();
    fs::write(&scene.file, crate::testing::claims_file(7)).unwrap();
    scene.centre.will(Mischief::Turn(Problem::NotYours));
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::TurnedDown { problem: Problem::NotYours, .. }), "{error}");
    scene.send().await.unwrap();
}

#[tokio::test]
async fn an_expired_transfer_is_given_up_and_the_file_becomes_a_new_one() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let id = scene.transfer().id();
    scene.centre.memory.lock().unwrap().expire();
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(matches!(&error, SendError::Refused { problem: Problem::Expired, .. }), "{error}");
    let transfer = scene.transfer();
    assert_eq!(transfer.phase(), Phase::Refused(Problem::Expired));
    assert!(transfer.file(REFUSAL).exists(), "its end is signed, and kept");
    assert!(scene.events().iter().any(|(event, _)| *event == Event::Refused));
    assert_ne!(scene.send_by(&client).await.unwrap().id, id);
}

#[tokio::test]
async fn a_transfer_that_the_centre_calls_off_unasked_is_refused_and_not_called_off() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    scene.centre.memory.lock().unwrap().cancel_unasked();
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(matches!(&error, SendError::Refused { problem: Problem::Cancelled, .. }), "{error}");
    let transfer = scene.transfer();
    assert_eq!(transfer.phase(), Phase::Refused(Problem::Cancelled));
    assert!(transfer.file(REFUSAL).exists());
}

#[tokio::test]
async fn a_sender_that_the_certificate_does_not_name_is_not_sent_for() {
    let scene = Scene::set().await;
    let mut client = scene.client();
    let other = "urn:sekisho:test:institution:1310000026";
    client.desk_mut().acting = protocol::party::Identity::from_uri(other).unwrap();
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(matches!(&error, SendError::NotOurs { .. }), "{error}");
    assert!(scene.centre.requests().is_empty());
}
