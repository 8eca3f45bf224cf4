//! An id is one transfer for ever: asked again it says the same again, and it is nobody else's.

use protocol::{kind::Kind, problem::Problem, statement::Refusal, transfer_id::TransferKey, wire::State};
use tests::{
    files::claims_file,
    lab::institution,
    papers::{Papers, new_id},
    setting::Setting,
    wire::{Caller, Engine, get, post, send_head},
};

/// Sends the file under a new id, by this engine: its key, manifest and receipt.
async fn send(setting: &Setting, engine: Engine) -> (TransferKey, String, String) {
    let manifest = setting.manifest();
    let (key, text) = (manifest.key(), setting.papers.sign(&manifest));
    assert_eq!(setting.caller.offer(&text).await.status, 201);
    let receipt = setting.caller.with(engine).send(&key, &setting.content).await.receipt();
    (key, text, receipt)
}

#[tokio::test]
async fn case_44_the_same_id_again_returns_the_stored_receipt_byte_for_byte() {
    Engine::each(async |engine| {
        let setting = Setting::new(20_000, &[]).await;
        let (key, manifest, receipt) = send(&setting, engine).await;
        let again = setting.caller.offer(&manifest).await;
        assert_eq!(again.status, 200);
        assert_eq!(again.json::<State>().receipt.map(|held| held.receipt), Some(receipt.clone()));
        assert_eq!(setting.caller.state(&key).await.receipt.map(|held| held.receipt), Some(receipt.clone()));
        assert_eq!(setting.caller.receipt(&key).await.text(), receipt);
        let delivered = setting.centre.delivered(&key).await;
        assert_eq!((delivered.receipt, delivered.content), (receipt.clone(), setting.content.clone()));
        // Neither a new process nor an acknowledgement changes it.
        let Setting { centre, caller, papers, .. } = setting;
        let acknowledgement = papers.acknowledgement(&key, &receipt);
        let answer =
            caller.ask(&post("/v1/acknowledgements", "application/jose", acknowledgement.as_bytes())).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        let centre = centre.again_after_kill().await;
        assert_eq!(caller.at(centre.address).receipt(&key).await.text(), receipt);
    })
    .await;
}

#[tokio::test]
async fn case_44_another_manifest_under_the_same_id_is_refused() {
    let setting = Setting::new(20_000, &[]).await;
    let first = setting.manifest();
    assert_eq!(setting.caller.offer(&setting.papers.sign(&first)).await.status, 201);
    let mut other = first.clone();
    other.file_name = "OTHER.UKE".to_owned();
    let answer = setting.caller.offer(&setting.papers.sign(&other)).await;
    assert_eq!((answer.status, answer.problem()), (409, Problem::ManifestConflict));
    // The first one stands as it stood.
    assert_eq!(setting.caller.send(&first.key(), &setting.content).await.status, 200);
}

#[tokio::test]
async fn the_same_content_under_a_new_id_is_refused_with_the_earlier_receipt() {
    Engine::each(async |engine| {
        let setting = Setting::new(20_000, &[]).await;
        let (first, _, receipt) = send(&setting, engine).await;
        let second = setting.manifest();
        let answer = setting.caller.offer(&setting.papers.sign(&second)).await;
        assert_eq!((answer.status, answer.problem()), (409, Problem::AlreadyHeld));
        let body: protocol::wire::ProblemBody = answer.json();
        let refusal = body.refusal.expect("the refusal is signed");
        let refusal = protocol::jws::Unverified::<Refusal>::parse(&refusal).unwrap().claimed().clone();
        assert_eq!(refusal.reason, Problem::AlreadyHeld);
        assert_eq!((refusal.transfer_id, refusal.earlier_receipt), (second.transfer_id, Some(receipt)));
        // It is final: the id never commits later.
        let later = setting.caller.with(engine).send(&second.key(), &setting.content).await;
        assert_eq!(later.problem(), Problem::AlreadyHeld, "{engine:?}");
        // Deliveries run on their own.
        setting.centre.delivered(&first).await;
        assert_eq!(setting.centre.inbox().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_same_content_is_taken_once_more_when_the_manifest_names_the_first() {
    let setting = Setting::new(20_000, &[]).await;
    let (first, _, receipt) = send(&setting, Engine::Hyper).await;
    let mut again = setting.manifest();
    again.resubmission_of = Some(first.id);
    assert_eq!(setting.caller.offer(&setting.papers.sign(&again)).await.status, 201);
    let second = setting.caller.with(Engine::Bulk).send(&again.key(), &setting.content).await.receipt();
    assert_ne!(second, receipt);
}

#[tokio::test]
async fn case_47_another_partys_id_is_not_found_whatever_is_asked_of_it() {
    let setting = Setting::new(20_000, &[]).await;
    let (key, manifest, _) = send(&setting, Engine::Hyper).await;
    let site = setting.lab.sender("other", &institution(Kind::Medical, 2), setting.centre.address, &[]);
    let (other, other_papers) = (Caller::new(&site, setting.centre.address), Papers::of(&site));
    let unknown = TransferKey { id: new_id(), ..key.clone() };
    for key in [&key, &unknown] {
        let location = key.location();
        for (engine, request) in [
            (Engine::Hyper, get(&location)),
            (Engine::Hyper, get(&format!("{location}/receipt"))),
            (Engine::Hyper, format!("DELETE {location} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()),
            (Engine::Hyper, send_head(key, 0, 0)),
            (Engine::Bulk, send_head(key, 0, 0)),
        ] {
            let answer = other.with(engine).ask(&request).await;
            assert_eq!((answer.status, answer.problem()), (404, Problem::NotFound), "{location}");
        }
    }
    // Nor is it in conflict: the same id in another party's name is another transfer.
    let content = claims_file(Kind::Medical, &other_papers.party, 20_000, 1);
    let mut same_id = other_papers.manifest(Kind::Medical, &content);
    same_id.transfer_id = key.id;
    assert_eq!(other.offer(&other_papers.sign(&same_id)).await.status, 201);
    // And a manifest of the first party does not come in by another's certificate.
    assert_eq!(other.offer(&manifest).await.problem(), Problem::NotYours);
}
