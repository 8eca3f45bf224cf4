//! One attempt: logged, then the content from its offset to its end, watched, and its end on record.

use std::time::Duration;

use protocol::problem::Problem;

use super::{
    Drive, Source, journal,
    known::{Known, cause_of},
    trouble::{Trouble, cause_of_break},
};
use crate::{
    line::{
        Break, BulkLine, Line, Piece, RequestBody,
        requests::{self, Reply},
    },
    progress::ProgressEvent,
};

/// What content goes over.
enum Way<'l> {
    /// A line of its own, which ends with it.
    Bulk(BulkLine),
    /// The line for everything.
    Usual(&'l mut Line),
}

impl Drive<'_> {
    /// Brings the content that the centre wants.
    pub(super) async fn bring(&mut self, source: &Source, offset: u64) -> Result<Known, Trouble> {
        // An attempt that never had a line is none.
        let left = source.fingerprint.size.saturating_sub(offset);
        if let Err(broken) = self.connect_for_content(left).await {
            return Err(self.break_off(broken).await);
        }
        self.checking_since = None;
        let number = self.write(move |store, transfer| journal::attempt(store, transfer, offset)).await?;
        self.progress.event(&ProgressEvent::Attempt { number, offset });
        let log_seen = self.log_seen().await?;
        let (reply, reached) = self.send(source, offset, log_seen).await;
        match reply {
            Ok(Reply::Done(answer)) => Ok(Known::Receipt(Box::new(answer))),
            Ok(Reply::Checking(after)) => Ok(Known::Checking(after)),
            // What it has, it has: it is checking that.
            Ok(Reply::Turned(turned)) if turned.problem == Problem::Busy => Ok(Known::Checking(None)),
            Ok(Reply::Turned(turned)) => {
                if turned.refusal.is_none() {
                    self.abort(cause_of(turned.problem), reached, Duration::ZERO).await?;
                }
                Err(self.turned(turned).await)
            }
            Err(broken) => {
                let (cause, detected_after) = cause_of_break(&broken);
                self.abort(cause, reached, detected_after).await?;
                Err(self.trouble(broken))
            }
        }
    }

    /// Sends the content. Also says how much of the file the line had taken in the end.
    async fn send(
        &mut self,
        source: &Source,
        offset: u64,
        log_seen: Option<u64>,
    ) -> (Result<Reply<protocol::wire::ReceiptAnswer>, Break>, u64) {
        let key = self.transfer.manifest.key();
        let (progress, stop, total) = (self.progress, self.stop, self.transfer.manifest.length);
        let pace = self.desk.pace.clone();
        let line = match self.bulk.take() {
            Some(bulk) => Way::Bulk(bulk),
            None => match self.connect().await {
                Ok(line) => Way::Usual(line),
                Err(broken) => return (Err(broken), offset),
            },
        };
        let piece =
            Piece { path: source.path.clone(), fingerprint: source.fingerprint.clone(), offset, pace };
        let (body, reading) = RequestBody::of_file(piece);
        let mut told = offset;
        let tick = || {
            let bytes = reading.reached();
            if bytes != told {
                told = bytes;
                progress.event(&ProgressEvent::Sent { bytes, total });
                if bytes == total {
                    progress.event(&ProgressEvent::Checking);
                }
            }
        };
        let request = requests::send(&key, offset, body, log_seen);
        let sent = match line {
            Way::Bulk(line) => line.exchange(request, stop, tick).await,
            Way::Usual(line) => line.exchange(request, stop, tick).await,
        };
        let reached = reading.reached();
        if sent.is_err() || reached < total {
            // Cuts off whatever of the message is still on its way, and with it ends the reader.
            self.line = None;
        }
        let sent = match (sent, reading.finish().await) {
            // Asked to stop is asked to stop; otherwise a file that changed is why the message broke.
            (Err(Break::Stopped), _) => Err(Break::Stopped),
            (Err(_), Err(fault)) => Err(Break::Content(fault)),
            (sent, _) => sent,
        };
        (sent.and_then(|answer| requests::sent(&answer)), reached)
    }
}
