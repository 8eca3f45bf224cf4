//! The writing end of an attempt at small content: gathered in memory, and made durable as a whole or not at all.

use std::sync::{Arc, mpsc::sync_channel};

use protocol::transfer_id::TransferKey;

use super::record::Record;
use crate::spool::{
    SpoolFault, SpoolWriter,
    file::{Fence, Inner},
    writer::hold,
};

/// Gathers one attempt's content.
pub(in crate::spool) struct SmallWriter {
    inner: Arc<Inner>,
    fence: Arc<Fence>,
    key: TransferKey,
    attempt: u32,
    length: u64,
    /// What came so far; nothing once it is stored, or could not be.
    gathered: Vec<u8>,
    stored: bool,
}

impl SmallWriter {
    /// Goes on after what is gathered already.
    pub(in crate::spool) fn new(
        inner: Arc<Inner>,
        fence: Arc<Fence>,
        key: TransferKey,
        attempt: u32,
        length: u64,
        gathered: Vec<u8>,
    ) -> Self {
        SmallWriter { inner, fence, key, attempt, length, gathered, stored: false }
    }

    fn written(&self) -> u64 {
        if self.stored { self.length } else { self.gathered.len() as u64 }
    }

    /// Makes the whole content durable, once. No newer attempt begins meanwhile, nor is the content dropped.
    fn store(&mut self) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        let fence = Arc::clone(&self.fence);
        let _turn = hold(&fence, self.attempt)?;
        if self.stored {
            return Ok(());
        }
        let content = std::mem::take(&mut self.gathered);
        let record = Record::new(&self.key, self.attempt, content, self.inner.key.as_ref())?;
        let (reply, stored) = sync_channel(1);
        self.inner.segments.append(record, move |outcome| {
            // Whoever waits is there until it is told.
            let _ = reply.send(outcome);
        });
        stored.recv().unwrap_or(Err(SpoolFault::Poisoned))?;
        self.stored = true;
        Ok(())
    }
}

impl SpoolWriter for SmallWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        let _turn = hold(&self.fence, self.attempt)?;
        let end = self.written().saturating_add(bytes.len() as u64);
        if end > self.length {
            return Err(SpoolFault::Length { length: self.length, written: end });
        }
        if !bytes.is_empty() {
            self.gathered.reserve_exact((self.length - self.written()) as usize);
            self.gathered.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, SpoolFault> {
        if self.written() < self.length {
            self.inner.medium.check_poison()?;
            drop(hold(&self.fence, self.attempt)?);
            return Ok(0);
        }
        self.store()?;
        Ok(self.length)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        drop(hold(&self.fence, self.attempt)?);
        if self.written() != self.length {
            return Err(SpoolFault::Length { length: self.length, written: self.written() });
        }
        self.store()
    }
}
