//! One transfer, made ready before the clock runs: its manifest is signed, its requests are written out.

use anyhow::{Context as _, ensure};
use lab::site::SenderSite;
use pki::{clock, evidence::EvidenceSigner, log_key::LogKey, policy::Policy, random::random_bytes};
use protocol::{
    checkpoint::{Checkpoint, LogSigner as _},
    digest::Sha256,
    jws,
    kind::{Class, System},
    party::{Environment, Identity, Party},
    statement::{Manifest, VERSION},
    transfer_id::{TransferId, TransferKey},
    wire::{JSON, Offer, PARTIAL_UPLOAD, TRANSFERS},
};

use super::{
    content::{Content, KIND, claim_month},
    line::Line,
};

/// What a sender signs with, and the log it shows: one that never grows, so that no proof is needed.
pub struct Papers {
    signer: EvidenceSigner,
    log: LogKey,
    identity: Identity,
    party: Party,
    receiver: Party,
}

/// A transfer to be made.
pub struct Job {
    /// What it is known by.
    pub key: TransferKey,
    /// The content it brings.
    pub content: Content,
    offer: Vec<u8>,
    send_head: Vec<u8>,
}

impl Papers {
    /// Those of this sender, for a centre of this party.
    pub fn of(site: &SenderSite, receiver: Party) -> anyhow::Result<Self> {
        let own = site.directory.join("evidence");
        let signer = EvidenceSigner::load(
            &own.join("certificate.pem"),
            &own.join("key.pem"),
            &Policy::default(),
            Environment::Test,
            clock::now(),
        )?;
        let unique = u64::from_be_bytes(random_bytes()?);
        let key = site.directory.join(format!("log-{unique:016x}.pem"));
        let log = LogKey::create(&key, &format!("sekisho/test/load/{unique:016x}"))?;
        let identity = site.identity.clone();
        let code = identity.codes().first().context("a code")?.clone();
        let party = Party::new(identity.role().speaks_for(), code)?;
        Ok(Papers { signer, log, identity, party, receiver })
    }

    /// In whose name it sends.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The transfer of this content, under a new id.
    pub fn job(&self, content: Content) -> anyhow::Result<Job> {
        let manifest = self.manifest(content.length(), content.sha256())?;
        let (key, offer) = (manifest.key(), self.offer(&manifest)?);
        let send_head = send_head(&key, content.length());
        Ok(Job { key, content, offer, send_head })
    }

    /// A manifest that promises this content.
    pub fn manifest(&self, length: u64, sha256: Sha256) -> anyhow::Result<Manifest> {
        let root = Sha256::of(b"the only entry of this log");
        let checkpoint = Checkpoint { origin: self.log.log().origin.clone(), size: 1, root };
        Ok(Manifest {
            version: VERSION,
            transfer_id: TransferId::new(clock::now(), random_bytes()?),
            environment: Environment::Test,
            system: System::Claims,
            kind: KIND,
            acting: self.identity.clone(),
            sender: self.party.clone(),
            receiver: self.receiver.clone(),
            file_name: KIND.usual_file_name().to_owned(),
            length,
            sha256,
            class: Class::StrictlyConfidential,
            claim_month: Some(claim_month()?),
            replaces: None,
            corrects: None,
            resubmission_of: None,
            created_at: clock::now(),
            log: self.log.log().clone(),
            checkpoint: checkpoint.sign(&self.log),
        })
    }

    /// Its compact JWS.
    pub fn sign(&self, manifest: &Manifest) -> anyhow::Result<String> {
        Ok(jws::sign(manifest, &self.signer)?)
    }

    /// The request that offers it.
    pub fn offer(&self, manifest: &Manifest) -> anyhow::Result<Vec<u8>> {
        let body = Offer { manifest: self.sign(manifest)?, consistency: None };
        let body = serde_json::to_vec(&body)?;
        let head = format!(
            "POST {TRANSFERS} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Ok([head.as_bytes(), &body].concat())
    }
}

impl Job {
    /// Carries it out: returns once the receipt is here.
    pub async fn run(&self, line: &mut Line) -> anyhow::Result<()> {
        self.offer(line).await?;
        self.bring(line).await
    }

    /// Offers it.
    pub async fn offer(&self, line: &mut Line) -> anyhow::Result<()> {
        let offered = line.ask(&[&self.offer]).await?;
        ensure!(offered.status == 201, "an offer was answered with {offered}");
        Ok(())
    }

    /// Brings the content of what was offered: returns once the receipt is here.
    pub async fn bring(&self, line: &mut Line) -> anyhow::Result<()> {
        let [first, second, third] = self.content.parts();
        let sent = line.ask(&[&self.send_head, first, second, third]).await?;
        ensure!(sent.status == 200, "content was answered with {sent}");
        ensure!(memchr::memmem::find(&sent.body, b"\"receipt\"").is_some(), "no receipt came");
        Ok(())
    }
}

/// The head of the request that brings the whole content of a transfer.
pub fn send_head(key: &TransferKey, length: u64) -> Vec<u8> {
    format!(
        "PATCH {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {PARTIAL_UPLOAD}\r\ncontent-length: {length}\r\n\
         upload-offset: 0\r\nupload-complete: ?1\r\n\r\n",
        key.location()
    )
    .into_bytes()
}
