//! The writing end of an attempt: spool, digest and claims check, on a thread that may block.
//!
//! Pieces come over a bounded channel and their buffers go back, so that memory for one transfer is a few pieces
//! whatever the file's size.

use std::{io::Read as _, sync::Arc};

use protocol::{
    limits::DURABLE_OFFSET_EVERY, receiver::Input, statement::Manifest, transfer_id::TransferKey,
};
use storage::{
    ledger::{Ledger, LedgerFault},
    spool::{Spool, SpoolFault, SpoolWriter},
};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    content::{Seen, Watcher},
    limits::PREFIX_HASHED_FIRST_MAX,
    room::Promise,
    steps,
};

/// Bytes of one piece on its way to the spool: large enough that a system call costs nothing beside it.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Pieces of one transfer in memory: one being filled, one being written, two between.
pub const PIECES: usize = 4;

/// A buffer and how much of it counts.
pub struct Piece {
    /// At least `length` bytes.
    pub buffer: Vec<u8>,
    /// Bytes that count.
    pub length: usize,
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
}

/// Where the content of one attempt goes.
pub struct Sink {
    key: TransferKey,
    manifest: Arc<Manifest>,
    attempt: u32,
    spool: Arc<dyn Spool>,
    ledger: Arc<dyn Ledger>,
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
        spool: Arc<dyn Spool>,
        ledger: Arc<dyn Ledger>,
        room: Arc<Promise>,
    ) -> Result<Self, SinkFault> {
        let writer = spool.begin(&key, attempt, offset, manifest.length)?;
        let mut sink = Sink {
            key,
            manifest,
            attempt,
            spool,
            ledger,
            room,
            writer,
            watcher: None,
            written: offset,
            durable: offset,
        };
        if offset <= PREFIX_HASHED_FIRST_MAX {
            sink.watcher = Some(sink.read_back(offset)?);
        }
        Ok(sink)
    }

    /// Takes pieces until the other end closes the channel. Blocks.
    pub fn take_all(
        &mut self,
        mut pieces: mpsc::Receiver<Piece>,
        empty: mpsc::Sender<Vec<u8>>,
        runtime: &Handle,
    ) -> Result<(), SinkFault> {
        while let Some(Piece { buffer, length }) = pieces.blocking_recv() {
            let bytes = buffer.get(..length).unwrap_or_default();
            self.writer.write(bytes)?;
            self.room.written(bytes.len() as u64);
            if let Some(watcher) = &mut self.watcher {
                watcher.update(bytes);
            }
            self.written = self.written.saturating_add(length as u64);
            // Nobody waits for the buffer any more when the attempt is ending.
            let _ = empty.blocking_send(buffer);
            if self.written - self.durable >= DURABLE_OFFSET_EVERY && self.written < self.manifest.length {
                self.durable = self.writer.sync()?;
                let durable = Input::Durable { attempt: self.attempt, offset: self.durable };
                runtime.block_on(self.ledger.step(&self.key, steps::unlogged(durable, pki::clock::now())))?;
            }
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

    /// Makes all content durable. Blocks.
    pub fn make_durable(&mut self) -> Result<(), SinkFault> {
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
        let mut content = self.spool.read(&self.key, upto)?;
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            let count = content.read(&mut buffer).map_err(SpoolFault::of_reading)?;
            match buffer.get(..count) {
                Some([]) | None => return Ok(watcher),
                Some(bytes) => watcher.update(bytes),
            }
        }
    }
}
