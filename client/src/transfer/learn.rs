//! Learning where the centre stands: the question, the offer, and the small requests both are made of.

use hyper::Request;
use protocol::{
    problem::Problem,
    wire::{Offer, State},
};

use super::{Drive, journal, known::Known, trouble::Trouble};
use crate::{
    centre_log::{Proof, SeenLog},
    error::SendError,
    line::{
        Answer, Break, ContentLine, Line, RequestBody,
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

    /// Offers the manifest, with the proof that our log continues what the centre has seen of it. One offer at a time:
    /// another one in between would show the centre another head than the one that the proof is about.
    async fn offer(&mut self) -> Result<Known, Trouble> {
        // Whatever is wrong with the line holds up nobody else.
        if let Err(broken) = self.connect().await {
            return Err(self.break_off(broken).await);
        }
        let desk = self.desk;
        let _turn = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(self.break_off(Break::Stopped).await),
            turn = desk.offering.lock() => turn,
        };
        // Another transfer may have found out meanwhile.
        desk.refuse_fork().await?;
        let receiver = self.transfer.manifest.receiver.clone();
        let shown =
            self.read(move |store| Ok(store.centre(&receiver).and_then(|centre| centre.shown))).await?;
        // A manifest made before another one shows an older head than the centre may have seen; which it has seen, only
        // the centre knows.
        let mut from = shown.filter(|shown| Some(*shown) <= journal::shown_size(&self.transfer));
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
                Reply::Turned(turned) if turned.problem == Problem::LogProofNeeded => {
                    self.refuse_log_behind(turned.log_size).await?;
                    if last {
                        return Err(self.turned(turned).await);
                    }
                    from = turned.log_size;
                }
                Reply::Turned(turned) => return Err(self.turned(turned).await),
                Reply::Checking(_) => break,
            }
        }
        Err(self.break_off(Break::BadAnswer("it is no answer to an offer")).await)
    }

    /// A log that the centre has seen longer than it is here can prove nothing, today or later.
    async fn refuse_log_behind(&self, seen: Option<u64>) -> Result<(), Trouble> {
        let here = self.read(|store| Ok(store.log.size())).await?;
        match seen {
            Some(seen) if seen > here => Err(Trouble::Final(SendError::LogBehind { seen, here })),
            _ => Ok(()),
        }
    }

    /// The offer, with the proof that the head in the manifest and the one of `from` entries are of one log, whichever is
    /// the longer.
    async fn offer_from(&self, from: Option<u64>) -> Result<Offer, StoreFault> {
        let (manifest, to) = (self.transfer.manifest_text.clone(), journal::shown_size(&self.transfer));
        self.read(move |store| {
            let sizes = from.zip(to);
            let consistency =
                sizes.and_then(|(seen, shown)| store.log.consistency(seen.min(shown), seen.max(shown)));
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
        let line = match self.line.take() {
            Some(line) if line.is_open() => line,
            closed => {
                // One that waited unused may have been closed for a reason that another would only meet again.
                if let Some(mut line) = closed
                    && let Some(refusal) = line.refusal().await
                {
                    return Err(refusal);
                }
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

    /// A line for so many bytes of content: the one that is there for little of it, and for much one that the centre serves by
    /// its engine for content, if it has one. The one that was there goes then: a running transfer has one connection.
    pub(super) async fn connect_for_content(&mut self, bytes: u64) -> Result<(), Break> {
        if bytes < self.desk.own_line_from {
            return self.connect().await.map(|_| ());
        }
        self.line = None;
        self.progress.event(&ProgressEvent::Connecting);
        let dialled = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Err(Break::Stopped),
            dialled = self.desk.dialer.dial_for_content() => dialled?,
        };
        match dialled {
            ContentLine::Bulk(bulk) => self.bulk = Some(bulk),
            ContentLine::Usual(line) => self.line = Some(line),
        }
        Ok(())
    }

    /// The size of the centre's log that was last verified. The next answer must continue what it is now.
    pub(super) async fn log_seen(&mut self) -> Result<Option<u64>, StoreFault> {
        let receiver = self.transfer.manifest.receiver.clone();
        self.asked_from = self
            .read(move |store| Ok(store.centre(&receiver).and_then(|centre| centre.latest()).cloned()))
            .await?;
        Ok(self.asked_from.as_ref().and_then(SeenLog::size))
    }

    /// Asks for a proof about the centre's log.
    pub(super) async fn proof(&mut self, from: u64, to: u64) -> Result<Proof, Trouble> {
        let answer = self.exchange(requests::prove(from, to)).await?;
        let hashes = match self.understand(requests::proved(&answer)).await? {
            Reply::Done(proved) if proved.from == from => Some(proved.proof),
            // The documented answer about sizes that its log never had.
            Reply::Turned(turned) if turned.problem == Problem::BadRequest => None,
            Reply::Turned(turned) => return Err(self.turned(turned).await),
            Reply::Done(_) | Reply::Checking(_) => {
                return Err(self.break_off(Break::BadAnswer("it is not the proof asked for")).await);
            }
        };
        Ok(Proof { from, to, hashes })
    }
}
