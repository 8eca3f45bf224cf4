//! Taking content in: from the line into the sink, under every deadline of the link (guideline II.5(8)).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use pki::platform::{PeerKernel, far_end};
use protocol::{cause::Cause, moment::Moment};
use tokio::{sync::mpsc, time::timeout};

use crate::{
    body::{BodyFault, BodySource, Filled},
    pace::Pace,
    pieces::{PIECES, Piece, Pieces},
    sink::{Arrival, Sink, SinkFault},
    stop::Stop,
};

/// Both ends of a TCP connection, as the kernel names them.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// The peer's, or that of the balancer in front of us.
    pub remote: SocketAddr,
    /// Where the connection comes from: the peer's end, or what the balancer says.
    pub source: SocketAddr,
}

/// The deadlines that content is taken in under.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Nothing came for this long: the attempt is given up.
    pub stall_max: Duration,
    /// The spool took nothing for this long. Half of `detect_max`: later the sender's kernel would take the line for
    /// dead.
    pub storage_max: Duration,
    /// Below this rate over `stall_max` an attempt is given up.
    pub bytes_per_second_min: u64,
}

/// How content ended short.
#[derive(Debug)]
pub enum Shortfall {
    /// The attempt was cut; what the sink holds may serve the next one.
    Cut(Cause),
    /// The sink could not go on.
    Sink(SinkFault),
}

/// Brings the content of one request into the sink. Returns the sink, with everything that came in it, and how it
/// ended: if all content came and is durable, when its last byte came; no sink when its thread broke down.
///
/// `cut` is told as soon as reading ends early. Not cancel-safe: runs in a task of its own, which a lost connection does
/// not drop.
pub async fn take_content<B: BodySource>(
    body: &mut B,
    sink: Sink,
    ends: Ends,
    deadlines: Deadlines,
    stop: &Stop,
    cut: impl FnOnce(Cause),
) -> (Option<Sink>, Result<Moment, Shortfall>) {
    let (full, arrivals) = mpsc::channel::<Arrival>(PIECES);
    let mut pieces = sink.pieces();
    let runtime = tokio::runtime::Handle::current();
    let writing = tokio::task::spawn_blocking(move || {
        let mut sink = sink;
        let result = sink.take_all(arrivals, &runtime);
        (sink, result)
    });
    let reading = read_all(body, &full, &mut pieces, ends, deadlines, stop).await.map(|()| pki::clock::now());
    match reading {
        // If the sink ended early it will say why.
        Ok(_) => drop(full.send(Arrival::Whole).await),
        // The sender is told now: a disk that hangs may keep the thread for long.
        Err(cause) => cut(cause),
    }
    drop(full);
    match writing.await {
        Ok((sink, Ok(()))) => (Some(sink), reading.map_err(Shortfall::Cut)),
        Ok((sink, Err(fault))) => (Some(sink), Err(Shortfall::Sink(fault))),
        // The thread is gone and with it the sink.
        Err(_) => (None, Err(Shortfall::Cut(Cause::StorageFailed))),
    }
}

/// Gathers the content of one request in memory. Returns it, with when its last byte came. All of it must fit into the pieces:
/// nobody gives them back meanwhile.
///
/// Not cancel-safe, as [`take_content`].
pub async fn gather_content<B: BodySource>(
    body: &mut B,
    mut pieces: Pieces,
    ends: Ends,
    deadlines: Deadlines,
    stop: &Stop,
) -> Result<(Vec<Piece>, Moment), Cause> {
    let (full, mut arrivals) = mpsc::channel::<Arrival>(PIECES);
    read_all(body, &full, &mut pieces, ends, deadlines, stop).await?;
    let received_at = pki::clock::now();
    let mut gathered = Vec::with_capacity(PIECES);
    while let Ok(Arrival::Piece(piece)) = arrivals.try_recv() {
        gathered.push(piece);
    }
    Ok((gathered, received_at))
}

async fn read_all<B: BodySource>(
    body: &mut B,
    full: &mpsc::Sender<Arrival>,
    pieces: &mut Pieces,
    ends: Ends,
    deadlines: Deadlines,
    stop: &Stop,
) -> Result<(), Cause> {
    let mut pace = Pace::new(deadlines.bytes_per_second_min, deadlines.stall_max, Instant::now());
    loop {
        let mut piece = match timeout(deadlines.storage_max, pieces.next()).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return Err(Cause::StorageFailed),
            Err(_) => return Err(Cause::StorageStalled),
        };
        let end = fill_piece(body, &mut piece, &mut pace, ends, deadlines, stop, full).await;
        // The sink may have ended early, and will say why.
        if !piece.bytes().is_empty() && full.send(Arrival::Piece(piece)).await.is_err() {
            return Err(Cause::StorageFailed);
        }
        match end {
            Ok(Filled::Bytes(_)) => {}
            Ok(Filled::Complete) => return Ok(()),
            Err(cause) => return Err(cause),
        }
    }
}

/// Fills one piece as far as content comes; bytes that came before an end still count.
async fn fill_piece<B: BodySource>(
    body: &mut B,
    piece: &mut Piece,
    pace: &mut Pace,
    ends: Ends,
    deadlines: Deadlines,
    stop: &Stop,
    full: &mpsc::Sender<Arrival>,
) -> Result<Filled, Cause> {
    while !piece.room().is_empty() {
        // Each may be dropped at any time without loss.
        let filled = tokio::select! {
            biased;
            cause = stop.stopped() => return Err(cause),
            // The sink ended early, and will say why.
            () = full.closed() => return Err(Cause::StorageFailed),
            filled = timeout(deadlines.stall_max, body.fill(piece.room())) => filled,
        };
        match filled {
            Ok(Ok(Filled::Bytes(count))) => {
                piece.filled(count);
                if !pace.fast_enough(count, Instant::now()) {
                    return Err(Cause::TooSlow);
                }
            }
            Ok(Ok(Filled::Complete)) => return Ok(Filled::Complete),
            Ok(Err(BodyFault::Cut(cause))) => return Err(cause),
            Ok(Err(BodyFault::TooLong)) => return Err(Cause::LengthMismatch),
            Err(_) => return Err(silence(ends).await),
        }
    }
    Ok(Filled::Bytes(piece.bytes().len()))
}

/// Nothing came for `stall_max`: a dead line, if the peer's kernel is silent too, else a stalled peer.
async fn silence(ends: Ends) -> Cause {
    // The answer is read from a table of all connections.
    let asked = tokio::task::spawn_blocking(move || far_end(ends.local, ends.remote).kernel).await;
    match asked {
        Ok(PeerKernel::Silent) => Cause::LinkLost,
        Ok(PeerKernel::Answers | PeerKernel::Unknown) | Err(_) => Cause::Stalled,
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
