//! The writing end of an attempt: spool, digest and claims check, on threads that may block.
//!
//! Pieces come over a bounded channel, and there are only so many of them, so that memory for one transfer is a few pieces
//! whatever the file's size.

use std::{io::Read as _, sync::Arc};

use protocol::{
    limits::{DURABLE_OFFSET_EVERY, PIECE_BYTES},
    receiver::Input,
    statement::Manifest,
    transfer_id::TransferKey,
};
use storage::{
    buffers::Buffers,
    ledger::{Ledger, LedgerFault},
    spool::{Spool, SpoolFault, SpoolWriter},
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, mpsc},
};

use crate::{
    content::{Seen, Watcher},
    limits::PREFIX_HASHED_FIRST_MAX,
    pieces::{Piece, Pieces},
    room::Promise,
    steps,
    watching::{HasherLost, Watching},
};

/// What comes from the line.
pub enum Arrival {
    /// More content.
    Piece(Piece),
    /// All of it is here. Without this at its end, the content was cut.
    Whole,
}

/// What sinks need, whosever content they take.
#[derive(Clone)]
pub struct Means {
    /// Where content goes.
    pub spool: Arc<dyn Spool>,
    /// Where offsets go.
    pub ledger: Arc<dyn Ledger>,
    /// Buffers for pieces.
    pub buffers: Buffers,
    /// A permit for each core that may hash beside.
    pub cores: Arc<Semaphore>,
}

/// Why nothing more could be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkFault {
    /// The spool failed, or a newer attempt fenced this one.
    #[error("the content could not be stored")]
    Spool(#[from] SpoolFault),
    /// The ledger failed, or a newer attempt fenced this one.
    #[error("the progress of the transfer could not be recorded")]
    Ledger(#[from] LedgerFault),
    /// The thread that wrote broke down.
    #[error("the writing thread ended unexpectedly")]
    ThreadLost,
    /// The thread that hashed did.
    #[error(transparent)]
    HasherLost(#[from] HasherLost),
}

/// Where the content of one attempt goes.
pub struct Sink {
    key: TransferKey,
    manifest: Arc<Manifest>,
    attempt: u32,
    means: Means,
    room: Arc<Promise>,
    writer: Box<dyn SpoolWriter>,
    /// Absent when all content is to be read back at the end.
    watcher: Option<Watcher>,
    written: u64,
    durable: u64,
}

impl Sink {
    /// Opens the spool for this attempt, and reads the prefix back that an earlier one left. Blocks.
    pub fn open(
        key: TransferKey,
        manifest: Arc<Manifest>,
        attempt: u32,
        offset: u64,
        means: Means,
        room: Arc<Promise>,
    ) -> Result<Self, SinkFault> {
        let writer = means.spool.begin(&key, attempt, offset, manifest.length)?;
        let mut sink = Sink {
            key,
            manifest,
            attempt,
            means,
            room,
            writer,
            watcher: None,
            written: offset,
            durable: offset,
        };
        if offset == 0 {
            sink.watcher = Some(Watcher::new(&sink.manifest));
        } else if offset <= PREFIX_HASHED_FIRST_MAX {
            sink.watcher = Some(sink.read_back(offset)?);
        }
        Ok(sink)
    }

    /// Buffers for what is to come.
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.means.buffers.clone(), self.manifest.length - self.written)
    }

    /// Takes pieces until the other end closes the channel, and makes them durable if they are the whole. Blocks.
    pub fn take_all(
        &mut self,
        mut arrivals: mpsc::Receiver<Arrival>,
        runtime: &Handle,
    ) -> Result<(), SinkFault> {
        let left = self.manifest.length - self.written;
        let mut watching = Watching::begin(self.watcher.take(), left, &self.means.cores);
        let taken = self.take_from(&mut arrivals, &mut watching, runtime);
        // Joined whatever came of it.
        self.watcher = watching.end()?;
        taken
    }

    fn take_from(
        &mut self,
        arrivals: &mut mpsc::Receiver<Arrival>,
        watching: &mut Watching,
        runtime: &Handle,
    ) -> Result<(), SinkFault> {
        while let Some(arrival) = arrivals.blocking_recv() {
            let Arrival::Piece(piece) = arrival else { return self.make_durable() };
            let piece = Arc::new(piece);
            watching.update(&piece)?;
            let bytes = piece.bytes();
            self.writer.write(bytes)?;
            self.room.written(bytes.len() as u64);
            self.written = self.written.saturating_add(bytes.len() as u64);
            if self.written - self.durable >= DURABLE_OFFSET_EVERY && self.written < self.manifest.length {
                self.make_durable()?;
                let durable = Input::Durable { attempt: self.attempt, offset: self.durable };
                let step = steps::unlogged(durable, pki::clock::now());
                runtime.block_on(self.means.ledger.step(&self.key, step))?;
            }
        }
        Ok(())
    }

    /// Takes content that is all here, and makes none of it durable. Its room stays promised until the attempt is over. Blocks.
    pub fn take_gathered(&mut self, pieces: &[Piece]) -> Result<(), SinkFault> {
        for piece in pieces {
            if let Some(watcher) = &mut self.watcher {
                watcher.update(piece.bytes());
            }
            self.writer.write(piece.bytes())?;
            self.written = self.written.saturating_add(piece.bytes().len() as u64);
        }
        Ok(())
    }

    /// Bytes from the beginning that were handed to the spool.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes durable what was written, and says how much that is. For an attempt that was cut. Blocks.
    pub fn stop(mut self) -> Result<u64, SinkFault> {
        Ok(self.writer.sync()?)
    }

    fn make_durable(&mut self) -> Result<(), SinkFault> {
        self.durable = self.writer.sync()?;
        Ok(())
    }

    /// Says what the content is, reading it back if it did not go by from the beginning. Blocks.
    pub fn see(&mut self) -> Result<Seen, SinkFault> {
        let watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => self.read_back(self.durable)?,
        };
        Ok(watcher.finish())
    }

    /// Gives the content its lasting name, durably. Only for content that passed every check. Blocks.
    pub fn keep(self) -> Result<(), SinkFault> {
        Ok(self.writer.finish()?)
    }

    fn read_back(&self, upto: u64) -> Result<Watcher, SinkFault> {
        let mut watcher = Watcher::new(&self.manifest);
        let mut content = self.means.spool.read(&self.key, upto)?;
        let mut buffer = self.means.buffers.take(upto.min(PIECE_BYTES) as usize);
        loop {
            let count = content.read(&mut buffer).map_err(SpoolFault::of_reading)?;
            match buffer.get(..count) {
                Some([]) | None => return Ok(watcher),
                Some(bytes) => watcher.update(bytes),
            }
        }
    }
}
