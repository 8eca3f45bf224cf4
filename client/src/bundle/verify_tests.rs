//! A bundle as a transfer leaves it, and every way of altering it.

use std::{fs, path::PathBuf, sync::Mutex};

use protocol::{
    checkpoint::LogSigner as _,
    jws::{self, SignedBytes, SignerFault},
    limits::CREATED_AHEAD_MS_MAX,
    party::Identity,
};

use super::*;
use crate::{
    Filing, Unwatched,
    limits::FUTURE_MS_MAX,
    testing::{
        BelievesChains, EvidenceKey, RECEIVER_IDENTITY, SENDER_IDENTITY, SeededLogKey,
        centre::FakeCentre,
        desk::{client, file_in},
    },
};

struct Proof {
    _directory: tempfile::TempDir,
    file: PathBuf,
    bundle: Bundle,
}

/// The bundle of the second transfer of a client: its logs have a history.
async fn proof() -> Proof {
    let directory = tempfile::tempdir().unwrap();
    let centre = FakeCentre::start().await;
    let client = client(&directory.path().join("data"), centre.address);
    let mut bundle = None;
    let mut file = PathBuf::new();
    for claims in [2, 3] {
        file = file_in(directory.path(), claims);
        let stop = tokio_util::sync::CancellationToken::new();
        let sent = client.send(&file, Filing::default(), &Unwatched, &stop).await.unwrap();
        bundle = Some(read(&fs::read(&sent.bundle_path).unwrap()).unwrap());
    }
    Proof { _directory: directory, file, bundle: bundle.unwrap() }
}

impl Proof {
    fn judged(&self, alter: impl FnOnce(&mut Bundle)) -> Result<Verified, VerifyFault> {
        let mut bundle = self.bundle.clone();
        alter(&mut bundle);
        judge(&bundle, Some(&self.file), &BelievesChains, clock::now())
    }

    fn place(&self, alter: impl FnOnce(&mut Bundle)) -> Option<Place> {
        self.judged(alter).err().map(|fault| fault.place)
    }

    fn receipt(&self) -> Receipt {
        Unverified::<Receipt>::parse(&self.bundle.receipt).unwrap().claimed().clone()
    }

    fn manifest(&self) -> Manifest {
        Unverified::<Manifest>::parse(&self.bundle.manifest).unwrap().claimed().clone()
    }
}

fn signed<T: protocol::statement::Statement>(statement: &T, identity: &str) -> String {
    jws::sign(statement, &EvidenceKey::of(identity)).unwrap()
}

/// May sign, and sends for somebody else.
const STRANGER: &str = "urn:sekisho:test:institution:1310000026";

/// The same log under another name and key.
fn resigned(proof: &crate::bundle::SenderProof) -> crate::bundle::SenderProof {
    let key = SeededLogKey::new("sekisho/test/other", 5);
    let checkpoint = Checkpoint::verify(&proof.checkpoint, &proof.log).unwrap();
    let checkpoint = Checkpoint { origin: key.log().origin.clone(), ..checkpoint }.sign(&key);
    crate::bundle::SenderProof { log: key.log().clone(), checkpoint, ..proof.clone() }
}

#[tokio::test]
async fn a_bundle_verifies_with_its_file_and_without() {
    let proof = proof().await;
    let verified = proof.judged(|_| ()).unwrap();
    assert!(verified.file_checked && verified.acknowledged);
    let verified = judge(&proof.bundle, None, &BelievesChains, clock::now()).unwrap();
    assert!(!verified.file_checked);
}

#[tokio::test]
async fn every_altered_part_is_named() {
    let proof = proof().await;
    let (receipt, manifest) = (proof.receipt(), proof.manifest());
    let by_a_stranger =
        Manifest { acting: protocol::party::Identity::from_uri(STRANGER).unwrap(), ..manifest.clone() };
    type Alteration<'a> = Box<dyn FnOnce(&mut Bundle) + 'a>;
    let flip = |text: &mut String| *text = format!("{}A", &text[..text.len() - 1]);
    let alterations: Vec<(Place, Alteration<'_>)> = vec![
        (Place::Manifest, Box::new(|b| b.manifest.truncate(40))),
        (Place::Manifest, Box::new(|b| b.manifest = signed(&manifest, RECEIVER_IDENTITY))),
        (Place::Manifest, Box::new(|b| b.manifest = signed(&by_a_stranger, STRANGER))),
        (Place::Receipt, Box::new(|b| b.receipt.truncate(40))),
        (Place::Receipt, Box::new(|b| b.receipt = signed(&receipt, SENDER_IDENTITY))),
        (Place::ReceiptContent, Box::new(|b| b.manifest = signed(&manifest, SENDER_IDENTITY))),
        (
            Place::ReceiptContent,
            Box::new(|b| {
                let other = Receipt { sha256: Sha256::of(b"other"), ..receipt.clone() };
                b.receipt = signed(&other, RECEIVER_IDENTITY);
            }),
        ),
        // The same receipt signed once more: not the one on record.
        (Place::CentreLogEntry, Box::new(|b| b.receipt = signed(&receipt, RECEIVER_IDENTITY))),
        (Place::CentreLogEntry, Box::new(|b| b.centre_log.inclusion.proof.clear())),
        (Place::CentreLogEntry, Box::new(|b| b.centre_log.inclusion.index += 1)),
        (Place::CentreLogCheckpoint, Box::new(|b| flip(&mut b.centre_log.checkpoint))),
        (Place::CentreLogCheckpoint, Box::new(|b| b.centre_log.log = b.sender_log.log.clone())),
        (
            Place::CentreLogConsistency,
            Box::new(|b| b.centre_log.continues.as_mut().unwrap().consistency = None),
        ),
        (Place::SenderLogCheckpoint, Box::new(|b| flip(&mut b.sender_log.checkpoint))),
        (Place::SenderLogCheckpoint, Box::new(|b| b.sender_log.log = b.centre_log.log.clone())),
        // The same entries, but in a log that the manifest does not name.
        (Place::SenderLogCheckpoint, Box::new(|b| b.sender_log = resigned(&b.sender_log))),
        (Place::SenderLogEntry, Box::new(|b| b.sender_log.offered.proof.clear())),
        (Place::SenderLogEntry, Box::new(|b| b.sender_log.received = b.sender_log.offered.clone())),
        (Place::Acknowledgement, Box::new(|b| b.acknowledgement = Some(b.receipt.clone()))),
    ];
    for (number, (place, alter)) in alterations.into_iter().enumerate() {
        assert_eq!(proof.place(alter), Some(place), "alteration {number}");
    }
}

#[tokio::test]
async fn an_acknowledgement_of_another_receipt_or_by_another_hand_is_named() {
    let proof = proof().await;
    let text = proof.bundle.acknowledgement.clone().unwrap();
    let good = Unverified::<Acknowledgement>::parse(&text).unwrap().claimed().clone();
    let mut other = good.clone();
    other.receipts[0].receipt_sha256 = Sha256::of(b"other");
    for (said, by) in [(&other, SENDER_IDENTITY), (&good, RECEIVER_IDENTITY)] {
        let place = proof.place(|bundle| bundle.acknowledgement = Some(signed(said, by)));
        assert_eq!(place, Some(Place::Acknowledgement), "{by}");
    }
}

/// Believes signers as [`BelievesChains`], and puts down at which times it was asked.
#[derive(Default)]
struct NotesTimes(Mutex<Vec<Moment>>);

impl Verifier for NotesTimes {
    fn verify(&self, signed: &SignedBytes<'_>, at: Moment) -> Result<Identity, SignerFault> {
        self.0.lock().unwrap().push(at);
        BelievesChains.verify(signed, at)
    }
}

#[tokio::test]
async fn an_acknowledgement_is_judged_when_it_was_made_and_never_before_the_receipt() {
    let mut proof = proof().await;
    let text = proof.bundle.acknowledgement.clone().unwrap();
    let good = Unverified::<Acknowledgement>::parse(&text).unwrap().claimed().clone();
    let (receipt, now) = (proof.receipt(), clock::now());
    let shifted = |moment: Moment, ms: i64| Moment::from_unix_ms(moment.unix_ms() + ms);
    for (acknowledged_at, judged_at) in [
        (shifted(receipt.stored_at, 3_600_000), shifted(receipt.stored_at, 3_600_000)),
        // By a clock that is an hour behind.
        (shifted(receipt.stored_at, -3_600_000), receipt.received_at),
    ] {
        let said = Acknowledgement { acknowledged_at, ..good.clone() };
        proof.bundle.acknowledgement = Some(signed(&said, SENDER_IDENTITY));
        let verifier = NotesTimes::default();
        let verified = judge(&proof.bundle, None, &verifier, shifted(now, 3_600_000)).unwrap();
        let judged = [receipt.received_at, receipt.offered_at, judged_at];
        assert!(receipt.offered_at < receipt.received_at);
        assert_eq!(*verifier.0.lock().unwrap(), judged, "receipt, manifest, acknowledgement");
        let behind = (acknowledged_at < receipt.stored_at).then_some(-3_600_000);
        assert_eq!(verified.clock_off_ms, behind);
    }
}

#[tokio::test]
async fn an_acknowledgement_dated_too_far_from_its_receipt_or_from_now_is_named() {
    let proof = proof().await;
    let text = proof.bundle.acknowledgement.clone().unwrap();
    let good = Unverified::<Acknowledgement>::parse(&text).unwrap().claimed().clone();
    for off in [-FUTURE_MS_MAX - 60_000, FUTURE_MS_MAX + 60_000] {
        let acknowledged_at = Moment::from_unix_ms(good.acknowledged_at.unix_ms() + off);
        let said = Acknowledgement { acknowledged_at, ..good.clone() };
        let place = proof.place(|bundle| bundle.acknowledgement = Some(signed(&said, SENDER_IDENTITY)));
        assert_eq!(place, Some(Place::Acknowledgement), "{off} ms");
    }
}

#[tokio::test]
async fn a_receipt_whose_times_make_no_sense_is_named() {
    let proof = proof().await;
    let receipt = proof.receipt();
    let shifted = |ms: i64| Moment::from_unix_ms(receipt.received_at.unix_ms() + ms);
    for times in [
        Receipt { stored_at: shifted(-1), ..receipt.clone() },
        Receipt { offered_at: shifted(1), ..receipt.clone() },
        Receipt { offered_at: shifted(-CREATED_AHEAD_MS_MAX - 60_000), ..receipt.clone() },
        Receipt { stored_at: shifted(FUTURE_MS_MAX + 60_000), ..receipt.clone() },
    ] {
        let place = proof.place(|bundle| bundle.receipt = signed(&times, RECEIVER_IDENTITY));
        assert_eq!(place, Some(Place::ReceiptTimes), "{times:?}");
    }
}

#[tokio::test]
async fn another_file_is_told_from_the_one_that_was_received() {
    let proof = proof().await;
    let good = fs::read(&proof.file).unwrap();
    let mut altered = good.clone();
    altered[100] ^= 1;
    for (content, place) in [(&altered[..], Place::FileDigest), (&good[1..], Place::FileLength)] {
        fs::write(&proof.file, content).unwrap();
        assert_eq!(proof.place(|_| ()), Some(place));
    }
    fs::remove_file(&proof.file).unwrap();
    assert_eq!(proof.place(|_| ()), Some(Place::File));
}

#[tokio::test]
async fn a_bundle_with_unknown_keys_or_version_is_not_read() {
    let proof = proof().await;
    let text = serde_json::to_string(&proof.bundle).unwrap();
    assert!(read(text.as_bytes()).is_ok());
    for bad in [text.replacen("\"version\":1", "\"version\":2", 1), text.replacen('{', "{\"x\":1,", 1)] {
        assert_eq!(read(bad.as_bytes()).unwrap_err().place, Place::Bundle);
    }
}

#[test]
fn roots_that_cannot_be_read_are_named() {
    let empty = Bundle {
        version: VERSION,
        manifest: String::new(),
        receipt: String::new(),
        acknowledgement: None,
        crls: vec!["%".to_owned()],
        centre_log: empty_centre_proof(),
        sender_log: empty_sender_proof(),
        timestamp_token: None,
    };
    let judged = |bundle: &Bundle| {
        verify_bundle(&serde_json::to_vec(bundle).unwrap(), None, Believed::of_lab(b"no PEM"))
    };
    assert_eq!(judged(&empty).unwrap_err().place, Place::Bundle);
    let without_lists = Bundle { crls: Vec::new(), ..empty };
    assert_eq!(judged(&without_lists).unwrap_err().place, Place::Anchors);
}

fn empty_inclusion() -> Inclusion {
    Inclusion { index: 0, entry: String::new(), proof: Vec::new() }
}

fn empty_log() -> protocol::checkpoint::LogIdentity {
    protocol::checkpoint::LogIdentity { origin: String::new(), key: String::new() }
}

fn empty_centre_proof() -> crate::bundle::CentreProof {
    crate::bundle::CentreProof {
        log: empty_log(),
        checkpoint: String::new(),
        inclusion: empty_inclusion(),
        continues: None,
    }
}

fn empty_sender_proof() -> crate::bundle::SenderProof {
    crate::bundle::SenderProof {
        log: empty_log(),
        checkpoint: String::new(),
        offered: empty_inclusion(),
        received: empty_inclusion(),
    }
}
