//! Digest and claims check of content that goes by: on the thread that writes, or beside it where a core has nothing else to
//! do and the content comes so fast that it gains by that.

use std::{
    mem,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    content::Watcher,
    pieces::{PIECES, Piece},
};

/// Bytes from which on a thread of its own is worth its making: some milliseconds of hashing.
pub const BESIDE_FROM: u64 = 4 * 1024 * 1024;

/// Content is fast if a piece of it comes so soon after the one before: 50 MiB/s. What is slower gains nothing by a core, and
/// would keep it from what is fast; after so long without a piece the core is given back.
const FAST: Duration = Duration::from_millis(20);

/// The cores that may hash beside: all but one, which writes.
pub fn spare_cores() -> Arc<Semaphore> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Arc::new(Semaphore::new(cores - 1))
}

/// Watches the pieces of one attempt.
pub struct Watching {
    place: Place,
    cores: Arc<Semaphore>,
    /// Bytes that are to come.
    left: u64,
    /// When the last piece came.
    last: Option<Instant>,
    /// What is fast: see [`FAST`].
    fast: Duration,
}

/// Where it is done.
enum Place {
    /// Nowhere: all is read back at the end.
    Later,
    /// By whoever writes them.
    Here(Box<Watcher>),
    /// By a thread beside.
    Beside(Beside),
}

/// The thread beside. It ends when nothing comes for a while, or nothing more can.
struct Beside {
    pieces: SyncSender<Arc<Piece>>,
    /// It takes nothing more, but for what was sent before this was set.
    ends: Arc<AtomicBool>,
    thread: JoinHandle<(Box<Watcher>, Receiver<Arc<Piece>>)>,
}

/// The thread beside broke down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the thread that hashes ended unexpectedly")]
pub struct HasherLost;

impl Watching {
    /// Begins, for so many bytes that are to come.
    pub fn begin(watcher: Option<Watcher>, bytes: u64, cores: &Arc<Semaphore>) -> Self {
        let place = watcher.map_or(Place::Later, |watcher| Place::Here(Box::new(watcher)));
        Watching { place, cores: Arc::clone(cores), left: bytes, last: None, fast: FAST }
    }

    /// Takes the next piece in, or hands it on.
    pub fn update(&mut self, piece: &Arc<Piece>) -> Result<(), HasherLost> {
        let now = Instant::now();
        let is_fast = self.last.replace(now).is_some_and(|last| now.duration_since(last) <= self.fast);
        self.place = match mem::replace(&mut self.place, Place::Later) {
            Place::Here(watcher) if is_fast && self.left >= BESIDE_FROM => self.beside(watcher),
            place => place,
        };
        self.left = self.left.saturating_sub(piece.bytes().len() as u64);
        match &mut self.place {
            Place::Later => Ok(()),
            Place::Here(watcher) => {
                watcher.update(piece.bytes());
                Ok(())
            }
            Place::Beside(beside) => {
                beside.pieces.send(Arc::clone(piece)).map_err(|_| HasherLost)?;
                // If the thread ends and has not said so yet, it still finds the piece.
                if beside.ends.load(Ordering::SeqCst) { self.take_back() } else { Ok(()) }
            }
        }
    }

    /// Goes on here with what the thread beside has seen.
    fn take_back(&mut self) -> Result<(), HasherLost> {
        self.place = match mem::replace(&mut self.place, Place::Later) {
            Place::Beside(beside) => Place::Here(beside.end()?),
            place => place,
        };
        Ok(())
    }

    /// Waits until everything was seen.
    pub fn end(self) -> Result<Option<Watcher>, HasherLost> {
        match self.place {
            Place::Later => Ok(None),
            Place::Here(watcher) => Ok(Some(*watcher)),
            Place::Beside(beside) => Ok(Some(*beside.end()?)),
        }
    }

    /// A thread beside, if there is a core for it.
    fn beside(&self, mut watcher: Box<Watcher>) -> Place {
        let Ok(core) = Arc::clone(&self.cores).try_acquire_owned() else { return Place::Here(watcher) };
        // No piece waits here that does not wait anyway: there are no more of them.
        let (pieces, coming) = sync_channel::<Arc<Piece>>(PIECES);
        let (spare, fast, ends) = (watcher.clone(), self.fast, Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&ends);
        let begun = thread::Builder::new().name("hash".to_owned()).spawn(move || {
            let _core = core;
            while let Ok(piece) = coming.recv_timeout(fast) {
                watcher.update(piece.bytes());
            }
            told.store(true, Ordering::SeqCst);
            for piece in coming.try_iter() {
                watcher.update(piece.bytes());
            }
            (watcher, coming)
        });
        match begun {
            Ok(thread) => Place::Beside(Beside { pieces, ends, thread }),
            // No thread to be had.
            Err(_) => Place::Here(spare),
        }
    }
}

impl Beside {
    /// Waits until the thread has ended, and takes in what it did not.
    fn end(self) -> Result<Box<Watcher>, HasherLost> {
        drop(self.pieces);
        let (mut watcher, left) = self.thread.join().map_err(|_| HasherLost)?;
        for piece in left.try_iter() {
            watcher.update(piece.bytes());
        }
        Ok(watcher)
    }
}

#[cfg(test)]
mod tests {
    use config::gateway::Completeness;
    use protocol::{digest::Sha256, limits::PIECE_BYTES};
    use storage::buffers::Buffers;

    use super::*;
    use crate::{
        content::{Verdict, tests::manifest},
        pieces::Pieces,
    };

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Pieces, and an attempt that is to bring them where one core may hash beside.
    struct Given {
        pieces: Vec<Arc<Piece>>,
        content: Vec<u8>,
        cores: Arc<Semaphore>,
        watching: Watching,
    }

    impl Given {
        /// Content that is fast if its pieces come no longer apart than this.
        async fn new(fast: Duration) -> Self {
            let mut pieces = Vec::new();
            for number in 0..8 {
                let mut piece = Pieces::new(Buffers::default(), PIECE_BYTES).next().await.unwrap();
                piece.room().fill(number);
                piece.filled(PIECE_BYTES as usize);
                pieces.push(Arc::new(piece));
            }
            let content = pieces.iter().flat_map(|piece| piece.bytes()).copied().collect::<Vec<u8>>();
            let cores = Arc::new(Semaphore::new(1));
            let watcher = Watcher::new(&manifest(&content));
            let mut watching = Watching::begin(Some(watcher), content.len() as u64, &cores);
            watching.fast = fast;
            Given { pieces, content, cores, watching }
        }

        fn bring(&mut self, count: usize) {
            self.pieces.drain(..count).for_each(|piece| self.watching.update(&piece).unwrap());
        }

        fn has_a_core(&self) -> bool {
            self.cores.available_permits() == 0
        }

        fn wait_until_the_core_is_given_back(&self) {
            let began = Instant::now();
            while self.has_a_core() {
                assert!(began.elapsed() < PATIENCE);
                thread::yield_now();
            }
        }

        /// All bytes were seen, each once and in their order: what is left to complain of is that they are no claims file.
        fn expect_all_seen(self) {
            let promised = manifest(&self.content);
            assert_eq!(promised.sha256, Sha256::of(&self.content));
            let seen = self.watching.end().unwrap().unwrap().finish();
            let verdict = seen.judge(&promised, Completeness::Refuse).map(drop);
            assert!(matches!(verdict, Err(Verdict::Refused(..))), "{verdict:?}");
            assert_eq!(self.cores.available_permits(), 1);
        }
    }

    #[tokio::test]
    async fn content_that_comes_fast_is_hashed_beside() {
        let mut given = Given::new(PATIENCE).await;
        given.bring(1);
        assert!(!given.has_a_core(), "one piece does not tell");
        given.bring(1);
        assert!(given.has_a_core());
        given.bring(6);
        given.expect_all_seen();
    }

    #[tokio::test]
    async fn content_that_stops_coming_gives_its_core_back_and_nothing_of_it_is_lost() {
        let mut given = Given::new(Duration::from_secs(1)).await;
        given.bring(3);
        assert!(given.has_a_core());
        given.wait_until_the_core_is_given_back();
        given.bring(2);
        given.wait_until_the_core_is_given_back();
        given.bring(3);
        given.expect_all_seen();
    }

    #[tokio::test]
    async fn what_is_sent_to_a_thread_that_has_ended_is_taken_in_at_once() {
        let mut given = Given::new(PATIENCE).await;
        let Place::Here(watcher) = mem::replace(&mut given.watching.place, Place::Later) else { panic!() };
        let (pieces, coming) = sync_channel(PIECES);
        let thread = thread::spawn(move || (watcher, coming));
        let ends = Arc::new(AtomicBool::new(true));
        given.watching.place = Place::Beside(Beside { pieces, ends, thread });
        given.bring(1);
        assert!(matches!(given.watching.place, Place::Here(_)), "nobody waits for the next piece");
        given.bring(7);
        given.expect_all_seen();
    }

    #[tokio::test]
    async fn content_that_comes_slowly_takes_no_core() {
        // However short the time between two pieces is, it is longer than that.
        let mut given = Given::new(Duration::ZERO).await;
        for _ in 0..8 {
            given.bring(1);
            assert!(!given.has_a_core());
        }
        given.expect_all_seen();
    }
}
