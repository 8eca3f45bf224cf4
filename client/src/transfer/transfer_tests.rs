//! A transfer against a centre that behaves, and against one that does not.

use std::fs;

use protocol::{
    entry::{Entry, Event},
    transfer_id::TransferId,
};
use tempfile::TempDir;

use super::*;
use crate::{
    Client, Filing, Sent, Unwatched,
    centre_log::CentreLogFault as LogFault,
    store::{RECEIPT, REFUSAL},
    testing::{
        CentreLog,
        centre::{FakeCentre, Mischief},
        desk::{Notes, client, file_in},
    },
};

/// A directory with a claims file, a state directory, and a centre to send to.
struct Scene {
    directory: TempDir,
    file: PathBuf,
    centre: FakeCentre,
}

impl Scene {
    async fn set() -> Self {
        Scene::with_claims(200).await
    }

    async fn with_claims(claims: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), claims);
        Scene { file, centre: FakeCentre::start().await, directory }
    }

    /// A client as a new process has it.
    fn client(&self) -> Client {
        client(&self.data(), self.centre.address)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    async fn send(&self) -> Result<Sent, SendError> {
        self.send_by(&self.client()).await
    }

    async fn send_by(&self, client: &Client) -> Result<Sent, SendError> {
        client.send(&self.file, Filing::default(), &Unwatched, &CancellationToken::new()).await
    }

    fn transfer(&self) -> Transfer {
        let transfers = crate::store::transfers_in(&self.data()).unwrap();
        assert_eq!(transfers.len(), 1);
        transfers[0].clone()
    }

    /// What the send log says happened.
    fn events(&self) -> Vec<(Event, Option<Cause>)> {
        let log = fs::read_to_string(self.data().join("log/entries.jsonl")).unwrap();
        let entries = log.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
        entries.map(|entry| (entry.event, entry.cause)).collect()
    }
}

fn causes(sent: &Sent) -> Vec<Option<Cause>> {
    sent.attempts.iter().map(|attempt| attempt.cause).collect()
}

#[tokio::test]
async fn a_file_arrives_and_every_step_of_it_stands_in_the_send_log() {
    let scene = Scene::set().await;
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

#[tokio::test]
async fn the_manifest_is_durable_before_the_first_byte_leaves() {
    let scene = Scene::set().await;
    let client = client(&scene.data(), "127.0.0.1:1".parse().unwrap());
    let error = scene.send_by(&client).await.unwrap_err();
    assert!(
        matches!(&error, SendError::NotDelivered { tries: 3, last: LastTry::Unreachable(_), .. }),
        "{error}"
    );
    let transfer = scene.transfer();
    assert_eq!(transfer.phase(), Phase::Held);
    assert!(transfer.record.attempts.is_empty(), "no content was sent");
}

#[tokio::test]
async fn after_a_cut_it_asks_and_goes_on_where_the_centre_stands() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(5_000));
    let sent = scene.send().await.unwrap();
    let requests = ["offer", "send 0", "ask", "send 5000", "acknowledge"];
    assert_eq!(scene.centre.requests(), requests);
    assert_eq!(causes(&sent), [Some(Cause::PeerClosed), None]);
    assert!(scene.events().contains(&(Event::Aborted, Some(Cause::PeerClosed))));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_nothing_is_sent_twice() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::LoseAnswer);
    scene.send().await.unwrap();
    assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "acknowledge"]);
}

#[tokio::test]
async fn while_the_centre_checks_it_is_asked_until_the_receipt_is_there() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CheckFirst);
    scene.send().await.unwrap();
    assert_eq!(scene.centre.requests(), ["offer", "send 0", "ask", "acknowledge"]);
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

fn client_with_one_try(scene: &Scene) -> Client {
    let mut client = scene.client();
    client.desk_mut().retry.attempts = 1;
    client
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
async fn a_process_that_was_killed_goes_on_under_the_same_id() {
    let scene = Scene::set().await;
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

#[tokio::test]
async fn a_stop_by_the_user_is_on_record_and_the_transfer_stays_resumable() {
    let scene = Scene::set().await;
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

#[tokio::test]
async fn a_centre_that_takes_nothing_is_stalled_and_not_lost() {
    // More than any buffer between here and there holds.
    let scene = Scene::with_claims(400_000).await;
    scene.centre.will(Mischief::ReadNothing);
    let (notes, client) = (Notes::default(), scene.client());
    let sent = client.send(&scene.file, Filing::default(), &notes, &CancellationToken::new()).await.unwrap();
    assert_eq!(causes(&sent), [Some(Cause::Stalled), None]);
    let detected = sent.attempts[0].detected_ms.unwrap();
    assert!((1_000..3_000).contains(&detected), "noticed after {detected} ms");
    let aborted = notes.taken().into_iter().any(|event| {
        matches!(event, ProgressEvent::Aborted { cause: Cause::Stalled, detected_ms, .. } if detected_ms == detected)
    });
    assert!(aborted, "the user is told");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_waited_for_no_longer_than_its_deadline() {
    // So little that it all fits into buffers: only the answer is missing.
    let scene = Scene::set().await;
    scene.centre.will(Mischief::ReadNothing);
    let sent = scene.send().await.unwrap();
    assert_eq!(causes(&sent), [Some(Cause::Stalled), None]);
}

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
    let scene = Scene::with_claims(400_000).await;
    scene.centre.will(Mischief::RefuseEarly(Problem::ClaimsIncomplete));
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::Refused { problem: Problem::ClaimsIncomplete, .. }), "{error}");
    assert_eq!(scene.centre.requests(), ["offer", "send 0"]);
}

#[tokio::test]
async fn a_receipt_that_the_receiver_did_not_sign_is_no_receipt() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::ForgeReceipt);
    let error = scene.send().await.unwrap_err();
    assert!(matches!(&error, SendError::Evidence(_)), "{error}");
    let transfer = scene.transfer();
    assert!(!transfer.phase().is_final());
    assert!(!transfer.file(RECEIPT).exists());
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

fn newest_bundle(scene: &Scene) -> PathBuf {
    let transfers = crate::store::transfers_in(&scene.data()).unwrap();
    transfers.last().unwrap().file(crate::store::BUNDLE)
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
async fn a_file_that_changes_on_its_way_stops_the_transfer() {
    let scene = Scene::with_claims(400_000).await;
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
async fn a_transfer_that_was_called_off_never_goes_on() {
    let scene = Scene::set().await;
    scene.centre.will(Mischief::CutAfter(100));
    let client = client_with_one_try(&scene);
    scene.send_by(&client).await.unwrap_err();
    let id: TransferId = scene.transfer().id();
    let stop = CancellationToken::new();
    let status = client.cancel(id, &stop).await.unwrap();
    assert_eq!(status.phase, Phase::Cancelled);
    let error = client.cancel(id, &stop).await.unwrap_err();
    assert!(matches!(error, SendError::Ended { .. }), "{error}");
    let sent = scene.send_by(&client).await.unwrap();
    assert_ne!(sent.id, id, "the same file is a new transfer");
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

#[test]
fn a_missing_proof_is_asked_for_again() {
    let trouble = Trouble::from(SendError::CentreLog(LogFault::NoConsistency));
    assert!(matches!(trouble, Trouble::Again(LastTry::BadAnswer(_), None)));
}
