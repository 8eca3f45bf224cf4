//! Digest and claims check of content that goes by: on the thread that writes, or beside it where a core has nothing else to
//! do.

use std::{
    num::NonZero,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    content::Watcher,
    pieces::{PIECES, Piece},
};

/// Bytes from which on a thread of its own is worth its making: some milliseconds of hashing.
pub const BESIDE_FROM: u64 = 4 * 1024 * 1024;

/// The cores that may hash beside: all but one, which writes.
pub fn spare_cores() -> Arc<Semaphore> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Arc::new(Semaphore::new(cores - 1))
}

/// Who watches the pieces of one attempt.
pub enum Watching {
    /// Nobody: all is read back at the end.
    Later,
    /// Whoever writes them.
    Here(Box<Watcher>),
    /// A thread beside.
    Beside(Beside),
}

/// The thread beside. It ends when nothing more can come, and is joined by [`Watching::end`].
pub struct Beside {
    pieces: SyncSender<Arc<Piece>>,
    thread: JoinHandle<Watcher>,
    _core: OwnedSemaphorePermit,
}

/// The thread beside broke down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread that hashes ended unexpectedly")]
pub struct HasherLost;

impl Watching {
    /// Begins, for so many bytes that are to come.
    pub fn begin(watcher: Option<Watcher>, bytes: u64, cores: &Arc<Semaphore>) -> Self {
        let Some(mut watcher) = watcher else { return Watching::Later };
        let core = if bytes < BESIDE_FROM { None } else { Arc::clone(cores).try_acquire_owned().ok() };
        let Some(core) = core else { return Watching::Here(Box::new(watcher)) };
        // No piece waits here that does not wait anyway: there are no more of them.
        let (pieces, coming) = sync_channel::<Arc<Piece>>(PIECES);
        let spare = watcher.clone();
        let begun = thread::Builder::new().name("hash".to_owned()).spawn(move || {
            while let Ok(piece) = coming.recv() {
                watcher.update(piece.bytes());
            }
            watcher
        });
        match begun {
            Ok(thread) => Watching::Beside(Beside { pieces, thread, _core: core }),
            // No thread to be had.
            Err(_) => Watching::Here(Box::new(spare)),
        }
    }

    /// Takes the next piece in, or hands it on.
    pub fn update(&mut self, piece: &Arc<Piece>) -> Result<(), HasherLost> {
        match self {
            Watching::Later => Ok(()),
            Watching::Here(watcher) => {
                watcher.update(piece.bytes());
                Ok(())
            }
            Watching::Beside(beside) => beside.pieces.send(Arc::clone(piece)).map_err(|_| HasherLost),
        }
    }

    /// Waits until everything was seen.
    pub fn end(self) -> Result<Option<Watcher>, HasherLost> {
        match self {
            Watching::Later => Ok(None),
            Watching::Here(watcher) => Ok(Some(*watcher)),
            Watching::Beside(Beside { pieces, thread, .. }) => {
                drop(pieces);
                thread.join().map(Some).map_err(|_| HasherLost)
            }
        }
    }
}
