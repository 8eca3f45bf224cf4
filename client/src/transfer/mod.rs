//! One transfer, driven from where it stands to its end: ask or offer, send what is wanted, verify what comes back.
//!
//! Each turn begins by learning where the centre stands; content is never sent blindly. A turn that fails stops the
//! sending, is put on record, and is followed by another one only under the retry policy. `journal` makes every step
//! durable before anything follows from it.

mod acknowledge;
mod attempt;
mod ending;
pub(crate) mod journal;
mod known;
mod learn;
mod question;
mod trouble;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use pki::{clock, random::random_bytes};
use protocol::{cause::Cause, moment::Moment, sender::Phase, wire::ReceiptAnswer};
use tokio_util::sync::CancellationToken;

use crate::{
    centre_log::{CentreLogFault, SeenLog},
    desk::Desk,
    error::{LastTry, SendError},
    limits::{ASK_EVERY, LOG_PROOFS_MAX, NOTICE_PAUSE, RECEIPT_WAIT_MAX, RETRY_AFTER_MAX},
    line::{Break, BulkLine, Line},
    progress::{Progress, ProgressEvent},
    retry::wait_before,
    source::Fingerprint,
    store::{REFUSAL, Store, StoreFault, Transfer},
};
use ending::{Brought, RefusedFor};
use known::Known;
use trouble::Trouble;

/// The file that a transfer is sent from.
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
    /// For the content of the attempt that begins.
    bulk: Option<BulkLine>,
    /// The centre's log as it was known before the last request that asks for a receipt.
    asked_from: Option<SeenLog>,
    checking_since: Option<Instant>,
}

impl<'a> Drive<'a> {
    pub fn new(
        desk: &'a Desk,
        transfer: Transfer,
        progress: &'a dyn Progress,
        stop: &'a CancellationToken,
    ) -> Self {
        Drive {
            desk,
            transfer,
            progress,
            stop,
            line: None,
            bulk: None,
            asked_from: None,
            checking_since: None,
        }
    }

    /// Drives the transfer to its receipt.
    pub async fn deliver(mut self, source: &Source) -> Result<Transfer, SendError> {
        self.write(journal::taken_up).await?;
        let mut tries = 0;
        loop {
            let (last, retry_after) = match self.turn(source).await {
                Ok(()) => return Ok(self.transfer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Again(last, retry_after)) => (last, retry_after),
            };
            (self.line, self.bulk) = (None, None);
            tries += 1;
            if tries >= self.desk.retry.attempts || last == LastTry::NoReceiptYet {
                return Err(SendError::NotDelivered { id: self.transfer.id(), tries, last });
            }
            let random = u64::from_be_bytes(random_bytes()?);
            let wait = wait_before(tries + 1, &self.desk.retry, random);
            self.wait(wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX))).await?;
        }
    }

    /// From asking to the receipt.
    async fn turn(&mut self, source: &Source) -> Result<(), Trouble> {
        self.desk.refuse_fork().await?;
        let began = Instant::now();
        loop {
            let known = match self.learn().await? {
                // What the last attempt brought is not on record before the centre notices its end, which takes at
                // most as long as it takes us.
                Known::Wanted { receiving: true, .. }
                    if began.elapsed() < self.desk.dialer.deadlines.detect_max =>
                {
                    self.pause(NOTICE_PAUSE).await?;
                    continue;
                }
                Known::Wanted { offset, cause, .. } => {
                    self.refuse_silent_restart(cause).await?;
                    self.desk.refuse_fork().await?;
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
                // `bring` never answers with a wish.
                Known::Wanted { .. } => {}
            }
        }
    }

    /// Everything was sent, and the centre wants content again: the attempt has ended, however it did. That is a cut
    /// like any other: on record, told, and followed by another attempt only under the retry policy.
    async fn refuse_silent_restart(&mut self, cause: Option<Cause>) -> Result<(), Trouble> {
        let cause = cause.unwrap_or(Cause::PeerClosed);
        let reached = self.transfer.manifest.length;
        if self.abort(cause, reached, Duration::ZERO).await? {
            return Err(Trouble::Again(LastTry::Cut(cause), None));
        }
        Ok(())
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
        self.pause(after.unwrap_or(ASK_EVERY).clamp(ASK_EVERY / 10, RECEIPT_WAIT_MAX)).await
    }

    /// Lets the centre do something before it is asked again.
    async fn pause(&mut self, pause: Duration) -> Result<(), Trouble> {
        // Either may be dropped: nothing is under way.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(self.break_off(Break::Stopped).await),
            () = tokio::time::sleep(pause) => Ok(()),
        }
    }

    /// Judges a receipt and keeps it. What proves that the centre's log is one log is asked for where it is missing.
    async fn receive(&mut self, answer: ReceiptAnswer) -> Result<(), Trouble> {
        let (answer, asked_from) = (Arc::new(answer), self.asked_from.clone());
        let mut proofs = Vec::new();
        loop {
            let (verifier, crls) = (Arc::clone(&self.desk.verifier), self.desk.crls.clone());
            let brought = Brought {
                answer: Arc::clone(&answer),
                asked_from: asked_from.clone(),
                proofs: proofs.clone(),
            };
            let received = self
                .write(move |store, transfer| {
                    ending::received(store, transfer, &brought, verifier.as_ref(), &crls)
                })
                .await;
            match received {
                Ok(receipt) => {
                    self.progress.event(&ProgressEvent::Received { at: receipt.received_at });
                    self.tell_clock();
                    return Ok(());
                }
                Err(SendError::CentreLog(CentreLogFault::NoConsistency { from, to }))
                    if proofs.len() < LOG_PROOFS_MAX =>
                {
                    proofs.push(self.proof(from, to).await?);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Keeps a refusal, and says what it means for whoever wanted the file to arrive.
    async fn refuse(&mut self, text: String) -> SendError {
        let verifier = Arc::clone(&self.desk.verifier);
        let refused = self
            .write(move |store, transfer| ending::refused(store, transfer, &text, verifier.as_ref()))
            .await;
        let (id, refusal) = (self.transfer.id(), self.transfer.file(REFUSAL));
        match refused {
            Ok(refused) if refused.as_asked => SendError::Cancelled { id },
            Ok(RefusedFor { reason: problem, fault, earlier, .. }) => {
                self.progress.event(&ProgressEvent::Refused { problem });
                self.tell_clock();
                SendError::Refused { id, problem, fault, earlier, refusal }
            }
            Err(error) => error,
        }
    }

    fn tell_clock(&self) {
        if let Some(off_ms) = self.transfer.record.clock_off_ms {
            self.progress.event(&ProgressEvent::ClockOff { off_ms });
        }
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

#[cfg(test)]
mod line_tests;
#[cfg(test)]
mod tests;
