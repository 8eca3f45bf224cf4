//! The client: opens settings and state, and sends, asks, cancels.

use std::{
    collections::HashSet,
    path::Path,
    sync::{Arc, Mutex},
};

use config::{
    ClientSettings,
    crypto::{Acceptance, CryptoProfile},
    shared::Credentials,
};
use pki::{
    clock,
    credential::Credential,
    crl_cache::CrlCache,
    evidence::{EvidenceSigner, EvidenceVerifier},
    policy::{CrlGrace, Policy},
    signatures::Signatures,
    tls::{Groups, TlsPolicy, client_config, for_content},
    trust::{Trust, TrustFiles},
};
use protocol::{
    jws,
    moment::Moment,
    party::{Environment, Identity},
    sender::Phase,
    transfer_id::TransferId,
};
use tokio::sync::watch;
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_util::sync::CancellationToken;

use crate::{
    again,
    desk::Desk,
    error::{OpenError, SendError},
    filing::{Filed, Filing},
    limits::{ACKNOWLEDGE_AT_ONCE, OWN_LINE_BYTES_MIN},
    line::{Deadlines, Dialer, Secure},
    lists::{ListNotFetched, Trusted, bring_up_to_date},
    manifest::{self, Maker},
    pace::Pace,
    progress::{Progress, ProgressEvent, Unwatched},
    source::{self, Examined, SourceFault},
    store::{Record, Store, StoreFault, Transfer},
    transfer::{Drive, Source, journal},
    view::{Sent, TransferStatus},
};

/// Sends claims files for one party, over settings that were checked and a state directory that only this process uses.
pub struct Client {
    desk: Desk,
    not_fetched: Vec<ListNotFetched>,
}

impl Client {
    /// Opens everything that sending needs: certificates and keys are checked as the centre will check them, revocation
    /// lists that are due are fetched, the state directory is taken, the send log is read and held against its checkpoint.
    /// Blocks.
    ///
    /// # Errors
    /// With the first thing that is not in order. Nothing was sent.
    pub fn open(settings: &ClientSettings) -> Result<Self, OpenError> {
        let now = clock::now();
        let environment = settings.environment;
        let (tls, evidence) = (policy(settings, &settings.tls), policy(settings, &settings.evidence));
        let credential = Credential::load(&settings.tls.certificate, &settings.tls.key, &tls)?;
        let signer = EvidenceSigner::load(
            &settings.evidence.certificate,
            &settings.evidence.key,
            &evidence,
            environment,
            now,
        )?;
        let acting = acting(settings, credential.own().identity(), signer.identity())?;
        let trusted = [
            load_trust("tls", settings, &settings.tls, tls, now)?,
            load_trust("evidence", settings, &settings.evidence, evidence, now)?,
        ];
        let ([trust, evidence_trust], not_fetched) = bring_up_to_date(settings, trusted, now)?;
        let verifier = EvidenceVerifier::live(evidence_trust);
        let receiver = settings.centre.party.clone();
        let tls = client_config(&credential, trust, receiver.clone(), environment, tls_policy(settings))?;
        let name = settings.centre.server_name.as_str().to_owned();
        let server_name = ServerName::try_from(name.clone()).map_err(|_| OpenError::ServerName(name))?;
        let dialer = Dialer {
            address: settings.centre.address.clone(),
            host: settings.centre.host(),
            line: settings.line.clone(),
            secure: Secure::Tls {
                content: TlsConnector::from(for_content(&tls)),
                usual: TlsConnector::from(tls),
                name: server_name,
            },
            deadlines: Deadlines {
                detect_max: settings.link.detect_max,
                stall_max: settings.link.stall_max,
                answer_max: settings.link.answer_max,
            },
        };
        let store = Store::open(&settings.storage.data, environment, &settings.party)?;
        let desk = Desk {
            environment,
            party: settings.party.clone(),
            receiver,
            acting,
            crls: verifier.crls_der(),
            signer: Arc::new(signer),
            verifier: Arc::new(verifier),
            dialer,
            own_line_from: OWN_LINE_BYTES_MIN,
            pace: settings.sending.rate_max.map(|rate| Arc::new(Pace::new(rate))),
            retry: settings.retry.clone(),
            store: Arc::new(Mutex::new(store)),
            offering: tokio::sync::Mutex::new(()),
            running: Mutex::new(HashSet::new()),
        };
        Ok(Client { desk, not_fetched })
    }

    #[cfg(test)]
    pub(crate) fn at(desk: Desk) -> Self {
        Client { desk, not_fetched: Vec::new() }
    }

    #[cfg(test)]
    pub(crate) fn desk_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// Revocation lists that were due and could not be fetched when it was opened; the last good ones count meanwhile.
    pub fn not_fetched(&self) -> &[ListNotFetched] {
        &self.not_fetched
    }

    /// Real claims, or a lab.
    pub fn environment(&self) -> Environment {
        self.desk.environment
    }

    /// Sends a file, or goes on with sending it. Returns when its verified receipt is durable here.
    ///
    /// The same content to the same receiver is the same transfer: one that was not finished goes on under its id, one
    /// that arrived is not sent again ([`Sent::already`]) unless `filing.resubmission_of` asks for that. If `filing` says
    /// of it what its manifest does not, nothing is sent ([`SendError::FiledOtherwise`]).
    ///
    /// # Errors
    /// [`SendError::advice`] says what a program does next. Unless the error is final the transfer stays resumable.
    pub async fn send(
        &self,
        file: &Path,
        filing: Filing,
        progress: &dyn Progress,
        stop: &CancellationToken,
    ) -> Result<Sent, SendError> {
        let examined = examine(file, progress, stop).await?;
        let filed = filing.complete(&examined, &self.desk.party, &self.desk.receiver)?;
        if !self.desk.acting.acts_for(&filed.sender) {
            let identity = Box::new(self.desk.acting.clone());
            return Err(SendError::NotOurs { identity, sender: filed.sender });
        }
        self.desk.refuse_fork().await?;
        let source = Source { path: examined.path.clone(), fingerprint: examined.fingerprint.clone() };
        let begun = self.begin(examined, filed).await?;
        if let Some(id) = begun.left_behind {
            progress.event(&ProgressEvent::LeftBehind { id });
        }
        if begun.transfer.phase() == Phase::Received {
            return Ok(Sent::of(&begun.transfer, true));
        }
        let id = begun.transfer.id();
        let _claim = self.desk.claim(id)?;
        // Whoever had it before may have brought it further meanwhile.
        let transfer = self.desk.on_disk(move |store| store.transfer(id)).await?;
        if transfer.phase() == Phase::Received {
            return Ok(Sent::of(&transfer, true));
        }
        progress.event(&ProgressEvent::Held { id, resumed: begun.resumed });
        let drive = Drive::new(&self.desk, transfer, progress, stop);
        let sent = Sent::of(&drive.deliver(&source).await?, false);
        self.acknowledge_leftovers(stop).await;
        Ok(sent)
    }

    /// Acknowledges receipts that an earlier run could not, now that the centre answers. What fails is left again.
    async fn acknowledge_leftovers(&self, stop: &CancellationToken) {
        let Ok(known) = self.desk.on_disk(|store| store.transfers()).await else { return };
        let left = known
            .into_iter()
            .filter(|old| old.phase() == Phase::Received && old.record.acknowledged_at.is_none())
            .filter(|old| old.manifest.receiver == self.desk.receiver);
        for id in left.map(|old| old.id()).take(ACKNOWLEDGE_AT_ONCE) {
            let Ok(_claim) = self.desk.claim(id) else { continue };
            // Whoever had it before may have done that meanwhile.
            let Ok(transfer) = self.desk.on_disk(move |store| store.transfer(id)).await else { continue };
            if transfer.record.acknowledged_at.is_some() {
                continue;
            }
            if let Err(error) = Drive::new(&self.desk, transfer, &Unwatched, stop).ask_once().await {
                tracing::warn!(%error, "an acknowledgement is still pending");
                return;
            }
        }
    }

    /// One state directory may serve several centres; what one says of another's transfer means nothing.
    fn is_for_this_centre(&self, transfer: &Transfer) -> Result<(), SendError> {
        let receiver = &transfer.manifest.receiver;
        if *receiver == self.desk.receiver {
            return Ok(());
        }
        Err(SendError::OtherCentre { id: transfer.id(), receiver: receiver.clone() })
    }

    /// All transfers that this state directory knows, in the order they were made.
    ///
    /// # Errors
    /// If a file of the state directory cannot be read, or was altered.
    pub async fn transfers(&self) -> Result<Vec<TransferStatus>, StoreFault> {
        let transfers = self.desk.on_disk(|store| store.transfers()).await?;
        Ok(transfers.iter().map(TransferStatus::of).collect())
    }

    /// Asks the centre where a transfer stands. A receipt or refusal that it gives is verified and kept, and a receipt
    /// that it does not know we hold is acknowledged; content is never sent.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn ask(&self, id: TransferId, stop: &CancellationToken) -> Result<TransferStatus, SendError> {
        let transfer = self.desk.on_disk(move |store| store.transfer(id)).await?;
        self.is_for_this_centre(&transfer)?;
        let unacknowledged = transfer.phase() == Phase::Received && transfer.record.acknowledged_at.is_none();
        if transfer.phase().is_final() && !unacknowledged {
            return Ok(TransferStatus::of(&transfer));
        }
        self.desk.refuse_fork().await?;
        let _claim = self.desk.claim(id)?;
        let asked = Drive::new(&self.desk, transfer, &Unwatched, stop).ask_once().await?;
        Ok(TransferStatus::of(&asked))
    }

    /// Calls a transfer off, at the centre too. Only before the centre has committed it.
    ///
    /// # Errors
    /// If it has ended already, or the centre cannot be asked.
    pub async fn cancel(
        &self,
        id: TransferId,
        stop: &CancellationToken,
    ) -> Result<TransferStatus, SendError> {
        let transfer = self.desk.on_disk(move |store| store.transfer(id)).await?;
        self.is_for_this_centre(&transfer)?;
        if transfer.phase().is_final() {
            return Err(SendError::Ended { id, phase: transfer.phase().name() });
        }
        let _claim = self.desk.claim(id)?;
        let cancelled = Drive::new(&self.desk, transfer, &Unwatched, stop).cancel().await?;
        Ok(TransferStatus::of(&cancelled))
    }

    /// Finds the transfer of this content, or makes a new one durable.
    async fn begin(&self, examined: Examined, filed: Filed) -> Result<Begun, SendError> {
        let (environment, acting, signer) =
            (self.desk.environment, self.desk.acting.clone(), Arc::clone(&self.desk.signer));
        self.desk
            .on_disk(move |store| {
                let known = store.transfers()?;
                let source = examined.path.to_string_lossy().into_owned();
                if let Some(transfer) = again::find(&known, &examined, &filed)? {
                    let mut transfer = transfer.clone();
                    if !transfer.phase().is_final() {
                        // It may have been moved since.
                        (transfer.record.source, transfer.record.fingerprint) =
                            (source, examined.fingerprint);
                        transfer.save()?;
                    }
                    return Ok(Begun { transfer, resumed: true, left_behind: None });
                }
                let left_behind = known
                    .iter()
                    .find(|old| old.record.source == source && !old.phase().is_final())
                    .map(Transfer::id);
                let maker = Maker {
                    environment,
                    acting: &acting,
                    log: store.log.identity(),
                    checkpoint: store.log.checkpoint(),
                };
                let manifest = manifest::of(&examined, &filed, &maker)?;
                let text = jws::sign(&manifest, signer.as_ref())?;
                let record = Record::held(source, examined.fingerprint, manifest.created_at);
                let mut transfer = store.create(text, manifest, record)?;
                journal::held(store, &mut transfer)?;
                Ok(Begun { transfer, resumed: false, left_behind })
            })
            .await
    }
}

struct Begun {
    transfer: Transfer,
    resumed: bool,
    left_behind: Option<TransferId>,
}

async fn examine(
    file: &Path,
    progress: &dyn Progress,
    stop: &CancellationToken,
) -> Result<Examined, SourceFault> {
    let (told, mut tells) = watch::channel((0, 0));
    let (path, stop) = (file.to_owned(), stop.clone());
    let thread = tokio::task::spawn_blocking(move || {
        source::examine(&path, &stop, |done, total| _ = told.send_replace((done, total)))
    });
    // Ends when the thread does: it owns the other end.
    while tells.changed().await.is_ok() {
        let (done, total) = *tells.borrow_and_update();
        progress.event(&ProgressEvent::Hashing { done, total });
    }
    thread.await.unwrap_or_else(|lost| {
        Err(SourceFault::Unreadable { path: file.to_owned(), source: std::io::Error::other(lost) })
    })
}

/// Both certificates must name one identity, and it must be one that may send for the party.
fn acting(settings: &ClientSettings, tls: &Identity, evidence: &Identity) -> Result<Identity, OpenError> {
    if tls != evidence {
        let (tls, evidence) = (Box::new(tls.clone()), Box::new(evidence.clone()));
        return Err(OpenError::TwoIdentities { tls, evidence });
    }
    if !tls.acts_for(&settings.party) {
        let (identity, party) = (Box::new(tls.clone()), settings.party.clone());
        return Err(OpenError::NotOurs { section: "tls", identity, party });
    }
    Ok(tls.clone())
}

/// How certificates of one section are judged.
fn policy(settings: &ClientSettings, section: &Credentials) -> Policy {
    let signatures = match (settings.crypto.profile, settings.crypto.ml_dsa) {
        (CryptoProfile::GuidelineStrict, _) => Signatures::Guideline,
        (CryptoProfile::Usual, Acceptance::Accept) => Signatures::WithMlDsa,
        (CryptoProfile::Usual, Acceptance::Refuse) => Signatures::Usual,
    };
    let grace = section.danger_crl_grace.as_ref();
    let danger_crl_grace = grace.and_then(|grace| CrlGrace::new(&grace.issuer, grace.length));
    Policy { identities: settings.identities.clone(), signatures, danger_crl_grace }
}

/// What is offered to the centre: never TLS 1.2, since every centre speaks better.
fn tls_policy(settings: &ClientSettings) -> TlsPolicy {
    let groups = match settings.crypto.profile {
        CryptoProfile::GuidelineStrict => Groups::Guideline,
        CryptoProfile::Usual => Groups::HybridFirst,
    };
    TlsPolicy { groups, ..TlsPolicy::default() }
}

fn load_trust<'s>(
    section: &'static str,
    settings: &ClientSettings,
    credentials: &'s Credentials,
    policy: Policy,
    now: Moment,
) -> Result<Trusted<'s>, OpenError> {
    let cache = CrlCache::below(&settings.storage.data);
    let files = TrustFiles {
        anchors: credentials.anchors.clone(),
        issuers: credentials.issuers.clone(),
        crls: credentials.crls.clone(),
        fetched: credentials.crl_urls.iter().map(|url| cache.file(url.as_str())).collect(),
    };
    let trust = Trust::load(&files, policy, now).map_err(|source| OpenError::Trust { section, source })?;
    Ok(Trusted { section, urls: &credentials.crl_urls, trust })
}
