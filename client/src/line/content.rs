//! A request's body: a few bytes, or the file from an offset on, read ahead by a thread of its own.
//!
//! The file is looked at before the first block, with every block, and once more before the last one is let go: a file
//! that changed ends in a broken message, never in a whole one. Blocks are few, and filled again and again.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{blocks::read_blocks, turnstile::Turnstile};
use crate::{limits::BLOCKS_AHEAD, pace::Pace, source::Fingerprint};

/// Why the content could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentFault {
    /// The file is not the one that was hashed.
    #[error("the file changed after it was examined")]
    Changed,
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
}

/// What is sent of a file.
pub(crate) struct Piece {
    /// Where it stands.
    pub path: PathBuf,
    /// What it must still be.
    pub fingerprint: Fingerprint,
    /// First byte to send.
    pub offset: u64,
    /// How fast, if that is limited.
    pub pace: Option<Arc<Pace>>,
}

/// The thread that reads a file, and how far the line has taken what it read.
pub(crate) struct Reading {
    thread: JoinHandle<Result<(), ContentFault>>,
    taken: Arc<AtomicU64>,
}

impl Reading {
    /// Bytes of the file, from its beginning, that the line has taken.
    pub fn reached(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Waits for the thread, once the body is gone. An error says that the file was to blame.
    pub async fn finish(self) -> Result<(), ContentFault> {
        self.thread.await.unwrap_or_else(|lost| Err(ContentFault::Unreadable(io::Error::other(lost))))
    }
}

/// Tells whether a request was handed to the line to its end.
pub(super) enum Outgoing {
    /// It is there as a whole, and goes out with its head.
    Bytes,
    /// A file, of which this much was taken, and all of which is this long.
    File { taken: Arc<AtomicU64>, size: u64 },
}

impl Outgoing {
    pub fn is_out(&self) -> bool {
        match self {
            Outgoing::Bytes => true,
            Outgoing::File { taken, size } => taken.load(Ordering::Relaxed) >= *size,
        }
    }
}

/// The body of a request.
pub(crate) enum RequestBody {
    /// All of it at once.
    Bytes(Option<Bytes>),
    /// A file, block by block.
    File {
        /// Blocks read ahead. Closed early when the file is to blame.
        blocks: mpsc::Receiver<Bytes>,
        /// Bytes still to come.
        left: u64,
        /// See [`Reading::reached`].
        taken: Arc<AtomicU64>,
        /// Who lets the next block go, if the rate is limited.
        turnstile: Option<Turnstile>,
    },
}

impl RequestBody {
    /// A body that is there.
    pub fn of(bytes: impl Into<Bytes>) -> Self {
        RequestBody::Bytes(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }

    /// What tells how far it is.
    pub(super) fn outgoing(&self) -> Outgoing {
        match self {
            RequestBody::Bytes(_) => Outgoing::Bytes,
            RequestBody::File { left, taken, .. } => {
                let size = taken.load(Ordering::Relaxed) + left;
                Outgoing::File { taken: Arc::clone(taken), size }
            }
        }
    }

    /// A file from an offset on, with the thread that reads it.
    pub fn of_file(piece: Piece) -> (Self, Reading) {
        let (sender, blocks) = mpsc::channel(BLOCKS_AHEAD);
        let taken = Arc::new(AtomicU64::new(piece.offset));
        let left = piece.fingerprint.size.saturating_sub(piece.offset);
        let turnstile = piece.pace.clone().map(Turnstile::new);
        let thread = tokio::task::spawn_blocking(move || read_blocks(&piece, &sender));
        (RequestBody::File { blocks, left, taken: Arc::clone(&taken), turnstile }, Reading { thread, taken })
    }
}

impl RequestBody {
    /// Bytes still to come.
    pub(super) fn left(&self) -> u64 {
        match self {
            RequestBody::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            RequestBody::File { left, .. } => *left,
        }
    }

    /// The next of them; nothing after the last.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self {
            RequestBody::Bytes(bytes) => Poll::Ready(bytes.take().map(Ok)),
            RequestBody::File { left: 0, .. } => Poll::Ready(None),
            RequestBody::File { blocks, left, taken, turnstile } => {
                let next = match turnstile {
                    Some(turnstile) => turnstile.poll_next(context, blocks),
                    None => blocks.poll_recv(context),
                };
                let Some(block) = ready!(next) else {
                    return Poll::Ready(Some(Err(io::Error::other("the content ends early"))));
                };
                let length = block.len() as u64;
                *left = left.saturating_sub(length);
                taken.fetch_add(length, Ordering::Relaxed);
                Poll::Ready(Some(Ok(block)))
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.get_mut().poll_next(cx).map_ok(Frame::data)
    }

    fn is_end_stream(&self) -> bool {
        self.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::Path,
        time::{Duration, Instant},
    };

    use http_body_util::BodyExt as _;

    use super::*;
    use crate::limits::BLOCK_BYTES;

    fn piece(path: &Path, offset: u64) -> Piece {
        let fingerprint = Fingerprint::of(&fs::metadata(path).unwrap());
        Piece { path: path.to_owned(), fingerprint, offset, pace: None }
    }

    fn file_of(length: usize) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        fs::write(&path, &content).unwrap();
        (directory, path, content)
    }

    #[tokio::test]
    async fn a_file_is_sent_from_its_offset_to_its_end() {
        let (_directory, path, content) = file_of(3 * BLOCK_BYTES + 17);
        for offset in [0, 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 16] {
            let (body, reading) = RequestBody::of_file(piece(&path, offset as u64));
            assert_eq!(body.size_hint().exact(), Some((content.len() - offset) as u64));
            let sent = body.collect().await.unwrap().to_bytes();
            assert_eq!(sent, content[offset..], "from {offset}");
            assert_eq!(reading.reached(), content.len() as u64);
            reading.finish().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_limited_file_goes_out_in_sips_and_whole_and_no_faster_than_its_rate() {
        let (_directory, path, content) = file_of(2 * BLOCK_BYTES + 17);
        let pace = Arc::new(Pace::new("1MiB".parse().unwrap()));
        let began = Instant::now();
        let (mut body, reading) =
            RequestBody::of_file(Piece { pace: Some(Arc::clone(&pace)), ..piece(&path, 0) });
        let mut sent = Vec::new();
        while let Some(frame) = body.frame().await {
            let sip = frame.unwrap().into_data().unwrap();
            assert!(sip.len() <= pace.sip(), "{} bytes at once", sip.len());
            sent.extend_from_slice(&sip);
        }
        assert!(sent == content);
        // Each sip is paid for before the next one; on however slow a machine, it takes no less.
        let paid = content.len() - pace.sip();
        let least = Duration::from_secs_f64(paid as f64 / f64::from(1 << 20));
        assert!(began.elapsed() >= least, "{:?} for {paid} bytes", began.elapsed());
        reading.finish().await.unwrap();
    }

    #[tokio::test]
    async fn a_file_that_changed_since_it_was_examined_never_goes_out_whole() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 4] = [
            ("longer", |path| fs::write(path, vec![0; 5 * BLOCK_BYTES]).unwrap()),
            ("shorter", |path| fs::OpenOptions::new().write(true).open(path).unwrap().set_len(9).unwrap()),
            ("replaced", |path| {
                let other = path.with_extension("new");
                fs::write(&other, vec![1; 4 * BLOCK_BYTES]).unwrap();
                fs::rename(&other, path).unwrap();
            }),
            ("gone", |path| fs::remove_file(path).unwrap()),
        ];
        for (name, change) in changes {
            let (_directory, path, _) = file_of(4 * BLOCK_BYTES);
            let piece = piece(&path, 0);
            change(&path);
            let (body, reading) = RequestBody::of_file(piece);
            body.collect().await.expect_err(name);
            assert!(matches!(reading.finish().await, Err(ContentFault::Changed)), "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_while_it_is_sent_never_goes_out_whole() {
        let (_directory, path, _) = file_of(20 * BLOCK_BYTES);
        let (mut body, reading) = RequestBody::of_file(piece(&path, 0));
        body.frame().await.unwrap().unwrap();
        let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        io::Write::write_all(&mut &file, b"x").unwrap();
        body.collect().await.unwrap_err();
        assert!(matches!(reading.finish().await, Err(ContentFault::Changed)));
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_ends_its_reader() {
        let (_directory, path, _) = file_of(20 * BLOCK_BYTES);
        let (body, reading) = RequestBody::of_file(piece(&path, 0));
        drop(body);
        reading.finish().await.unwrap();
    }
}
