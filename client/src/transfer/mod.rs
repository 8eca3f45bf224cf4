//! One transfer, driven from where it stands to its end: ask or offer, send what is wanted, verify what comes back.
//!
//! Each turn begins by learning where the centre stands; content is never sent blindly. A turn that fails stops the
//! sending, is put on record, and is followed by another one only under the retry policy. `journal` makes every step
//! durable before anything follows from it.

mod acknowledge;
pub(crate) mod journal;
mod known;
mod question;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use pki::{clock, random::random_bytes};
use protocol::{
    cause::Cause,
    moment::Moment,
    problem::{Advice, Problem},
    sender::Phase,
    wire::{Offer, ReceiptAnswer},
};
use tokio_util::sync::CancellationToken;

use crate::{
    centre_log::CentreLogFault,
    desk::Desk,
    error::{LastTry, SendError, in_one_line},
    limits::{ASK_EVERY, RECEIPT_WAIT_MAX, RETRY_AFTER_MAX},
    line::{
        Break, ContentFault, Line, Piece, RequestBody,
        requests::{self, Reply, Turned},
    },
    progress::{Progress, ProgressEvent},
    retry::wait_before,
    source::{Fingerprint, SourceFault},
    store::{Store, StoreFault, Transfer},
};
use journal::CutShort;
use known::{Known, cause_of};

/// The file that an unfinished transfer is sent from.
#[derive(Clone)]
pub(crate) struct Source {
    pub path: PathBuf,
    pub fingerprint: Fingerprint,
}

/// One transfer on its way.
pub(crate) struct Drive<'a> {
    desk: &'a Desk,
    transfer: Transfer,
    progress: &'a dyn Progress,
    stop: &'a CancellationToken,
    line: Option<Line>,
    checking_since: Option<Instant>,
}

/// Why a turn did not bring the transfer to its end.
enum Trouble {
    /// Another turn may.
    Again(LastTry, Option<Duration>),
    /// None will.
    Final(SendError),
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        match error {
            // The next question names the log whose proof is missing.
            SendError::CentreLog(CentreLogFault::NoConsistency) => Trouble::Again(
                LastTry::BadAnswer("a receipt without proof that the centre's log continues"),
                None,
            ),
            error => Trouble::Final(error),
        }
    }
}

impl From<StoreFault> for Trouble {
    fn from(fault: StoreFault) -> Self {
        Trouble::Final(fault.into())
    }
}

impl<'a> Drive<'a> {
    pub fn new(
        desk: &'a Desk,
        transfer: Transfer,
        progress: &'a dyn Progress,
        stop: &'a CancellationToken,
    ) -> Self {
        Drive { desk, transfer, progress, stop, line: None, checking_since: None }
    }

    /// Drives the transfer to its receipt.
    pub async fn deliver(mut self, source: &Source) -> Result<Transfer, SendError> {
        self.write(journal::restarted).await?;
        let mut tries = 0;
        loop {
            let (last, retry_after) = match self.turn(source).await {
                Ok(()) => return Ok(self.transfer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(last, retry_after)) => (last, retry_after),
            };
            self.line = None;
            tries += 1;
            if tries >= self.desk.retry.attempts || last == LastTry::NoReceiptYet {
                return Err(SendError::NotDelivered { id: self.transfer.id(), tries, last });
            }
            let random = u64::from_be_bytes(random_bytes()?);
            let wait = wait_before(tries + 1, &self.desk.retry, random);
            self.wait(wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))).await?;
        }
    }

    /// From asking to the receipt, over one connection.
    async fn turn(&mut self, source: &Source) -> Result<(), Trouble> {
        loop {
            let known = match self.learn().await? {
                Known::Wanted { offset, cause } => {
                    // The centre saw the attempt end before we did.
                    let reached = self.transfer.manifest.length;
                    self.abort(cause.unwrap_or(Cause::PeerClosed), reached, Duration::ZERO).await?;
                    self.bring(source, offset).await?
                }
                known => known,
            };
            match known {
                Known::Receipt(answer) => {
                    self.receive(*answer).await?;
                    self.acknowledge().await;
                    return Ok(());
                }
                Known::Checking(after) => self.await_check(after).await?,
                Known::Refusal(text) => return Err(Trouble::Final(self.refuse(text).await)),
                Known::Cancelled => {
                    self.write(journal::cancelled).await?;
                    return Err(Trouble::Final(SendError::Cancelled { id: self.transfer.id() }));
                }
                Known::Expired => {
                    let problem = Problem::Expired;
                    return Err(Trouble::Final(SendError::TurnedDown { id: self.transfer.id(), problem }));
                }
                Known::Wanted { .. } => {}
            }
        }
    }

    /// Where does the centre stand? Asks if it has ever answered an offer, otherwise offers.
    async fn learn(&mut self) -> Result<Known, Trouble> {
        let key = self.transfer.manifest.key();
        if self.transfer.record.offered {
            let request = requests::ask(&key, self.log_seen().await?);
            let answer = self.exchange(request).await?;
            match self.understand(requests::asked(&answer)).await? {
                Reply::Done(state) => return self.known(state).await,
                Reply::Checking(after) => return Ok(Known::Checking(after)),
                Reply::Turned(turned) if turned.problem == Problem::NotFound => {
                    self.write(|_, transfer| journal::forgotten(transfer)).await?;
                }
                Reply::Turned(turned) => return Err(self.turned(turned).await),
            }
        }
        self.offer().await
    }

    /// Offers the manifest, with the proof that our log continues what the centre has seen of it.
    async fn offer(&mut self) -> Result<Known, Trouble> {
        let receiver = self.transfer.manifest.receiver.clone();
        let mut from =
            self.read(move |store| Ok(store.centre(&receiver).and_then(|centre| centre.shown))).await?;
        // Once as far as we know, and once more from where the centre says it stands.
        for last in [false, true] {
            let request = requests::offer(&self.offer_from(from).await?, self.log_seen().await?);
            let answer = self.exchange(request).await?;
            match self.understand(requests::offered(&answer, &self.transfer.manifest.key())).await? {
                Reply::Done(state) => {
                    self.write(journal::offer_taken).await?;
                    self.progress.event(&ProgressEvent::Offered { offset: state.offset });
                    return self.known(state).await;
                }
                Reply::Turned(turned) if turned.problem == Problem::LogProofNeeded && !last => {
                    from = turned.log_size;
                }
                Reply::Turned(turned) => return Err(self.turned(turned).await),
                Reply::Checking(_) => break,
            }
        }
        Err(self.break_off(Break::BadAnswer("it asks for one proof after another")).await)
    }

    async fn offer_from(&self, from: Option<u64>) -> Result<Offer, StoreFault> {
        let (manifest, to) = (self.transfer.manifest_text.clone(), journal::shown_size(&self.transfer));
        self.read(move |store| {
            let consistency = from.zip(to).and_then(|(from, to)| store.log.consistency(from, to));
            Ok(Offer { manifest, consistency })
        })
        .await
    }

    /// One attempt: logged, then sent from the offset to the end.
    async fn bring(&mut self, source: &Source, offset: u64) -> Result<Known, Trouble> {
        self.write(move |store, transfer| journal::attempt(store, transfer, offset)).await?;
        let number = self.transfer.record.sender(self.transfer.manifest.length).attempts;
        self.progress.event(&ProgressEvent::Attempt { number, offset });
        let piece = Piece { path: source.path.clone(), fingerprint: source.fingerprint.clone(), offset };
        let (body, reading) = RequestBody::of_file(piece);
        let request = requests::send(&self.transfer.manifest.key(), offset, body, self.log_seen().await?);
        let (progress, total) = (self.progress, self.transfer.manifest.length);
        let mut told = offset;
        let tick = || {
            let bytes = reading.reached();
            if bytes != told {
                told = bytes;
                progress.event(&ProgressEvent::Sent { bytes, total });
                if bytes == total {
                    progress.event(&ProgressEvent::Checking);
                }
            }
        };
        let sent = match &mut self.line {
            Some(line) => line.exchange(request, self.stop, tick).await,
            None => Err(Break::Cut { cause: Cause::PeerClosed, detected_after: Duration::ZERO }),
        };
        let reached = reading.reached();
        if sent.is_err() || reached < total {
            // Cuts off whatever of the message is still on its way, and with it ends the reader.
            self.line = None;
        }
        let (sent, reached) = match (sent, reading.finish().await) {
            // Asked to stop is asked to stop; otherwise a file that changed is why the message broke.
            (Err(Break::Stopped), _) => (Err(Break::Stopped), reached),
            (Err(_), Err(fault)) => (Err(Break::Content(fault)), reached),
            (sent, _) => (sent, reached),
        };
        let reply = sent.and_then(|answer| requests::sent(&answer));
        match reply {
            Ok(Reply::Done(answer)) => Ok(Known::Receipt(Box::new(answer))),
            Ok(Reply::Checking(after)) => Ok(Known::Checking(after)),
            // What it has, it has: it is checking that.
            Ok(Reply::Turned(turned)) if turned.problem == Problem::Busy => Ok(Known::Checking(None)),
            Ok(Reply::Turned(turned)) => {
                self.abort(cause_of(turned.problem), reached, Duration::ZERO).await?;
                Err(self.turned(turned).await)
            }
            Err(broken) => {
                let (cause, detected_after) = cause_of_break(&broken);
                self.abort(cause, reached, detected_after).await?;
                Err(self.trouble(broken))
            }
        }
    }

    /// Waits a moment for the check at the centre, for as long as that is sensible.
    async fn await_check(&mut self, after: Option<Duration>) -> Result<(), Trouble> {
        if self.transfer.phase() != Phase::AwaitingReceipt {
            self.write(|_, transfer| journal::checking(transfer)).await?;
            self.progress.event(&ProgressEvent::Checking);
        }
        let since = *self.checking_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= RECEIPT_WAIT_MAX {
            return Err(Trouble::Again(LastTry::NoReceiptYet, None));
        }
        let pause = after.unwrap_or(ASK_EVERY).clamp(ASK_EVERY / 10, RECEIPT_WAIT_MAX);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(self.break_off(Break::Stopped).await),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    async fn receive(&mut self, answer: ReceiptAnswer) -> Result<(), SendError> {
        let (verifier, crls) = (Arc::clone(&self.desk.verifier), self.desk.crls.clone());
        let receipt = self
            .write(move |store, transfer| {
                journal::received(store, transfer, &answer, verifier.as_ref(), &crls)
            })
            .await?;
        self.progress.event(&ProgressEvent::Received { at: receipt.received_at });
        Ok(())
    }

    async fn refuse(&mut self, text: String) -> SendError {
        let verifier = Arc::clone(&self.desk.verifier);
        let refused = self
            .write(move |store, transfer| journal::refused(store, transfer, &text, verifier.as_ref()))
            .await;
        match refused {
            Ok((problem, fault)) => {
                self.progress.event(&ProgressEvent::Refused { problem });
                let refusal = self.transfer.file(crate::store::REFUSAL);
                SendError::Refused { id: self.transfer.id(), problem, fault, refusal }
            }
            Err(error) => error,
        }
    }

    /// A no: a refusal is final once it verifies, anything else by its advice.
    async fn turned(&mut self, turned: Turned) -> Trouble {
        if let Some(text) = turned.refusal {
            return Trouble::Final(self.refuse(text).await);
        }
        let problem = turned.problem;
        self.progress.event(&ProgressEvent::Failed { reason: format!("{} ({problem})", problem.title()) });
        match problem.advice() {
            Advice::GiveUp => Trouble::Final(SendError::TurnedDown { id: self.transfer.id(), problem }),
            Advice::Retry | Advice::Ask => Trouble::Again(LastTry::Turned(problem), turned.retry_after),
        }
    }

    /// Puts on record that a running attempt ended early, and says so.
    async fn abort(&mut self, cause: Cause, reached: u64, detected_after: Duration) -> Result<(), SendError> {
        let detected_ms = u64::try_from(detected_after.as_millis()).unwrap_or(u64::MAX);
        let cut = CutShort { cause, reached, detected_ms };
        if self.write(move |store, transfer| journal::aborted(store, transfer, cut)).await? {
            let at = clock::now();
            self.progress.event(&ProgressEvent::Aborted { cause, offset: reached, at, detected_ms });
        }
        Ok(())
    }

    /// Something broke while no content was on its way.
    async fn break_off(&mut self, broken: Break) -> Trouble {
        let (cause, detected_after) = cause_of_break(&broken);
        let reached = self.transfer.manifest.length;
        if let Err(error) = self.abort(cause, reached, detected_after).await {
            return Trouble::Final(error);
        }
        self.trouble(broken)
    }

    /// What follows from a break that is on record.
    fn trouble(&self, broken: Break) -> Trouble {
        let path = || PathBuf::from(&self.transfer.record.source);
        let last = match broken {
            Break::OurCertificate(reason) => return Trouble::Final(SendError::CertificateRefused { reason }),
            Break::TheirCertificate(fault) => return Trouble::Final(SendError::CentreNotTrusted { fault }),
            Break::Stopped => return Trouble::Final(SendError::Stopped),
            Break::Content(ContentFault::Changed) => {
                return Trouble::Final(SourceFault::Changed { path: path() }.into());
            }
            Break::Content(ContentFault::Unreadable(source)) => {
                return Trouble::Final(SourceFault::Unreadable { path: path(), source }.into());
            }
            Break::Unreachable { .. } | Break::Handshake(_) => LastTry::Unreachable(in_one_line(&broken)),
            Break::Cut { cause, .. } => LastTry::Cut(cause),
            Break::BadAnswer(reason) => LastTry::BadAnswer(reason),
        };
        if !matches!(last, LastTry::Cut(_)) {
            self.progress.event(&ProgressEvent::Failed { reason: last.to_string() });
        }
        Trouble::Again(last, None)
    }

    async fn known(&mut self, state: protocol::wire::State) -> Result<Known, Trouble> {
        let known = Known::of(state, self.transfer.manifest.length);
        self.understand(known).await
    }

    async fn understand<T>(&mut self, answer: Result<T, Break>) -> Result<T, Trouble> {
        match answer {
            Ok(understood) => Ok(understood),
            Err(broken) => Err(self.break_off(broken).await),
        }
    }

    /// A small request and its answer, over the line that is there or a new one.
    async fn exchange(
        &mut self,
        request: hyper::Request<RequestBody>,
    ) -> Result<crate::line::Answer, Trouble> {
        match self.try_exchange(request).await {
            Ok(answer) => Ok(answer),
            Err(broken) => {
                self.line = None;
                Err(self.break_off(broken).await)
            }
        }
    }

    async fn try_exchange(
        &mut self,
        request: hyper::Request<RequestBody>,
    ) -> Result<crate::line::Answer, Break> {
        let line = match self.line.take().filter(Line::is_open) {
            Some(line) => self.line.insert(line),
            None => {
                self.progress.event(&ProgressEvent::Connecting);
                let dialled = tokio::select! {
                    biased;
                    () = self.stop.cancelled() => Err(Break::Stopped),
                    dialled = self.desk.dialer.dial() => dialled,
                };
                self.line.insert(dialled?)
            }
        };
        line.exchange(request, self.stop, || ()).await
    }

    /// The size of the centre's log that was last verified.
    async fn log_seen(&self) -> Result<Option<u64>, StoreFault> {
        let receiver = self.transfer.manifest.receiver.clone();
        self.read(move |store| {
            let latest = store.centre(&receiver).and_then(|centre| centre.latest());
            Ok(latest.and_then(|seen| seen.checkpoint.lines().nth(1)?.parse().ok()))
        })
        .await
    }

    async fn wait(&mut self, pause: Duration) -> Result<(), SendError> {
        let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
        let until = Moment::from_unix_ms(clock::now().unix_ms().saturating_add(millis));
        self.progress.event(&ProgressEvent::Waiting { until });
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(SendError::Stopped),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Works on the store and this transfer, and takes over what became of the transfer.
    async fn write<T, E>(
        &mut self,
        work: impl FnOnce(&mut Store, &mut Transfer) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreFault> + Send + 'static,
    {
        let mut transfer = self.transfer.clone();
        let (transfer, done) = self
            .desk
            .on_disk(move |store| {
                let done = work(store, &mut transfer)?;
                Ok::<_, E>((transfer, done))
            })
            .await?;
        self.transfer = transfer;
        Ok(done)
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.desk.on_disk(work).await
    }
}

/// What goes on record for a break, and how long after the last byte it was noticed.
fn cause_of_break(broken: &Break) -> (Cause, Duration) {
    match broken {
        Break::Cut { cause, detected_after } => (*cause, *detected_after),
        Break::OurCertificate(_) => (Cause::Revoked, Duration::ZERO),
        Break::Content(_) => (Cause::SourceChanged, Duration::ZERO),
        Break::Stopped => (Cause::Cancelled, Duration::ZERO),
        Break::Unreachable { .. } => (Cause::LinkLost, Duration::ZERO),
        Break::TheirCertificate(_) | Break::Handshake(_) | Break::BadAnswer(_) => {
            (Cause::PeerClosed, Duration::ZERO)
        }
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
