//! The client: opens settings and state, and sends, asks, cancels.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use config::ClientSettings;
use pki::{
    clock,
    credential::Credential,
    evidence::{EvidenceSigner, EvidenceVerifier},
    tls::client_config,
    trust::{Trust, TrustFiles},
};
use protocol::{
    digest::Sha256,
    jws,
    kind::Kind,
    moment::Moment,
    party::{Environment, Identity, Party},
    sender::Phase,
    transfer_id::TransferId,
};
use tokio::sync::watch;
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};
use tokio_util::sync::CancellationToken;

use crate::{
    desk::Desk,
    error::{OpenError, SendError},
    filing::{Filed, Filing},
    line::{Deadlines, Dialer, Secure},
    manifest::{self, Maker},
    progress::{Progress, ProgressEvent, Unwatched},
    source::{self, Examined, SourceFault},
    store::{Attempt, BUNDLE, RECEIPT, Record, SameContent, Store, StoreFault, Transfer, transfers_in},
    transfer::{Drive, Source, journal},
};

/// Sends claims files for one party, over settings that were checked and a state directory that only this process uses.
pub struct Client {
    desk: Desk,
}

/// A file that arrived, with the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The transfer.
    pub id: TransferId,
    /// What the file was sent as.
    pub kind: Kind,
    /// In whose name.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Every attempt, of earlier runs too.
    pub attempts: Vec<Attempt>,
    /// The receipt's exact text.
    pub receipt_path: PathBuf,
    /// All the evidence in one file.
    pub bundle_path: PathBuf,
    /// The centre knows that we hold the receipt.
    pub acknowledged: bool,
    /// It had arrived in an earlier run; nothing was sent now.
    pub already: bool,
}

/// Where a transfer stands, as far as this machine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferStatus {
    /// The transfer.
    pub id: TransferId,
    /// Where it stands.
    pub phase: Phase,
    /// Since when.
    pub since: Moment,
    /// The file's own name.
    pub file_name: String,
    /// Where it stood when it was examined.
    pub source: String,
    /// What it was sent as.
    pub kind: Kind,
    /// 請求年月.
    pub claim_month: Option<protocol::kind::ClaimMonth>,
    /// In whose name.
    pub sender: Party,
    /// To whom.
    pub receiver: Party,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Bytes that the centre last said it durably holds.
    pub offset: u64,
    /// When it was made.
    pub created_at: Moment,
    /// Every attempt that brought content.
    pub attempts: Vec<Attempt>,
    /// When the centre took our acknowledgement.
    pub acknowledged_at: Option<Moment>,
    /// All the evidence in one file, once it arrived.
    pub bundle_path: Option<PathBuf>,
}

impl Client {
    /// Opens everything that sending needs: certificates and keys are checked as the centre will check them, the state
    /// directory is taken, the send log is read and held against its checkpoint. Blocks.
    ///
    /// # Errors
    /// With the first thing that is not in order. Nothing was sent.
    pub fn open(settings: &ClientSettings) -> Result<Self, OpenError> {
        let now = clock::now();
        let environment = settings.environment;
        let credential = Credential::load(&settings.tls.certificate, &settings.tls.key)?;
        let signer =
            EvidenceSigner::load(&settings.evidence.certificate, &settings.evidence.key, environment, now)?;
        let acting = acting(settings, credential.own().identity(), signer.identity())?;
        let trust = load_trust("tls", &settings.tls, now)?;
        let verifier = EvidenceVerifier::live(load_trust("evidence", &settings.evidence, now)?);
        let receiver = settings.centre.party.clone();
        let tls = client_config(&credential, trust, receiver.clone(), environment)?;
        let name = settings.centre.server_name.as_str().to_owned();
        let server_name = ServerName::try_from(name.clone()).map_err(|_| OpenError::ServerName(name))?;
        let dialer = Dialer {
            address: settings.centre.address.clone(),
            host: settings.centre.address.to_string(),
            secure: Secure::Tls(TlsConnector::from(tls), server_name),
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
            retry: settings.retry.clone(),
            store: Arc::new(Mutex::new(store)),
            running: Mutex::new(HashSet::new()),
        };
        Ok(Client { desk })
    }

    #[cfg(test)]
    pub(crate) fn at(desk: Desk) -> Self {
        Client { desk }
    }

    #[cfg(test)]
    pub(crate) fn desk_mut(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// Real claims, or a lab.
    pub fn environment(&self) -> Environment {
        self.desk.environment
    }

    /// Sends a file, or goes on with sending it. Returns when its verified receipt is durable here.
    ///
    /// The same content to the same receiver is the same transfer: one that was not finished goes on under its id, one
    /// that arrived is not sent again ([`Sent::already`]) unless `filing.resubmission_of` asks for that.
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
        self.refuse_fork().await?;
        let source = Source { path: examined.path.clone(), fingerprint: examined.fingerprint.clone() };
        let begun = self.begin(examined, filed).await?;
        if let Some(id) = begun.left_behind {
            progress.event(&ProgressEvent::LeftBehind { id });
        }
        if begun.transfer.phase() == Phase::Received {
            return Ok(sent(&begun.transfer, true));
        }
        let _claim = self.desk.claim(begun.transfer.id())?;
        progress.event(&ProgressEvent::Held { id: begun.transfer.id(), resumed: begun.resumed });
        let drive = Drive::new(&self.desk, begun.transfer, progress, stop);
        Ok(sent(&drive.deliver(&source).await?, false))
    }

    /// All transfers that this state directory knows, in the order they were made.
    ///
    /// # Errors
    /// If a file of the state directory cannot be read, or was altered.
    pub async fn transfers(&self) -> Result<Vec<TransferStatus>, StoreFault> {
        let transfers = self.desk.on_disk(|store| store.transfers()).await?;
        Ok(transfers.iter().map(status).collect())
    }

    /// Asks the centre where a transfer stands. A receipt or refusal that it gives is verified and kept, and a receipt
    /// that it does not know we hold is acknowledged; content is never sent.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn ask(&self, id: TransferId, stop: &CancellationToken) -> Result<TransferStatus, SendError> {
        let transfer = self.desk.on_disk(move |store| store.transfer(id)).await?;
        let unacknowledged = transfer.phase() == Phase::Received && transfer.record.acknowledged_at.is_none();
        if transfer.phase().is_final() && !unacknowledged {
            return Ok(status(&transfer));
        }
        self.refuse_fork().await?;
        let _claim = self.desk.claim(id)?;
        let asked = Drive::new(&self.desk, transfer, &Unwatched, stop).ask_once().await?;
        Ok(status(&asked))
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
        if transfer.phase().is_final() {
            return Err(SendError::Ended { id, phase: transfer.phase().name() });
        }
        let _claim = self.desk.claim(id)?;
        let cancelled = Drive::new(&self.desk, transfer, &Unwatched, stop).cancel().await?;
        Ok(status(&cancelled))
    }

    /// A centre whose log contradicted itself gets nothing more until people have looked into it.
    async fn refuse_fork(&self) -> Result<(), SendError> {
        let receiver = self.desk.receiver.clone();
        let fork = self
            .desk
            .on_disk(move |store| {
                let fork = store.centre(&receiver).and_then(|centre| centre.fork.as_ref());
                Ok::<_, StoreFault>(fork.map(|fork| fork.reason.clone()))
            })
            .await?;
        match fork {
            None => Ok(()),
            Some(reason) => Err(SendError::LogForked { reason }),
        }
    }

    /// Finds the transfer of this content, or makes a new one durable.
    async fn begin(&self, examined: Examined, filed: Filed) -> Result<Begun, SendError> {
        let (environment, acting, signer) =
            (self.desk.environment, self.desk.acting.clone(), Arc::clone(&self.desk.signer));
        self.desk
            .on_disk(move |store| {
                let known = store.transfers()?;
                if let Some(transfer) = same_content(&known, &examined, &filed) {
                    return Ok(Begun { transfer: transfer.clone(), resumed: true, left_behind: None });
                }
                let source = examined.path.to_string_lossy().into_owned();
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

/// The newest transfer of the same content that is unfinished, or that arrived and is not to be sent once more.
fn same_content<'a>(known: &'a [Transfer], examined: &Examined, filed: &Filed) -> Option<&'a Transfer> {
    let same = SameContent {
        sender: &filed.sender,
        receiver: &filed.receiver,
        kind: filed.kind,
        sha256: examined.sha256,
    };
    known.iter().rev().filter(|old| same.is(&old.manifest)).find(|old| match old.phase() {
        Phase::Received => filed.resubmission_of.is_none(),
        phase => !phase.is_final() && old.manifest.resubmission_of == filed.resubmission_of,
    })
}

/// Everything a state directory knows, without opening it for work: another process may be sending from it now.
///
/// # Errors
/// If a file cannot be read, or was altered.
pub fn read_transfers(data: &Path) -> Result<Vec<TransferStatus>, StoreFault> {
    Ok(transfers_in(data)?.iter().map(status).collect())
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

fn load_trust(
    section: &'static str,
    credentials: &config::shared::Credentials,
    now: Moment,
) -> Result<Arc<Trust>, OpenError> {
    let files = TrustFiles {
        anchors: credentials.anchors.clone(),
        issuers: credentials.issuers.clone(),
        crls: credentials.crls.clone(),
    };
    let trust = Trust::load(&files, now).map_err(|source| OpenError::Trust { section, source })?;
    Ok(Arc::new(trust))
}

fn sent(transfer: &Transfer, already: bool) -> Sent {
    let (manifest, record) = (&transfer.manifest, &transfer.record);
    Sent {
        id: transfer.id(),
        kind: manifest.kind,
        sender: manifest.sender.clone(),
        receiver: manifest.receiver.clone(),
        bytes: manifest.length,
        sha256: manifest.sha256,
        attempts: record.attempts.clone(),
        receipt_path: transfer.file(RECEIPT),
        bundle_path: transfer.file(BUNDLE),
        acknowledged: record.acknowledged_at.is_some(),
        already,
    }
}

fn status(transfer: &Transfer) -> TransferStatus {
    let (manifest, record) = (&transfer.manifest, &transfer.record);
    TransferStatus {
        id: transfer.id(),
        phase: transfer.phase(),
        since: record.since,
        file_name: manifest.file_name.clone(),
        source: record.source.clone(),
        kind: manifest.kind,
        claim_month: manifest.claim_month,
        sender: manifest.sender.clone(),
        receiver: manifest.receiver.clone(),
        bytes: manifest.length,
        sha256: manifest.sha256,
        offset: record.offset,
        created_at: manifest.created_at,
        attempts: record.attempts.clone(),
        acknowledged_at: record.acknowledged_at,
        bundle_path: (transfer.phase() == Phase::Received).then(|| transfer.file(BUNDLE)),
    }
}
