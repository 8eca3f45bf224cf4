//! What the tests of this crate share: a small claims file, and keys whose "certificates" say who holds them.

pub mod centre;
pub mod desk;

use std::fmt::Write as _;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use protocol::{
    checkpoint::{Checkpoint, LogIdentity, LogSigner},
    digest::Sha256,
    entry::{Entry, Event},
    jws::{self, Algorithm, SignFault, Signed, SignedBytes, Signer, SignerFault, Verifier},
    kind::{Class, Kind, System},
    merkle::{empty_root, leaf_hash},
    moment::{ClockState, Moment},
    party::{Environment, Identity},
    problem::Problem,
    statement::{Manifest, Receipt, Refusal},
    transfer_id::TransferId,
    wire::{Consistency, Inclusion, ReceiptAnswer},
};

use crate::{
    centre_log::SeenLog,
    evidence::{Offered, verify_receipt},
    store::tree::Tree,
};

pub const SENDER: &str = "institution:1310000018";
pub const RECEIVER: &str = "review-agency:113";
pub const CLAIM_MONTH: &str = "202610";
pub const SENDER_IDENTITY: &str = "urn:sekisho:test:institution:1310000018";
pub const RECEIVER_IDENTITY: &str = "urn:sekisho:test:review-agency:113";

/// A complete claims file of [`SENDER`] for [`RECEIVER`] with so many claims.
pub fn claims_file(claims: u32) -> Vec<u8> {
    let mut text = String::from("UK,1,13,1,0000018,,X,202610,,00\r\nIR,1,13,1,0000018,,X,202610,00,\r\n");
    for claim in 1..=claims {
        write!(text, "RE,{claim},1112,202609,X,1\r\nHO,06132013,X,1,1,500\r\n").unwrap();
    }
    write!(text, "GO,{claims},{},99\r\n\u{1a}", claims * 500).unwrap();
    text.into_bytes()
}

/// Signs evidence; its chain is an identity and a bare public key.
pub struct EvidenceKey {
    pair: EcdsaKeyPair,
    chain: Vec<Vec<u8>>,
}

impl EvidenceKey {
    pub fn of(identity: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let chain = vec![identity.as_bytes().to_vec(), pair.public_key().as_ref().to_vec()];
        EvidenceKey { pair, chain }
    }
}

impl Signer for EvidenceKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es256
    }
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignFault> {
        Ok(self.pair.sign(&SystemRandom::new(), message).map_err(|_| SignFault)?.as_ref().to_vec())
    }
}

/// Believes the identity that a chain names, if its key signed.
pub struct BelievesChains;

impl Verifier for BelievesChains {
    fn verify(&self, signed: &SignedBytes<'_>, _at: Moment) -> Result<Identity, SignerFault> {
        let [identity, key] = signed.chain else { return Err(SignerFault::BadSignature) };
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
            .verify(signed.message, signed.signature)
            .map_err(|_| SignerFault::BadSignature)?;
        let identity = std::str::from_utf8(identity).map_err(|_| SignerFault::BadSignature)?;
        Identity::from_uri(identity).map_err(|fault| SignerFault::Untrusted(fault.to_string()))
    }
}

/// A log key made from a seed.
pub struct SeededLogKey(Ed25519KeyPair, LogIdentity);

impl SeededLogKey {
    pub fn new(origin: &str, seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        SeededLogKey(pair, LogIdentity::new(origin, &public_key).unwrap())
    }
}

impl LogSigner for SeededLogKey {
    fn log(&self) -> &LogIdentity {
        &self.1
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

/// A signed manifest of [`SENDER`] for this content.
pub fn manifest(content: &[u8]) -> (String, Manifest) {
    let log = SeededLogKey::new("sekisho/test/sender", 9);
    let empty = Checkpoint { origin: log.log().origin.clone(), size: 0, root: empty_root() };
    let created_at = "2026-11-09T23:59:00.000Z".parse().unwrap();
    let manifest = Manifest {
        version: 1,
        transfer_id: TransferId::new(created_at, [7; 10]),
        environment: Environment::Test,
        system: System::Claims,
        kind: Kind::Medical,
        acting: Identity::from_uri(SENDER_IDENTITY).unwrap(),
        sender: SENDER.parse().unwrap(),
        receiver: RECEIVER.parse().unwrap(),
        file_name: "RECEIPTC.UKE".to_owned(),
        length: content.len() as u64,
        sha256: Sha256::of(content),
        class: Class::StrictlyConfidential,
        claim_month: Some(CLAIM_MONTH.parse().unwrap()),
        replaces: None,
        corrects: None,
        resubmission_of: None,
        created_at,
        log: log.log().clone(),
        checkpoint: empty.sign(&log),
    };
    (jws::sign(&manifest, &EvidenceKey::of(SENDER_IDENTITY)).unwrap(), manifest)
}

/// The receipt that an honest receiver makes for this manifest.
pub fn receipt_for(text: &str, manifest: &Manifest) -> Receipt {
    let received_at = "2026-11-10T00:00:00.000Z".parse().unwrap();
    receipt_in(text, manifest, SeededLogKey::new(CENTRE_ORIGIN, 1).log().clone(), received_at)
}

fn receipt_in(text: &str, manifest: &Manifest, log: LogIdentity, received_at: Moment) -> Receipt {
    Receipt {
        version: 1,
        transfer_id: manifest.transfer_id,
        environment: manifest.environment,
        manifest_sha256: Sha256::of(text.as_bytes()),
        length: manifest.length,
        sha256: manifest.sha256,
        sender: manifest.sender.clone(),
        receiver: manifest.receiver.clone(),
        class: manifest.class,
        offered_at: Moment::from_unix_ms(received_at.unix_ms() - 1),
        received_at,
        stored_at: received_at,
        clock: ClockState::Unknown,
        claims: None,
        log,
    }
}

/// The refusal that a receiver makes for this manifest.
pub fn refusal_for(text: &str, manifest: &Manifest, reason: Problem) -> Refusal {
    Refusal {
        version: 1,
        transfer_id: manifest.transfer_id,
        environment: manifest.environment,
        manifest_sha256: Sha256::of(text.as_bytes()),
        sender: manifest.sender.clone(),
        receiver: manifest.receiver.clone(),
        reason,
        fault: None,
        earlier_receipt: None,
        refused_at: "2026-11-10T00:00:00.000Z".parse().unwrap(),
        clock: ClockState::Unknown,
        log: SeededLogKey::new(CENTRE_ORIGIN, 1).log().clone(),
    }
}

const CENTRE_ORIGIN: &str = "sekisho/test/centre";

/// A centre's log and evidence key.
pub struct CentreLog {
    key: SeededLogKey,
    evidence: EvidenceKey,
    tree: Tree,
    entries: Vec<String>,
    /// Milliseconds that the centre's clock is ahead.
    pub clock_ahead_ms: i64,
}

impl CentreLog {
    fn now(&self) -> Moment {
        Moment::from_unix_ms(pki::clock::now().unix_ms() + self.clock_ahead_ms)
    }

    pub fn new(seed: u8) -> Self {
        CentreLog::with_first_entry(seed, "a log begins")
    }

    pub fn with_first_entry(seed: u8, note: &str) -> Self {
        let mut log = CentreLog {
            key: SeededLogKey::new(CENTRE_ORIGIN, seed),
            evidence: EvidenceKey::of(RECEIVER_IDENTITY),
            tree: Tree::empty(),
            entries: Vec::new(),
            clock_ahead_ms: 0,
        };
        let at = "2026-11-01T00:00:00.000Z".parse().unwrap();
        let first = Entry::new(Event::LogOpened, at, ClockState::Unknown, [3; 16]);
        log.append(Entry { note: Some(note.to_owned()), ..first });
        log
    }

    pub fn append(&mut self, entry: Entry) -> u64 {
        let seq = self.tree.size();
        let text = serde_json::to_string(&Entry { seq, ..entry }).unwrap();
        self.tree.append(leaf_hash(text.as_bytes()));
        self.entries.push(text);
        seq
    }

    pub fn checkpoint(&self) -> String {
        let origin = self.key.log().origin.clone();
        Checkpoint { origin, size: self.tree.size(), root: self.tree.root() }.sign(&self.key)
    }

    /// Commits a transfer of this content and answers as a centre does to a sender that saw `from` entries.
    pub fn receipt_answer(&mut self, content: &[u8], from: u64) -> (Signed<Receipt>, ReceiptAnswer) {
        let (text, manifest) = manifest(content);
        let answer = self.commit(&text, &manifest, from);
        let offered = Offered { text: &text, manifest: &manifest };
        let signed = verify_receipt(&answer.receipt, offered, &BelievesChains, pki::clock::now()).unwrap();
        (signed, answer)
    }

    /// Makes the receipt for this manifest and puts it on record.
    pub fn commit(&mut self, text: &str, manifest: &Manifest, from: u64) -> ReceiptAnswer {
        let received_at = self.now();
        let receipt = receipt_in(text, manifest, self.key.log().clone(), received_at);
        let receipt = jws::sign(&receipt, &self.evidence).unwrap();
        let entry = Entry::new(Event::Committed, received_at, ClockState::Unknown, [4; 16]);
        let index = self.append(Entry {
            sender: Some(manifest.sender.clone()),
            transfer_id: Some(manifest.transfer_id),
            statement_sha256: Some(Sha256::of(receipt.as_bytes())),
            ..entry
        });
        self.answer(receipt, index, from)
    }

    /// A receipt that is on record, with today's proofs.
    pub fn answer(&self, receipt: String, index: u64, from: u64) -> ReceiptAnswer {
        let size = self.tree.size();
        let entry = self.entries[index as usize].clone();
        let proof = self.tree.inclusion(index, size).unwrap();
        ReceiptAnswer {
            receipt,
            checkpoint: self.checkpoint(),
            inclusion: Inclusion { index, entry, proof },
            consistency: self.tree.consistency(from, size).map(|proof| Consistency { from, proof }),
        }
    }

    /// Proof that the log of `from` entries is the beginning of that of `to`; none if it never had so many.
    pub fn consistency(&self, from: u64, to: u64) -> Option<Vec<Sha256>> {
        (to <= self.tree.size()).then(|| self.tree.consistency(from, to))?
    }

    /// A signed no to this manifest, on record.
    pub fn refuse(&mut self, text: &str, manifest: &Manifest, reason: Problem) -> String {
        let refusal = Refusal { refused_at: self.now(), ..refusal_for(text, manifest, reason) };
        let entry = Entry::new(Event::Refused, refusal.refused_at, ClockState::Unknown, [5; 16]);
        let refusal = jws::sign(&refusal, &self.evidence).unwrap();
        self.append(Entry {
            sender: Some(manifest.sender.clone()),
            transfer_id: Some(manifest.transfer_id),
            problem: Some(reason),
            statement_sha256: Some(Sha256::of(refusal.as_bytes())),
            ..entry
        });
        refusal
    }
}

/// The log as it is now, and its size.
pub fn seen(log: &CentreLog, at: &str) -> (SeenLog, u64) {
    let seen = SeenLog { log: log.key.log().clone(), checkpoint: log.checkpoint(), at: at.parse().unwrap() };
    (seen, log.tree.size())
}
