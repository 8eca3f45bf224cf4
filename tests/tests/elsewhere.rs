//! A receipt is worth something without us: other people's tools verify it, and find what was altered.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use protocol::{digest::Sha256, kind::Kind, statement::Receipt};
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    papers::Papers,
    tools::{python, runs, skip},
    wire::Caller,
};
use tokio::process::Command;

struct Proof {
    lab: TestLab,
    _centre: Centre,
    receipt: String,
    content: Vec<u8>,
}

/// A receipt for a file that was sent.
async fn proof() -> Proof {
    let lab = TestLab::new();
    let centre = lab.centre(&[]).await;
    let party = institution(Kind::Dpc, 1);
    let site = lab.sender("hospital", &party, centre.address, &[]);
    let (caller, papers) = (Caller::new(&site, centre.address), Papers::of(&site));
    let content = claims_file(Kind::Dpc, &party, 50_000, 1);
    let manifest = papers.manifest(Kind::Dpc, &content);
    assert_eq!(caller.offer(&papers.sign(&manifest)).await.status, 201);
    let receipt = caller.send(&manifest.key(), &content).await.receipt();
    Proof { lab, _centre: centre, receipt, content }
}

/// The tool takes the receipt for the file, and says what it says; and takes nothing that was altered.
async fn is_verified_by(proof: &Proof, verify: impl AsyncFn(&Path, &Path, &Path) -> Output) {
    let Proof { lab, receipt, content, .. } = proof;
    let root = lab.sites.authority().root_pem();
    let (receipt_file, content_file) =
        (lab.file("receipt", receipt.as_bytes()), lab.file("content", content));
    let verdict = verify(&receipt_file, &root, &content_file).await;
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stderr));
    let payload: Receipt = serde_json::from_slice(&verdict.stdout).unwrap();
    assert_eq!((payload.length, payload.sha256), (content.len() as u64, Sha256::of(content)));

    let refused = async |receipt: &Path, root: &Path, content: &Path, what: &str| {
        let verdict = verify(receipt, root, content).await;
        assert!(!verdict.status.success(), "{what} was taken");
    };
    let flip = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        bytes
    };
    let payload_begins = receipt.find('.').unwrap() + 1;
    let signature_begins = receipt.rfind('.').unwrap() + 1;
    for at in [payload_begins + 40, signature_begins + 10] {
        let altered = lab.file("altered", &flip(receipt, at));
        refused(&altered, &root, &content_file, "an altered receipt").await;
    }
    let other = lab.file("other", &flip_bit(content));
    refused(&receipt_file, &root, &other, "another file").await;
    let other_lab = TestLab::new();
    refused(&receipt_file, &other_lab.sites.authority().root_pem(), &content_file, "another root").await;
}

fn flip_bit(content: &[u8]) -> Vec<u8> {
    let mut other = content.to_vec();
    other[content.len() / 2] ^= 1;
    other
}

fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[tokio::test]
async fn pypi_jwcrypto_verifies_a_receipt_and_refuses_an_altered_one() {
    let Some(python) = python() else {
        return skip("SEKISHO_TOOLS_PYTHON names no Python with jwcrypto; `cargo verify` sets one up");
    };
    is_verified_by(&proof().await, async |receipt, root, content| {
        let mut command = Command::new(&python);
        command.arg(own("python/verify_receipt.py")).args([receipt, root, content]);
        command.output().await.unwrap()
    })
    .await;
}

#[tokio::test]
async fn plain_java_verifies_a_receipt_and_refuses_an_altered_one() {
    if !runs("javac", &["-version"]) {
        return skip("no Java: sudo apt-get install --no-install-recommends default-jdk-headless");
    }
    let proof = proof().await;
    let classes = proof.lab.path().join("classes");
    let mut compile = Command::new("javac");
    compile.arg("-d").arg(&classes).arg(own("java/VerifyReceipt.java"));
    assert!(compile.status().await.unwrap().success());
    is_verified_by(&proof, async |receipt, root, content| {
        let mut command = Command::new("java");
        command.arg("-cp").arg(&classes).arg("VerifyReceipt").args([receipt, root, content]);
        command.output().await.unwrap()
    })
    .await;
}
