//! One direction of one connection: read ahead into a bounded queue, pass the gate, forward.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    gate::Gate,
    plan::{Fault, Way},
    status::Board,
};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Chunks between reading and forwarding: what a delayed line holds, 1 MiB.
const CHUNKS_MAX: usize = 16;

/// How a lane ends a whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// FIN to both ends.
    Fin,
    /// RST to both ends.
    Reset,
}

/// What was read, in its order.
enum Read {
    Bytes { bytes: Vec<u8>, due: Instant },
    End,
    Broken,
}

/// One direction of one connection, and what goes wrong in it.
pub(super) struct Lane<'a> {
    way: Way,
    connection: u64,
    gate: Gate<'a>,
    board: &'a Board,
    /// Faults that happen at a place, in the order of their places.
    places: Vec<(u64, Fault)>,
    flips: Vec<u64>,
    delay: Duration,
    bytes_per_second: Option<u64>,
    passed: u64,
    next_write: Instant,
}

impl<'a> Lane<'a> {
    pub(super) fn new(way: Way, connection: u64, faults: &[Fault], gate: Gate<'a>, board: &'a Board) -> Self {
        let mut lane = Lane {
            way,
            connection,
            gate,
            board,
            places: Vec::new(),
            flips: Vec::new(),
            delay: Duration::ZERO,
            bytes_per_second: None,
            passed: 0,
            next_write: Instant::now(),
        };
        for fault in faults {
            match *fault {
                Fault::Fin { after }
                | Fault::Reset { after }
                | Fault::Silence { after }
                | Fault::Stall { after } => lane.places.push((after, *fault)),
                Fault::Flip { at } => lane.flips.push(at),
                Fault::Throttle { bytes_per_second } => lane.bytes_per_second = Some(bytes_per_second.get()),
                Fault::Delay { by } => lane.delay = by,
            }
        }
        // The next one stands at the end.
        lane.places.sort_by_key(|(after, _)| std::cmp::Reverse(*after));
        lane
    }

    /// Carries everything until the source ends; an error ends the connection as a whole.
    pub(super) async fn run(
        mut self,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
    ) -> Result<(), Cut> {
        let (queue, read) = mpsc::channel(CHUNKS_MAX);
        let reading = read_ahead(from, queue, self.delay, std::mem::take(&mut self.flips));
        let forwarding = async {
            let mut read = read;
            let result = self.forward(&mut read, to).await;
            if result.is_ok() {
                // A target that reads no more: what still comes is thrown away, so that the source does not wait.
                while read.recv().await.is_some() {}
            }
            result
        };
        tokio::pin!(forwarding);
        // A cut must not wait for a source that says nothing more.
        tokio::select! {
            biased;
            result = &mut forwarding => result,
            () = reading => forwarding.await,
        }
    }

    async fn forward(
        &mut self,
        read: &mut mpsc::Receiver<Read>,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Cut> {
        loop {
            self.reach_places()?;
            let (bytes, due) = match read.recv().await {
                Some(Read::Bytes { bytes, due }) => (bytes, due),
                Some(Read::End) | None => {
                    self.gate.open().await;
                    // A target that is gone already needs no FIN.
                    let _ = to.shutdown().await;
                    return Ok(());
                }
                Some(Read::Broken) => {
                    self.gate.open().await;
                    return Err(Cut::Reset);
                }
            };
            sleep_until(due).await;
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                self.reach_places()?;
                self.gate.open().await;
                sleep_until(self.next_write).await;
                let limit = self.next_bytes_max().min(rest.len());
                let piece = rest.get(..limit).unwrap_or_default();
                // Cancel-safe: a write that is dropped has written nothing.
                let written = tokio::select! {
                    biased;
                    () = self.gate.closed() => continue,
                    written = to.write(piece) => written,
                };
                match written {
                    Ok(count @ 1..) => {
                        rest = rest.get(count..).unwrap_or_default();
                        self.note(count);
                    }
                    // The target reads no more. What it still says goes the other way, so that lane ends first.
                    Ok(0) | Err(_) => return Ok(()),
                }
            }
        }
    }

    /// Lets happen what happens at this place.
    fn reach_places(&mut self) -> Result<(), Cut> {
        while let Some((_, fault)) = self.places.pop_if(|(after, _)| *after <= self.passed) {
            match fault {
                Fault::Fin { .. } => return Err(Cut::Fin),
                Fault::Reset { .. } => return Err(Cut::Reset),
                fault => {
                    self.gate.hold(matches!(fault, Fault::Silence { .. }));
                    self.board.stalled(Some(self.connection));
                }
            }
        }
        Ok(())
    }

    /// As far as the next place, and no more than a tenth of a second's bytes.
    fn next_bytes_max(&self) -> usize {
        let place = self.places.last().map_or(u64::MAX, |(after, _)| after - self.passed);
        let pace = self.bytes_per_second.map_or(u64::MAX, |rate| (rate / 10).max(1));
        usize::try_from(place.min(pace)).unwrap_or(usize::MAX)
    }

    fn note(&mut self, count: usize) {
        self.passed = self.passed.saturating_add(count as u64);
        if let Some(rate) = self.bytes_per_second {
            let now = Instant::now();
            let nanos = (count as u64).saturating_mul(1_000_000_000) / rate;
            self.next_write = self.next_write.max(now) + Duration::from_nanos(nanos);
        }
        self.board.forwarded(self.way, count);
    }
}

async fn read_ahead(
    mut from: impl AsyncRead + Unpin,
    queue: mpsc::Sender<Read>,
    delay: Duration,
    flips: Vec<u64>,
) {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut position = 0u64;
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => Read::End,
            Ok(count) => {
                let mut bytes = buffer.get(..count).unwrap_or_default().to_vec();
                for at in &flips {
                    let inside = at.checked_sub(position).and_then(|at| usize::try_from(at).ok());
                    if let Some(byte) = inside.and_then(|at| bytes.get_mut(at)) {
                        *byte ^= 1;
                    }
                }
                position += count as u64;
                Read::Bytes { bytes, due: Instant::now() + delay }
            }
            Err(_) => Read::Broken,
        };
        let over = !matches!(read, Read::Bytes { .. });
        if queue.send(read).await.is_err() || over {
            return;
        }
    }
}
