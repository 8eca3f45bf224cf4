//! An answer on its way to the peer.

use std::{
    io,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{HeaderMap, StatusCode};

use super::{
    backend::Backend,
    chunks::{BadChunks, CHUNK_END, CONTENT_END, Chunks, Found, chunk_begin},
    head::{self, Answered, Framing},
    line::{Gone, Line},
    scratch::with_plain,
    wire::Wire,
};
use crate::stream::{Broken, Silence};

/// Bytes of an answer's content that are read at once. What is encrypted of them waits until the peer takes it.
const PIECE: usize = 128 * 1024;

/// Why an answer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerBroken {
    /// The request behind it broke.
    #[error("its request broke")]
    Request(#[source] Broken),
    /// The peer went.
    #[error("the peer waits for it no more")]
    Unwanted(#[source] Gone),
    /// The backend went.
    #[error("the backend broke off its answer")]
    Cut(#[source] Gone),
    /// The backend's framing.
    #[error("the backend's answer is broken")]
    Chunks(#[from] BadChunks),
    /// The backend stopped.
    #[error("the backend stopped in the middle of its answer")]
    Stalled,
    /// The peer takes no more.
    #[error("the peer took no more of the answer")]
    NotTaken(#[from] io::Error),
    /// We were told to.
    #[error("the exchange was broken off on this side")]
    Ended,
}

/// It.
pub struct Answering {
    /// Its head, until it is put.
    head: Option<Head>,
    left: Left,
    silence: Silence,
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    closes: bool,
}

enum Left {
    /// So many bytes.
    Length(u64),
    /// As many as the chunks say.
    Chunked(Chunks),
    /// Nothing but to be sent.
    Nothing,
}

impl Answering {
    /// Of this backend, with its head for the peer.
    pub fn new(stall_max: Duration, answered: &Answered, headers: HeaderMap, closes: bool) -> Self {
        let head = Head { status: answered.head.status(), headers, framing: answered.framing, closes };
        let left = match answered.framing {
            Framing::Length(length) => Left::Length(length),
            Framing::Chunked => Left::Chunked(Chunks::default()),
            Framing::Empty | Framing::Unknown => Left::Nothing,
        };
        Answering { head: Some(head), left, silence: Silence::new(stall_max) }
    }

    /// Ready when all of it is sent.
    pub fn poll(
        &mut self,
        context: &mut Context<'_>,
        wire: &Wire,
        backend: &mut Backend,
    ) -> Poll<Result<(), AnswerBroken>> {
        let mut line = wire.line();
        loop {
            // What was put leaves before more is read.
            ready!(line.poll_flush(context))?;
            if let Some(head) = self.head.take() {
                self.put_head(&head, &mut line, backend)?;
                continue;
            }
            let came = match &mut self.left {
                Left::Nothing => return Poll::Ready(Ok(())),
                Left::Length(0) => {
                    self.left = Left::Nothing;
                    continue;
                }
                Left::Length(left) => {
                    let want = usize::try_from(*left).unwrap_or(usize::MAX).min(PIECE);
                    let mut put = Ok(());
                    let came = backend.poll_read(context, want, |piece| put = line.put(piece));
                    put?;
                    came.map_ok(|count| *left -= count as u64)
                }
                Left::Chunked(chunks) => match put_chunks(chunks, &mut line, backend)? {
                    Found::End => {
                        self.left = Left::Nothing;
                        continue;
                    }
                    // What was found leaves first.
                    _ if line.wants_flush() => continue,
                    _ => backend.poll_more(context, PIECE),
                },
            };
            match came {
                Poll::Ready(Ok(())) => self.silence.broken(),
                Poll::Ready(Err(gone)) => return Poll::Ready(Err(AnswerBroken::Cut(gone))),
                Poll::Pending => {
                    ready!(self.silence.poll(context));
                    return Poll::Ready(Err(AnswerBroken::Stalled));
                }
            }
        }
    }

    /// What came together with the head goes on together with it, in one record if it is little.
    fn put_head(&mut self, head: &Head, line: &mut Line, backend: &mut Backend) -> io::Result<()> {
        let Head { status, headers, framing, closes } = head;
        with_plain(|plain| {
            head::write_answer(plain, *status, headers, *framing, *closes);
            if let Left::Length(left) = &mut self.left {
                let count = backend.ahead().len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                plain.extend_from_slice(backend.ahead().get(..count).unwrap_or_default());
                backend.take(count);
                *left -= count as u64;
            }
            line.put(plain)
        })
    }
}

/// Puts what is there of content in chunks, in chunks of our own.
fn put_chunks(
    chunks: &mut Chunks,
    line: &mut Line,
    backend: &mut Backend,
) -> Result<Found<'static>, AnswerBroken> {
    let (mut rest, mut out) = (backend.ahead(), Vec::new());
    let found = loop {
        match chunks.next(&mut rest)? {
            Found::Data(data) => {
                for part in [chunk_begin(data.len()).as_bytes(), data, CHUNK_END] {
                    out.extend_from_slice(part);
                }
            }
            Found::More => break Found::More,
            Found::End => {
                out.extend_from_slice(CONTENT_END);
                break Found::End;
            }
        }
    };
    let count = backend.ahead().len() - rest.len();
    backend.take(count);
    line.put(&out)?;
    Ok(found)
}
