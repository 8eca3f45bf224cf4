//! The writing end of one attempt: content is sealed and written in whole pieces, each once.

use std::sync::{Arc, MutexGuard};

use durable::PastCache;
use protocol::transfer_id::TransferKey;

use super::{
    SpoolFault, SpoolWriter,
    file::{Fence, Inner, Turn, locked},
    layout::{Layout, TagRow},
    seal::{ContentKey, Place},
};

/// Writes one attempt's content.
pub(super) struct FileWriter {
    inner: Arc<Inner>,
    fence: Arc<Fence>,
    key: TransferKey,
    file: PastCache,
    layout: Layout,
    /// Absent where nothing is sealed.
    seal: Option<ContentKey>,
    attempt: u32,
    /// Bytes from the beginning whose pieces are written.
    placed: u64,
    /// What came of the piece after them. A piece that is not whole is never written: an attempt that wrote it again
    /// would seal two things in one place.
    begun: Vec<u8>,
    /// Rows of the table that are not written yet, and where they belong.
    rows: Vec<u8>,
    rows_at: u64,
    /// Everything placed is durable.
    synced: bool,
    /// The file's name may not be durable yet.
    name_pending: bool,
}

/// A content's file, ready to take content in.
pub(super) struct Opened {
    pub(super) file: PastCache,
    pub(super) layout: Layout,
    pub(super) seal: Option<ContentKey>,
    pub(super) offset: u64,
}

/// Keeps newer attempts from beginning until it is dropped, if no newer one has begun.
pub(super) fn hold(fence: &Fence, attempt: u32) -> Result<MutexGuard<'_, Turn>, SpoolFault> {
    let turn = locked(&fence.0);
    if turn.open && turn.attempt == attempt { Ok(turn) } else { Err(SpoolFault::Fenced { attempt }) }
}

impl FileWriter {
    pub(super) fn new(
        inner: Arc<Inner>,
        fence: Arc<Fence>,
        key: TransferKey,
        attempt: u32,
        opened: Opened,
    ) -> Self {
        let Opened { file, layout, seal, offset } = opened;
        FileWriter {
            inner,
            fence,
            key,
            file,
            layout,
            seal,
            attempt,
            placed: offset,
            begun: Vec::new(),
            rows: Vec::new(),
            rows_at: 0,
            synced: false,
            // Offsets are recorded after a sync, and that makes the name durable too.
            name_pending: offset == 0,
        }
    }

    fn written(&self) -> u64 {
        self.placed + self.begun.len() as u64
    }

    /// Writes the next whole piece to its place.
    fn place(&mut self, piece: &[u8]) -> Result<(), SpoolFault> {
        let at = self.layout.at(self.placed);
        let written = if self.seal.is_none() && !self.file.may_go_past() {
            self.inner.medium.disk.write_at(self.file.ordinary(), piece, at)
        } else {
            let mut copy = self.inner.buffers.take(piece.len());
            self.seal_into(&mut copy, piece)?;
            self.inner.medium.disk.write_past(&mut self.file, &copy, at)
        };
        written.map_err(|source| self.inner.medium.poison("write", source))?;
        self.placed += piece.len() as u64;
        self.synced = false;
        Ok(())
    }

    /// The piece as it is to lie on the disk; what proves it is kept until the next sync.
    fn seal_into(&mut self, copy: &mut [u8], piece: &[u8]) -> Result<(), SpoolFault> {
        let Some(seal) = &self.seal else {
            copy.copy_from_slice(piece);
            return Ok(());
        };
        let number = Layout::piece_of(self.placed);
        let place = Place { piece: number, attempt: self.attempt, is_last: self.layout.is_last(number) };
        let tag = seal.seal(place, piece, copy)?;
        if self.rows.is_empty() {
            self.rows_at = self.layout.row_at(number);
        }
        self.rows.extend_from_slice(&TagRow { attempt: self.attempt, tag }.to_bytes());
        Ok(())
    }

    /// Content and the tags that prove it become durable together: without them it could not be read.
    fn sync_content(&mut self) -> Result<(), SpoolFault> {
        if !self.rows.is_empty() {
            // No newer attempt may have its own in their places.
            let fence = Arc::clone(&self.fence);
            let _turn = hold(&fence, self.attempt)?;
            let written = self.inner.medium.disk.write_at(self.file.ordinary(), &self.rows, self.rows_at);
            written.map_err(|source| self.inner.medium.poison("write", source))?;
            self.rows.clear();
        }
        if !self.synced {
            let synced = self.inner.medium.disk.sync(self.file.file());
            synced.map_err(|source| self.inner.medium.poison("fsync", source))?;
            self.synced = true;
        }
        Ok(())
    }
}

impl SpoolWriter for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        let fence = Arc::clone(&self.fence);
        let _turn = hold(&fence, self.attempt)?;
        let end = self.written().saturating_add(bytes.len() as u64);
        if end > self.layout.length() {
            return Err(SpoolFault::Length { length: self.layout.length(), written: end });
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let whole = self.layout.piece_bytes(Layout::piece_of(self.placed)) as usize;
            let missing = whole - self.begun.len();
            let (next, after) = rest.split_at(missing.min(rest.len()));
            rest = after;
            if next.len() == whole {
                self.place(next)?;
                continue;
            }
            self.begun.reserve_exact(missing);
            self.begun.extend_from_slice(next);
            if self.begun.len() == whole {
                let mut piece = std::mem::take(&mut self.begun);
                self.place(&piece)?;
                piece.clear();
                self.begun = piece;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<u64, SpoolFault> {
        self.inner.medium.check_poison()?;
        drop(hold(&self.fence, self.attempt)?);
        self.sync_content()?;
        if self.name_pending {
            let named = self.inner.medium.disk.sync_directory(&self.inner.partial);
            named.map_err(|source| self.inner.medium.poison("fsync of the directory", source))?;
            self.name_pending = false;
        }
        // A newer attempt may have cut the file off meanwhile.
        drop(hold(&self.fence, self.attempt)?);
        Ok(self.placed)
    }

    fn finish(mut self: Box<Self>) -> Result<(), SpoolFault> {
        self.inner.medium.check_poison()?;
        drop(hold(&self.fence, self.attempt)?);
        if self.placed != self.layout.length() {
            return Err(SpoolFault::Length { length: self.layout.length(), written: self.written() });
        }
        self.sync_content()?;
        let _turn = hold(&self.fence, self.attempt)?;
        let Inner { medium, partial, done, .. } = &*self.inner;
        let renamed = medium.disk.hand_over(&self.key.file_stem(), partial, done);
        renamed.map_err(|source| medium.poison("rename", source))
    }
}
