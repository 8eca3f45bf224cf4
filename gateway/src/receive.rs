//! One attempt: from the permission to send to the durable receipt, each step a value that proves the one before.
//!
//! [`TransferPermit`] → [`Receiving`] → [`Whole`] → [`commit::Acceptable`] → [`commit::Kept`] → a committed transfer. Small
//! content takes a shorter way, with fewer syncs and changes of thread: [`Receiving`] → [`Gathered`] → [`commit::Kept`]; it
//! is checked in memory and stored after that, and its attempt goes on record with its outcome. The whole of it runs in a
//! task of its own: a connection that is lost while content is checked or committed changes nothing about either.

use std::sync::Arc;

use protocol::{
    cause::Cause,
    entry::{Entry, Event},
    kind::System,
    limits::PIECE_BYTES,
    moment::Moment,
    party::Party,
    permission::Action,
    problem::Problem,
    receiver::{Input, Phase},
    statement::Manifest,
    transfer_id::TransferKey,
};
use storage::{
    ledger::LedgerFault,
    spool::SMALL_CONTENT_MAX,
    transfer::{Guard, Transfer},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::{
    abort::{abort, abort_on_fault, blocking, problem_of, turn_step},
    attempts::Place,
    body::BodySource,
    centre::Centre,
    commit,
    intake::{Deadlines, Shortfall, gather_content, take_content},
    peer::{Peer, TransferPermit},
    per_minute::PerMinute,
    pieces::{Piece, Pieces},
    refusal,
    room::Promise,
    sink::{Sink, SinkFault},
    steps,
    turned::Turned,
};

/// A request to send, as far as its head tells.
pub struct Sending {
    /// First byte of the content in the request.
    pub offset: u64,
    /// Bytes the request will bring.
    pub declared: u64,
}

/// What whoever waits for an attempt learns before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Every byte is durable; only check and commit are left.
    Whole,
    /// It ends early; what came is still being made durable.
    Ended(Problem),
}

/// Tells it, once.
pub struct Teller(Option<oneshot::Sender<Told>>);

impl Teller {
    /// Tells this waiter.
    pub fn new(waiter: oneshot::Sender<Told>) -> Self {
        Teller(Some(waiter))
    }

    fn tell(&mut self, told: Told) {
        if let Some(waiter) = self.0.take() {
            // Nobody may be waiting any more; the work goes on.
            let _ = waiter.send(told);
        }
    }
}

/// An attempt that may take content.
pub struct Receiving {
    /// The transfer as it was when the attempt began.
    pub transfer: Transfer,
    /// What it promises.
    pub manifest: Arc<Manifest>,
    /// The attempt's number.
    pub attempt: u32,
    /// What the log will say of its beginning, while that is not on record.
    pub beginning: Option<Entry>,
    /// When it began.
    pub began: Moment,
    /// Who sends.
    pub peer: Peer,
    place: Place,
    _slot: OwnedSemaphorePermit,
    room: Arc<Promise>,
}

impl Receiving {
    /// Puts on record that the attempt began, if that is not there yet: to be called before anything else is put there of it
    /// than that it was committed at once. It fences every older attempt; that there is no newer one its place sees to.
    pub async fn put_on_record(&mut self, centre: &Centre) -> Result<(), LedgerFault> {
        let Some(beginning) = &self.beginning else { return Ok(()) };
        let offset = beginning.offset.unwrap_or_default();
        let step = steps::logged(Input::Attempt { offset }, beginning.clone());
        // Its act of ending an older attempt is done: the place was free.
        let stepped = centre.ledger.step(&self.transfer.key, step).await;
        self.transfer = stepped.inspect_err(|fault| centre.note_fault(fault))?.transfer;
        self.attempt = self.transfer.state.attempt;
        self.beginning = None;
        Ok(())
    }

    /// Was the certificate or the right behind it withdrawn? Then it is not committed, however whole its content is.
    pub fn is_withdrawn(&self) -> bool {
        !self.guard().allows()
    }

    /// Asks the same for the ledger, at the moment when it takes the step.
    pub fn guard(&self) -> Guard {
        let (connection, attempt) = (self.peer.stop().clone(), self.place.stop.clone());
        Guard::new(move || connection.told().is_none() && attempt.told() != Some(Cause::Revoked))
    }

    /// Opens the sink for what comes from `offset` on, on a thread that may block.
    pub fn opening(
        &self,
        centre: &Centre,
        offset: u64,
    ) -> impl FnOnce() -> Result<Sink, SinkFault> + Send + use<> {
        let (key, manifest, attempt) = (self.transfer.key.clone(), Arc::clone(&self.manifest), self.attempt);
        let (means, room) = (centre.means(), Arc::clone(&self.room));
        move || Sink::open(key, manifest, attempt, offset, means, room)
    }
}

/// An attempt that brought every byte; all of it is durable, and on record as such.
pub struct Whole {
    receiving: Receiving,
    sink: Sink,
    received_at: Moment,
}

impl Whole {
    /// The attempt, its content (not yet under its lasting name), and when the last byte came.
    pub fn into_parts(self) -> (Receiving, Sink, Moment) {
        (self.receiving, self.sink, self.received_at)
    }
}

/// An attempt that brought every byte of small content; nothing of it is stored yet.
pub struct Gathered {
    receiving: Receiving,
    pieces: Vec<Piece>,
    received_at: Moment,
}

impl Gathered {
    /// The attempt, its content, and when the last byte came.
    pub fn into_parts(self) -> (Receiving, Vec<Piece>, Moment) {
        (self.receiving, self.pieces, self.received_at)
    }
}

/// An attempt at small content begins at its first byte, since every offset below a piece is rounded down to that; and its
/// gathering may hold a piece of it back.
const _: () = assert!(SMALL_CONTENT_MAX < PIECE_BYTES);

/// Receives, checks and commits.
pub async fn receive(
    centre: Arc<Centre>,
    permit: TransferPermit,
    sending: Sending,
    body: impl BodySource,
    mut teller: Teller,
) -> Result<Transfer, Turned> {
    let receiving = begin(&centre, permit, &sending).await?;
    let kept = if receiving.manifest.length <= SMALL_CONTENT_MAX {
        let gathered = gather(&centre, receiving, body, &mut teller).await?;
        commit::check_and_keep(&centre, gathered).await.inspect(|_| teller.tell(Told::Whole))?
    } else {
        let whole = take(&centre, receiving, sending.offset, body, &mut teller).await?;
        teller.tell(Told::Whole);
        let acceptable = commit::check(&centre, whole).await?;
        commit::keep(&centre, acceptable).await?
    };
    commit::commit(&centre, kept).await
}

/// Takes the place of the transfer's attempt and gives it its number. That it began is on record when this returns, unless
/// it is for small content: of that nothing is durable before it is committed, and one transaction does for both.
async fn begin(centre: &Arc<Centre>, permit: TransferPermit, sending: &Sending) -> Result<Receiving, Turned> {
    let (peer, key) = (permit.peer().clone(), permit.key());
    let limits = centre.in_force().config.limits.clone();
    // First of all: each attempt costs rows, entries and syncs, whatever it brings.
    let (now, max) = (pki::clock::now(), limits.attempts_per_sender_per_minute_max);
    if !centre.attempts_begun.may_up_to(max, key.sender.clone(), now) {
        return Err(Turned::too_many_attempts(PerMinute::<Party>::next_in(now)));
    }
    may_take_work(centre)?;
    let slot = Arc::clone(&centre.slots).try_acquire_owned().map_err(|_| Problem::TooMany)?;
    let found = centre.ledger.find(key).await?.ok_or(Problem::NotFound)?;
    let manifest = Arc::new(refusal::manifest(&found)?);
    may_begin(centre, &found, sending)?;
    let room = centre.room.promise(sending.declared, &limits).ok_or(Problem::StorageFull)?;
    let room = Arc::new(room);
    // From here on the older attempt ends. A drain that began meanwhile has told it, and not yet this one; a withdrawal
    // likewise.
    let of_identity_max = limits.transfers_per_identity_max;
    let place = centre.attempts.take_place(key, peer.identity(), peer.connection(), of_identity_max).await;
    let place = place.ok_or(Problem::TooMany)?;
    may_take_work(centre)?;
    may_still_send(centre, &peer, key)?;
    // What an older attempt left behind when it ended.
    let mut found = centre.ledger.find(key).await?.ok_or(Problem::NotFound)?;
    if found.state.phase == Phase::Checking {
        let restart = steps::unlogged(Input::Restart, pki::clock::now());
        found = centre.step(key, restart).await.map_err(turn_step)?.transfer;
    }
    let entry = centre.transfer_entry(Event::AttemptBegan, &found, Some(&peer));
    let mut receiving = Receiving {
        attempt: found.state.attempt.saturating_add(1),
        began: entry.time,
        beginning: Some(Entry { offset: Some(sending.offset), ..entry }),
        transfer: found,
        manifest,
        peer,
        place,
        _slot: slot,
        room,
    };
    if receiving.manifest.length <= SMALL_CONTENT_MAX {
        let attempt = Input::Attempt { offset: sending.offset };
        receiving.transfer.state.step(attempt).map_err(|fault| turn_step(LedgerFault::Step(fault)))?;
    } else {
        receiving.put_on_record(centre).await.map_err(turn_step)?;
    }
    let Receiving { transfer, attempt, .. } = &receiving;
    tracing::info!(transfer = %transfer.key, attempt, offset = sending.offset, "attempt began");
    Ok(receiving)
}

fn may_take_work(centre: &Centre) -> Result<(), Problem> {
    if centre.stopping.is_cancelled() {
        return Err(Problem::Draining);
    }
    if centre.spool.is_poisoned() { Err(Problem::StorageFailed) } else { Ok(()) }
}

/// Certificate and right may have been withdrawn since the request was permitted, and its attempt was not there yet to
/// be ended with them.
fn may_still_send(centre: &Centre, peer: &Peer, key: &TransferKey) -> Result<(), Problem> {
    if centre.blocked.names(&key.sender) {
        return Err(Problem::Blocked);
    }
    peer.permit(&centre.in_force(), System::Claims, Action::Send).map(drop)
}

/// What can be said without ending an attempt that may be running.
fn may_begin(centre: &Centre, transfer: &Transfer, sending: &Sending) -> Result<(), Turned> {
    match transfer.state.phase {
        Phase::Offered | Phase::Receiving | Phase::Aborted(_) => {}
        // Without a running attempt the check broke down, and the transfer waits for somebody to say so.
        Phase::Checking if !centre.attempts.is_running(&transfer.key) => {}
        Phase::Checking => return Err(Problem::Busy.into()),
        Phase::Refused(reason) => return Err(Turned::refused(transfer, reason)),
        Phase::Committed => return Err(Problem::AlreadyFinal.into()),
    }
    if sending.offset.checked_add(sending.declared) != Some(transfer.length) {
        return Err(Problem::LengthMismatch.into());
    }
    Ok(())
}

/// Takes the content in and makes it durable.
async fn take(
    centre: &Arc<Centre>,
    receiving: Receiving,
    offset: u64,
    mut body: impl BodySource,
    teller: &mut Teller,
) -> Result<Whole, Turned> {
    let sink = match blocking(receiving.opening(centre, offset)).await {
        Ok(sink) => sink,
        Err(fault) => return Err(abort_on_fault(centre, receiving, fault).await),
    };
    let deadlines = deadlines(centre);
    let cut = |cause| teller.tell(Told::Ended(problem_of(cause)));
    let ends = receiving.peer.ends;
    let (sink, result) = take_content(&mut body, sink, ends, deadlines, &receiving.place.stop, cut).await;
    match (sink, result) {
        (Some(sink), Ok(received_at)) => whole(centre, receiving, sink, received_at).await,
        (sink, Err(Shortfall::Cut(cause))) => Err(abort(centre, receiving, sink, cause).await),
        (sink, Err(Shortfall::Sink(fault))) => {
            drop(sink);
            Err(abort_on_fault(centre, receiving, fault).await)
        }
        (None, Ok(_)) => Err(abort(centre, receiving, None, Cause::StorageFailed).await),
    }
}

/// Takes small content in, into memory alone: after a cut nothing of it is durable.
async fn gather(
    centre: &Arc<Centre>,
    receiving: Receiving,
    mut body: impl BodySource,
    teller: &mut Teller,
) -> Result<Gathered, Turned> {
    let (length, ends) = (receiving.manifest.length, receiving.peer.ends);
    let pieces = Pieces::new(centre.buffers.clone(), length);
    match gather_content(&mut body, pieces, ends, deadlines(centre), &receiving.place.stop).await {
        Ok((pieces, received_at)) => Ok(Gathered { receiving, pieces, received_at }),
        Err(cause) => {
            teller.tell(Told::Ended(problem_of(cause)));
            Err(abort(centre, receiving, None, cause).await)
        }
    }
}

fn deadlines(centre: &Centre) -> Deadlines {
    let in_force = centre.in_force();
    let link = &in_force.config.link;
    Deadlines {
        stall_max: link.stall_max,
        storage_max: link.detect_max / 2,
        bytes_per_second_min: link.min_rate_bytes_per_second,
    }
}

/// Puts on record that every byte is here and durable.
async fn whole(
    centre: &Arc<Centre>,
    receiving: Receiving,
    sink: Sink,
    received_at: Moment,
) -> Result<Whole, Turned> {
    let step = steps::unlogged(Input::Whole { attempt: receiving.attempt }, received_at);
    centre.step(&receiving.transfer.key, step).await.map_err(turn_step)?;
    Ok(Whole { receiving, sink, received_at })
}

/// An attempt's task broke down: the transfer must not wait for it.
pub async fn recover_lost_attempt(centre: &Arc<Centre>, key: &TransferKey) {
    tracing::error!(transfer = %key, "an attempt ended unexpectedly");
    let restart = steps::unlogged(Input::Restart, pki::clock::now());
    if let Err(fault) = centre.step(key, restart).await {
        tracing::error!(transfer = %key, fault = %crate::chain::chain(&fault), "it could not be put on record");
    }
}
