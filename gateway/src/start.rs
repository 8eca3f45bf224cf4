//! Everything a centre needs, built and checked whole before it listens: material, stores, recovery.

use std::sync::Arc;

use config::{
    crypto::{Acceptance, CryptoProfile},
    gateway::GatewayConfig,
    shared::Credentials,
};
use durable::Access;
use pki::{
    clock,
    credential::{Credential, CredentialFault},
    evidence::{EvidenceSigner, EvidenceSignerFault, EvidenceVerifier},
    log_key::LogKey,
    policy::{CrlGrace, Policy},
    signatures::Signatures,
    tls::{Groups, RefusalObserver, Refused, TlsFault, TlsPolicy, TlsServer, Versions},
    trust::{Trust, TrustFault, TrustFiles},
};
use protocol::{
    cause::Cause,
    checkpoint::LogSigner,
    entry::{Entry, Event},
    party::{Environment, Identity},
    receiver::{Input, Phase},
    transfer_id::TransferKey,
};
use storage::{
    audit::{AuditFault, AuditLog},
    inbox::{Inbox, InboxFault},
    ledger::{Ledger, LedgerFault},
    spool::{FileSpool, Keep, Spool, SpoolFault},
    sqlite::{OpenFault, SqliteLedger},
};
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    attempts::Attempts,
    centre::Centre,
    counters::{Counters, Stage},
    denials::Denials,
    log_key::{self, LogKeyMissing},
    steps,
};

/// The ledger below the data directory.
pub const LEDGER_FILE: &str = "ledger.sqlite";

/// Why a centre does not start. Nothing listens then.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// Content would lie on the disk unsealed.
    #[error(
        "environment is \"production\", but this version cannot seal the spool yet, and claims must not lie on a disk \
         in the clear; next: use it with environment = \"test\" and synthetic claims files only"
    )]
    Unsealed,
    /// TLS certificate or key.
    #[error("the certificate or key under [tls] cannot be used")]
    Credential(#[from] CredentialFault),
    /// Anchors or CRLs.
    #[error("the anchors or revocation lists under [{section}] cannot be used")]
    Trust {
        /// Section of the configuration.
        section: &'static str,
        /// Why.
        #[source]
        source: TrustFault,
    },
    /// TLS configuration.
    #[error("the TLS configuration cannot be built")]
    Tls(#[from] TlsFault),
    /// Evidence certificate or key.
    #[error("the certificate or key under [evidence] cannot be used")]
    Evidence(#[from] EvidenceSignerFault),
    /// A certificate does not stand for every party of the configuration.
    #[error(
        "the certificate under [{section}] stands for {identity}, and `parties` names {party}; next: correct one of them"
    )]
    NotOurs {
        /// Section of the configuration.
        section: &'static str,
        /// What the certificate names.
        identity: Box<Identity>,
        /// What it does not.
        party: String,
    },
    /// The log's key.
    #[error("the centre's log cannot be opened")]
    LogKey(#[from] LogKeyMissing),
    /// The data directory.
    #[error("the data directory cannot be made")]
    Data(#[source] std::io::Error),
    /// The ledger.
    #[error("the ledger cannot be opened")]
    Ledger(#[from] OpenFault),
    /// The ledger, after it was opened.
    #[error("the ledger cannot be recovered")]
    Recovery(#[from] LedgerFault),
    /// The log.
    #[error("the log cannot be read")]
    Audit(#[from] AuditFault),
    /// The spool.
    #[error("the spool cannot be opened or recovered")]
    Spool(#[from] SpoolFault),
    /// The inbox.
    #[error("the inbox cannot be opened")]
    Inbox(#[from] InboxFault),
    /// Content that a receipt promises is gone.
    #[error(
        "content of {transfer} is missing from the spool although its receipt was given; next: restore it from a backup, or call for help"
    )]
    ContentLost {
        /// Whose.
        transfer: String,
    },
    /// A thread broke down.
    #[error("recovery ended unexpectedly")]
    ThreadLost,
}

/// Keys, certificates and lists, read and checked.
pub struct Material {
    credential: Credential,
    trust: Arc<Trust>,
    /// Signs receipts and refusals.
    pub signer: EvidenceSigner,
    /// Judges others' evidence.
    pub verifier: EvidenceVerifier,
}

impl Material {
    /// Reads and checks all of it, without touching any store.
    pub fn load(config: &GatewayConfig) -> Result<Self, StartFault> {
        let now = clock::now();
        let (tls, evidence) = (policy(config, &config.tls), policy(config, &config.evidence));
        let credential = Credential::load(&config.tls.certificate, &config.tls.key, &tls)?;
        let trust = load_trust("tls", &config.tls, tls)?;
        let signer = EvidenceSigner::load(
            &config.evidence.certificate,
            &config.evidence.key,
            &evidence,
            config.environment,
            now,
        )?;
        let verifier = EvidenceVerifier::live(load_trust("evidence", &config.evidence, evidence)?);
        let material = Material { credential, trust, signer, verifier };
        for party in &config.parties {
            for (section, identity) in
                [("tls", material.credential.own().identity()), ("evidence", material.signer.identity())]
            {
                if !identity.acts_for(party) {
                    let identity = Box::new(identity.clone());
                    return Err(StartFault::NotOurs { section, identity, party: party.to_string() });
                }
            }
        }
        Ok(material)
    }

    /// Ends of certificates, for people.
    pub fn ends(&self) -> [(&'static str, protocol::moment::Moment); 2] {
        [
            ("the TLS certificate", self.credential.own().not_after()),
            ("the evidence certificate", self.signer.not_after()),
        ]
    }

    /// What connections are accepted with; refused certificates are told to `observer`.
    pub fn server(
        &self,
        environment: Environment,
        policy: TlsPolicy,
        observer: RefusalObserver,
    ) -> Result<TlsServer, StartFault> {
        Ok(TlsServer::new(&self.credential, Arc::clone(&self.trust), environment, policy, observer)?)
    }
}

/// How certificates of one section are judged.
fn policy(config: &GatewayConfig, section: &Credentials) -> Policy {
    let signatures = match (config.crypto.profile, config.crypto.ml_dsa) {
        (CryptoProfile::GuidelineStrict, _) => Signatures::Guideline,
        (CryptoProfile::Usual, Acceptance::Accept) => Signatures::WithMlDsa,
        (CryptoProfile::Usual, Acceptance::Refuse) => Signatures::Usual,
    };
    let grace = section.danger_crl_grace.as_ref();
    let danger_crl_grace = grace.and_then(|grace| CrlGrace::new(&grace.issuer, grace.length));
    Policy { identities: config.identities.clone(), signatures, danger_crl_grace }
}

/// What the listener offers and takes.
fn tls_policy(config: &GatewayConfig) -> TlsPolicy {
    TlsPolicy {
        versions: match config.listen.tls12 {
            Acceptance::Accept => Versions::Tls13AndTls12,
            Acceptance::Refuse => Versions::Tls13,
        },
        groups: match config.crypto.profile {
            CryptoProfile::GuidelineStrict => Groups::Guideline,
            CryptoProfile::Usual => Groups::HybridFirst,
        },
    }
}

fn load_trust(
    section: &'static str,
    credentials: &Credentials,
    policy: Policy,
) -> Result<Arc<Trust>, StartFault> {
    let files = TrustFiles {
        anchors: credentials.anchors.clone(),
        issuers: credentials.issuers.clone(),
        crls: credentials.crls.clone(),
    };
    let trust =
        Trust::load(&files, policy, clock::now()).map_err(|source| StartFault::Trust { section, source })?;
    Ok(Arc::new(trust))
}

/// A centre that is ready to listen.
pub struct Ready {
    /// What requests share.
    pub centre: Arc<Centre>,
    /// What connections are accepted with.
    pub server: Arc<TlsServer>,
    /// To be closed at the end.
    pub ledger: Arc<SqliteLedger>,
}

/// Builds the centre: material first, then the stores, then recovery. Nothing listens yet.
pub async fn start(config: GatewayConfig) -> Result<Ready, StartFault> {
    if config.environment == Environment::Production {
        return Err(StartFault::Unsealed);
    }
    let material = Material::load(&config)?;
    let data = &config.storage.data;
    durable::create_directory(data, Access::Private).map_err(StartFault::Data)?;
    let first = config.parties.first().map(ToString::to_string).unwrap_or_default();
    let party = first.parse().map_err(|_| StartFault::ThreadLost)?;
    let key: Arc<LogKey> = Arc::new(log_key::load_or_create(data, config.environment, &party)?);
    let log = key.log().clone();
    let ledger = Arc::new(SqliteLedger::open(&data.join(LEDGER_FILE), config.environment, key).await?);
    let spool: Arc<dyn Spool> = Arc::new(FileSpool::open(&data.join("spool"), config.environment)?);
    let inbox = Arc::new(Inbox::open(&config.storage.inbox)?);
    let slots = Arc::new(Semaphore::new(config.limits.transfers_max as usize));
    let observed = Arc::new(Counters::default());
    let server = {
        let observed = Arc::clone(&observed);
        let observer: RefusalObserver =
            Arc::new(move |refused: &Refused| observed.count(Stage::Certificate, refused.fault.code()));
        Arc::new(material.server(config.environment, tls_policy(&config), observer)?)
    };
    let centre = Arc::new(Centre {
        config,
        ledger: Arc::clone(&ledger) as Arc<dyn Ledger>,
        audit: Arc::clone(&ledger) as Arc<dyn AuditLog>,
        spool,
        inbox,
        signer: material.signer,
        verifier: material.verifier,
        log,
        attempts: Attempts::default(),
        slots,
        work: TaskTracker::new(),
        stopping: CancellationToken::new(),
        broken: CancellationToken::new(),
        committed: Notify::new(),
        counters: observed,
        denials: Denials::default(),
    });
    if centre.audit.head().await?.checkpoint.size == 0 {
        centre.record(centre.entry(Event::LogOpened)).await?;
    }
    recover(&centre).await?;
    centre.record(centre.entry(Event::Started)).await?;
    Ok(Ready { centre, server, ledger })
}

/// After a stop, whatever it was: attempts that were running end as restarted, and the spool keeps what the ledger
/// speaks of, nothing else.
async fn recover(centre: &Arc<Centre>) -> Result<(), StartFault> {
    let restarted = {
        let entry = |transfer: &storage::transfer::Transfer| Entry {
            cause: Some(Cause::Restarted),
            ..centre.transfer_entry(Event::Aborted, transfer, None)
        };
        centre.ledger.restart(clock::now(), &entry).await?
    };
    for transfer in &restarted {
        tracing::warn!(%transfer, "an attempt was running at the last stop; it ended as restarted");
    }
    let recovered = {
        let (centre, runtime) = (Arc::clone(centre), tokio::runtime::Handle::current());
        let recovery = tokio::task::spawn_blocking(move || {
            // What cannot be read from the ledger is kept; the next start looks again.
            let wanted = |key: &TransferKey| match runtime.block_on(centre.ledger.find(key)) {
                Ok(transfer) => keep(transfer.as_ref()),
                Err(_) => Keep::Prefix(0),
            };
            centre.spool.recover(&wanted)
        });
        recovery.await.map_err(|_| StartFault::ThreadLost)??
    };
    tracing::info!(kept = recovered.kept, removed = recovered.removed, "spool recovered");
    for name in &recovered.strange {
        tracing::warn!(name, "the spool holds something that is not its own; it was left alone");
    }
    for key in &recovered.damaged {
        give_up_damaged(centre, key).await?;
    }
    for key in centre.ledger.undelivered().await? {
        if centre.spool.finished_length(&key)?.is_none() {
            return Err(StartFault::ContentLost { transfer: key.to_string() });
        }
    }
    Ok(())
}

/// Content without a receipt begins anew; content that a receipt promises must not be missed in silence.
async fn give_up_damaged(centre: &Arc<Centre>, key: &TransferKey) -> Result<(), StartFault> {
    let promised = match centre.ledger.find(key).await? {
        Some(transfer) => transfer.state.phase == Phase::Committed,
        None => false,
    };
    if promised {
        return Err(StartFault::ContentLost { transfer: key.to_string() });
    }
    tracing::warn!(transfer = %key, "durable content is damaged; its next attempt begins anew");
    centre.step(key, steps::unlogged(Input::ContentLost, clock::now())).await?;
    Ok(())
}

fn keep(transfer: Option<&storage::transfer::Transfer>) -> Keep {
    let Some(transfer) = transfer else { return Keep::Nothing };
    match transfer.state.phase {
        Phase::Committed if transfer.delivered_at.is_none() => Keep::Whole(transfer.length),
        Phase::Offered | Phase::Receiving | Phase::Checking | Phase::Aborted(_) => {
            Keep::Prefix(transfer.state.offset)
        }
        Phase::Committed | Phase::Refused(_) => Keep::Nothing,
    }
}
