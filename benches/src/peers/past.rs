//! A centre with a past: transfers written into its ledger through the ledger's own calls, many at a time so that they
//! share transactions. Manifests and receipts are signed as a sender and a centre sign them; only content never was.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use lab::site::CentreSite;
use pki::{clock, evidence::EvidenceSigner, log_key::LogKey, policy::Policy, random::random_bytes};
use protocol::{
    checkpoint::LogIdentity,
    digest::Sha256,
    entry::{Entry, Event},
    jws,
    moment::{ClockState, Moment},
    party::Environment,
    receiver::Input,
    statement::{Manifest, Receipt, VERSION},
};
use storage::{
    ledger::Ledger as _,
    sqlite::SqliteLedger,
    transfer::{Allowance, NewTransfer, Offered, Step, Submission},
};
use tokio::task::JoinSet;

use super::{
    kit::Kit,
    product::{Purpose, Running, Setup},
    sekisho,
};
use crate::{load::job::Papers, server::Server};

/// Transfers written at a time: as many as one transaction of the ledger takes.
const AT_A_TIME: u32 = 256;

/// Bytes that each of them claims to have brought.
const LENGTH: u64 = 3 << 20;

struct Past {
    ledger: SqliteLedger,
    signer: EvidenceSigner,
    log: LogIdentity,
    senders: Vec<Papers>,
}

/// Stops a centre, gives it a past, and starts it again.
pub async fn give(kit: &Kit, running: Running, purpose: Purpose) -> anyhow::Result<Running> {
    let Running { product, server, place, site } = running;
    let (address, words) = (server.address, server.words.clone());
    server.stop().await?;
    let site = site.context("a site of ours")?;
    fill(kit, &site, kit.scale.past_transfers).await?;
    let setup = Setup { kit, place: place.clone(), address, purpose };
    let server = Server::start(sekisho::command(&setup, &site)?, &words, address).await?;
    Ok(Running { product, server, place, site: Some(site) })
}

/// Writes this many committed and delivered transfers into the ledger of a centre that was started once and does not
/// run now.
async fn fill(kit: &Kit, site: &CentreSite, transfers: u32) -> anyhow::Result<()> {
    let key = Arc::new(gateway::log_key::load(&site.data)?);
    let past = Arc::new(Past {
        log: log_of(&key),
        ledger: SqliteLedger::open(&site.data.join(gateway::start::LEDGER_FILE), Environment::Test, key)
            .await?,
        signer: signer(site)?,
        senders: kit
            .senders
            .iter()
            .map(|sender| Papers::of(sender, kit.receiver.clone()))
            .collect::<Result<_, _>>()?,
    });
    let mut running = JoinSet::new();
    for number in 0..transfers {
        if number >= AT_A_TIME {
            running.join_next().await.context("one that runs")???;
        }
        if number % (transfers / 10).max(1) == 0 {
            eprintln!("past transfers: {number} of {transfers}");
        }
        let past = Arc::clone(&past);
        running.spawn(async move { past.transfer(number).await });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let committed = past.ledger.counts().await?.of("committed");
    ensure!(committed >= u64::from(transfers), "{committed} transfers are on record");
    past.ledger.close().await;
    Ok(())
}

fn log_of(key: &LogKey) -> LogIdentity {
    protocol::checkpoint::LogSigner::log(key).clone()
}

fn signer(site: &CentreSite) -> anyhow::Result<EvidenceSigner> {
    let own = site.directory.join("evidence");
    let (certificate, key) = (own.join("certificate.pem"), own.join("key.pem"));
    Ok(EvidenceSigner::load(&certificate, &key, &Policy::default(), Environment::Test, clock::now())?)
}

impl Past {
    /// The whole life of one transfer.
    async fn transfer(&self, number: u32) -> anyhow::Result<()> {
        let sender = self.senders.get(number as usize % self.senders.len()).context("a sender")?;
        let manifest = sender.manifest(LENGTH, Sha256::of(format!("past content {number}").as_bytes()))?;
        let text = sender.sign(&manifest)?;
        let (key, manifest_sha256) = (manifest.key(), Sha256::of(text.as_bytes()));
        let about = |event| {
            anyhow::Ok(Entry {
                sender: Some(manifest.sender.clone()),
                transfer_id: Some(manifest.transfer_id),
                kind: Some(manifest.kind),
                class: Some(manifest.class),
                length: Some(manifest.length),
                sha256: Some(manifest.sha256),
                manifest_sha256: Some(manifest_sha256),
                ..Entry::new(event, clock::now(), ClockState::Unknown, random_bytes()?)
            })
        };
        let offer = offer(&manifest, &text, manifest_sha256, about(Event::Offered)?);
        let offered = self.ledger.offer(offer).await?;
        ensure!(matches!(offered, Offered::New(_)), "an offer was not taken");
        let receipt = jws::sign(&self.receipt(&manifest, manifest_sha256), &self.signer)?;
        let committed = Entry {
            statement_sha256: Some(Sha256::of(receipt.as_bytes())),
            attempt: Some(1),
            offset: Some(LENGTH),
            duration_ms: Some(1),
            ..about(Event::Committed)?
        };
        let commit = Step {
            input: Input::CommitAtOnce { attempt: 1 },
            at: clock::now(),
            receipt: Some(receipt),
            refusal: None,
            began: Some(about(Event::AttemptBegan)?),
            entry: Some(committed),
            guard: None,
        };
        self.ledger.step(&key, commit).await?;
        self.ledger.delivered(&key, clock::now(), about(Event::Delivered)?).await?;
        Ok(())
    }

    fn receipt(&self, manifest: &Manifest, manifest_sha256: Sha256) -> Receipt {
        let now = clock::now();
        Receipt {
            version: VERSION,
            transfer_id: manifest.transfer_id,
            environment: Environment::Test,
            manifest_sha256,
            length: manifest.length,
            sha256: manifest.sha256,
            sender: manifest.sender.clone(),
            receiver: manifest.receiver.clone(),
            class: manifest.class,
            offered_at: now,
            received_at: now,
            stored_at: now,
            clock: ClockState::Unknown,
            claims: None,
            log: self.log.clone(),
        }
    }
}

fn offer(manifest: &Manifest, text: &str, manifest_sha256: Sha256, entry: Entry) -> NewTransfer {
    let now = clock::now();
    NewTransfer {
        key: manifest.key(),
        manifest: text.to_owned(),
        manifest_sha256,
        submission: Submission {
            sender: manifest.sender.clone(),
            receiver: manifest.receiver.clone(),
            kind: manifest.kind,
            claim_month: manifest.claim_month,
        },
        length: manifest.length,
        sha256: manifest.sha256,
        class: manifest.class,
        offered_at: now,
        deadline: Moment::from_unix_ms(now.unix_ms() + gateway::limits::FINISH_WITHIN_MS),
        resubmission_of: None,
        refusal: None,
        log_seen: None,
        allowance: Allowance {
            open_max: u32::MAX,
            day_began: now,
            of_day_max: u32::MAX,
            bytes_of_day_max: u64::MAX,
        },
        entry,
    }
}
