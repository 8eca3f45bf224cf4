//! Learning where the centre stands: the question, the offer, and the small requests both are made of.

use hyper::Request;
use protocol::{
    problem::Problem,
    wire::{Offer, State},
};

use super::{Drive, journal, known::Known, trouble::Trouble};
use crate::{
    line::{
        Answer, Break, Line, RequestBody,
        requests::{self, Reply},
    },
    progress::ProgressEvent,
    store::StoreFault,
};

impl Drive<'_> {
    /// Asks if the centre has ever answered an offer of this transfer, otherwise offers it.
    pub(super) async fn learn(&mut self) -> Result<Known, Trouble> {
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
        Err(self.break_off(Break::BadAnswer("it is no answer to an offer")).await)
    }

    async fn offer_from(&self, from: Option<u64>) -> Result<Offer, StoreFault> {
        let (manifest, to) = (self.transfer.manifest_text.clone(), journal::shown_size(&self.transfer));
        self.read(move |store| {
            let consistency = from.zip(to).and_then(|(from, to)| store.log.consistency(from, to));
            Ok(Offer { manifest, consistency })
        })
        .await
    }

    pub(super) async fn known(&mut self, state: State) -> Result<Known, Trouble> {
        let known = Known::of(state, self.transfer.manifest.length);
        self.understand(known).await
    }

    pub(super) async fn understand<T>(&mut self, answer: Result<T, Break>) -> Result<T, Trouble> {
        match answer {
            Ok(understood) => Ok(understood),
            Err(broken) => Err(self.break_off(broken).await),
        }
    }

    /// A small request and its answer. What breaks is on record when this returns.
    pub(super) async fn exchange(&mut self, request: Request<RequestBody>) -> Result<Answer, Trouble> {
        match self.try_exchange(request).await {
            Ok(answer) => Ok(answer),
            Err(broken) => Err(self.break_off(broken).await),
        }
    }

    /// The same, with nothing on record.
    pub(super) async fn try_exchange(&mut self, request: Request<RequestBody>) -> Result<Answer, Break> {
        let stop = self.stop;
        let exchanged = match self.connect().await {
            Ok(line) => line.exchange(request, stop, || ()).await,
            Err(broken) => Err(broken),
        };
        if exchanged.is_err() {
            self.line = None;
        }
        exchanged
    }

    /// The line that is there, or a new one.
    pub(super) async fn connect(&mut self) -> Result<&mut Line, Break> {
        let line = match self.line.take().filter(Line::is_open) {
            Some(line) => line,
            None => {
                self.progress.event(&ProgressEvent::Connecting);
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Err(Break::Stopped),
                    dialled = self.desk.dialer.dial() => dialled?,
                }
            }
        };
        Ok(self.line.insert(line))
    }

    /// The size of the centre's log that was last verified.
    pub(super) async fn log_seen(&self) -> Result<Option<u64>, StoreFault> {
        let receiver = self.transfer.manifest.receiver.clone();
        self.read(move |store| {
            let latest = store.centre(&receiver).and_then(|centre| centre.latest());
            Ok(latest.and_then(|seen| seen.checkpoint.lines().nth(1)?.parse().ok()))
        })
        .await
    }
}
