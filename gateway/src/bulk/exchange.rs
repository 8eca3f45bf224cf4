//! One streamed exchange carried by hand: the request's content from the line to the backend, the answer's back, both at the
//! same time and in pieces as large as they come. What may pass and what breaks it off is said by [`Passage`].

use std::{
    future::poll_fn,
    mem,
    pin::pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use hyper::Method;
use protocol::{cause::Cause, problem::Problem};

use super::{
    answering::{AnswerBroken, Answering},
    backend::Backend,
    content::CONTINUE,
    head::{self, Answered, HEAD_USUAL, HeadFault},
    line::Gone,
    scratch::{give_back, read_at_once, spare, with_plain},
    wire::Wire,
};
use crate::{
    chain::chain,
    cores::Busy,
    stream::{Broken, Passage, Silence, Watch, took_only_part, turned_by},
    turned::Turned,
};

/// How an exchange ended that was not turned down.
#[derive(Debug)]
pub enum Carried {
    /// Both contents are through: the connection may have another request.
    Through,
    /// The answer is through, and something of the request may still come: no other request can be told from it.
    Answered,
    /// The answer must be seen to be broken off, if anybody still waits for it.
    BrokenOff(AnswerBroken),
}

/// Why there is no answer.
enum Unanswered {
    /// The peer is told why not.
    Turned(Turned),
    /// The peer has gone.
    Unwanted(Gone),
}

impl From<Turned> for Unanswered {
    fn from(turned: Turned) -> Self {
        Unanswered::Turned(turned)
    }
}

/// How the request goes on.
enum Sent {
    /// More of it is to come.
    Going,
    /// All of it.
    Whole,
    /// The backend took no more of it; it may have answered all the same.
    Part,
}

/// The request on its way.
struct Asking {
    /// What else its core does.
    busy: Busy,
    watch: Watch,
    silence: Silence,
    sent: Sent,
    /// Written to the backend as soon as it takes it, but for what it has taken.
    unsent: Vec<u8>,
    taken: usize,
    asked_first: bool,
}

/// Carries it. `closes`: the peer or we want no other request after it. If nothing of an answer was said yet, the peer is
/// told why not.
pub async fn carry(
    wire: &Wire,
    busy: Busy,
    passage: Passage,
    asked_first: bool,
    closes: bool,
) -> Result<Carried, Turned> {
    let watch = Watch::new(&passage.terms).map_err(|broken| turned_by(&broken))?;
    let mut asking = Asking {
        busy,
        watch,
        silence: Silence::new(passage.terms.stall_max),
        sent: Sent::Going,
        unsent: spare(HEAD_USUAL + wire.line().ahead().len()),
        taken: 0,
        asked_first,
    };
    head::write_request(&mut asking.unsent, &passage);
    asking.take_ahead(wire).map_err(|broken| turned_by(&broken))?;
    let mut told_to_end = pin!(passage.held.exchange.ends().cancelled());
    let answer_max = passage.route.config.answer_max;

    let until_answered = async {
        let mut backend = Backend::reach(passage.route.config.backend, passage.terms.stall_max, answer_max)
            .await
            .map_err(|error| Turned::because(Problem::BackendFailed, error))?;
        let answered = poll_fn(|context| {
            // Whether the request went through is known first: a backend whose request broke has nothing to say.
            if let Poll::Ready(Err(broken)) = asking.poll(context, wire, &mut backend) {
                return Poll::Ready(Err(turned_by(&broken).into()));
            }
            if let Poll::Ready(answered) = poll_answer(context, &asking, &passage.method, &mut backend) {
                return Poll::Ready(answered.map_err(Unanswered::Turned));
            }
            asking.poll_unwanted(context, wire).map(|gone| Err(Unanswered::Unwanted(gone)))
        });
        let answered = answered.await?;
        Ok((backend, answered))
    };
    let answered = tokio::select! {
        biased;
        () = &mut told_to_end => return Err(turned_by(&Broken::Cut(Cause::Revoked))),
        answered = until_answered => answered,
    };
    let (mut backend, answered) = match answered {
        Ok(answered) => answered,
        Err(Unanswered::Turned(turned)) => return Err(turned),
        Err(Unanswered::Unwanted(gone)) => return Ok(Carried::BrokenOff(AnswerBroken::Unwanted(gone))),
    };
    let headers = passage.answered(answered.head.status(), answered.head.headers())?;
    if passage.terms.claims.is_some() {
        // No answer to a part of a claims file.
        tokio::select! {
            biased;
            () = &mut told_to_end => return Err(turned_by(&Broken::Cut(Cause::Revoked))),
            whole = poll_fn(|context| asking.poll(context, wire, &mut backend)) => {
                whole.map_err(|broken| turned_by(&broken))?;
            }
        }
        if !matches!(asking.sent, Sent::Whole) {
            return Err(took_only_part());
        }
    }
    let closes = closes || !matches!(asking.sent, Sent::Whole);
    let keeps = answered.keeps;
    // Nobody is told to go on once the answer has begun.
    asking.asked_first = false;
    let mut answering = Answering::new(passage.terms.stall_max, &answered, headers, closes);
    let went = tokio::select! {
        biased;
        () = &mut told_to_end => Err(AnswerBroken::Ended),
        went = poll_fn(|context| {
            if let Poll::Ready(Err(broken)) = asking.poll(context, wire, &mut backend) {
                return Poll::Ready(Err(AnswerBroken::Request(broken)));
            }
            if let Poll::Ready(went) = answering.poll(context, wire, &mut backend) {
                return Poll::Ready(went);
            }
            asking.poll_unwanted(context, wire).map(|gone| Err(AnswerBroken::Unwanted(gone)))
        }) => went,
    };
    match went {
        Err(broken) => Ok(Carried::BrokenOff(broken)),
        Ok(()) if closes => Ok(Carried::Answered),
        Ok(()) => {
            if keeps {
                backend.keep();
            }
            Ok(Carried::Through)
        }
    }
}

/// The head of the answer. Its time runs from the end of the request.
fn poll_answer(
    context: &mut Context<'_>,
    asking: &Asking,
    method: &Method,
    backend: &mut Backend,
) -> Poll<Result<Answered, Turned>> {
    if let Poll::Ready(answered) = backend.poll_answer(context, method) {
        let failed = |fault: HeadFault| Turned::because(Problem::BackendFailed, chain(&fault));
        return Poll::Ready(answered.map_err(failed));
    }
    if matches!(asking.sent, Sent::Going) {
        return Poll::Pending;
    }
    ready!(backend.poll_answer_due(context));
    Poll::Ready(Err(Problem::BackendTimeout.into()))
}

impl Asking {
    /// What came together with the head goes on together with it.
    fn take_ahead(&mut self, wire: &Wire) -> Result<(), Broken> {
        let mut line = wire.line();
        let count = line.ahead().len().min(self.want());
        let came = line.ahead().get(..count).unwrap_or_default();
        if !came.is_empty() {
            self.watch.came(came, Instant::now())?;
            self.unsent.extend_from_slice(came);
            line.take(count);
        }
        Ok(())
    }

    /// Bytes that are still to come, as many as are read at once.
    fn want(&self) -> usize {
        usize::try_from(self.watch.left()).unwrap_or(usize::MAX).min(read_at_once(self.busy.requests()))
    }

    /// Ready when nothing more is to be sent.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        wire: &Wire,
        backend: &mut Backend,
    ) -> Poll<Result<(), Broken>> {
        while matches!(self.sent, Sent::Going) {
            if let Some(unsent @ [_, ..]) = self.unsent.get(self.taken..) {
                match ready!(backend.poll_write(context, unsent)) {
                    Ok(count) => self.taken += count,
                    Err(_) => self.sent = Sent::Part,
                }
                continue;
            }
            // Nothing is kept while something is waited for.
            give_back(mem::take(&mut self.unsent));
            self.taken = 0;
            if self.watch.left() == 0 {
                self.sent = Sent::Whole;
                continue;
            }
            match self.poll_piece(context, wire, backend) {
                Poll::Ready(Ok(())) => self.silence.broken(),
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(broken)),
                Poll::Pending => {
                    ready!(self.silence.poll(context));
                    return Poll::Ready(Err(Broken::Cut(Cause::Stalled)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when the peer has gone that waits for the answer. While its request comes, whoever reads it notices; while the
    /// backend takes nothing of it, or no more, nobody reads, and the deadlines end it.
    fn poll_unwanted(&self, context: &mut Context<'_>, wire: &Wire) -> Poll<Gone> {
        if matches!(self.sent, Sent::Whole) { wire.poll_gone(context) } else { Poll::Pending }
    }

    /// The next piece, from the line to the backend, as far as it takes it at once.
    fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
        wire: &Wire,
        backend: &mut Backend,
    ) -> Poll<Result<(), Broken>> {
        let mut line = wire.line();
        if self.asked_first {
            self.asked_first = false;
            // Whoever cannot be told will not send, which is noticed.
            let _ = line.put(CONTINUE);
        }
        if line.wants_flush() {
            let _ = line.poll_flush(context);
        }
        with_plain(|plain| {
            let came = line.poll_read(context, self.want(), &mut |piece| plain.extend_from_slice(piece));
            ready!(came).map_err(|gone| Broken::Cut(gone.cause()))?;
            self.watch.came(plain, Instant::now())?;
            let written = match backend.poll_write(context, plain) {
                Poll::Ready(Ok(count)) => count,
                Poll::Ready(Err(_)) => {
                    self.sent = Sent::Part;
                    plain.len()
                }
                Poll::Pending => 0,
            };
            self.unsent.extend_from_slice(plain.get(written..).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
    }
}
