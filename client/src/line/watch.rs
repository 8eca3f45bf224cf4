//! When a line is given up, and what that is called.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use pki::platform::far_end;
use protocol::cause::Cause;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Break, Deadlines, pulse::Pulse};
use crate::limits::{SAMPLE_AFTER, WATCH_EVERY};

/// Looks at a line while something is wanted of it.
pub(super) struct Watch {
    pub pulse: Arc<Pulse>,
    /// Our end and the other one.
    pub ends: (SocketAddr, SocketAddr),
    pub deadlines: Deadlines,
}

impl Watch {
    /// Waits for the answer to a request, unless it is called off or the line has to be given up before. `is_out` and `tick`
    /// are those of [`Watch::until_given_up`].
    pub async fn until_answered<T>(
        &self,
        answered: impl Future<Output = T>,
        is_out: impl Fn() -> bool,
        stop: &CancellationToken,
        tick: impl FnMut(),
    ) -> Result<T, Break> {
        self.pulse.restart();
        tokio::select! {
            // All three are given up with the line when another one is ready first.
            biased;
            () = stop.cancelled() => Err(Break::Stopped),
            answer = answered => Ok(answer),
            cause = self.until_given_up(is_out, tick) => Err(self.cut(cause)),
        }
    }

    /// The break of a line that was given up for this.
    pub fn cut(&self, cause: Cause) -> Break {
        Break::Cut { cause, detected_after: self.pulse.beat().still_for() }
    }

    /// Ends when the line has to be given up, and says why. Asks the kernel for the far end while nothing moves. `is_out`
    /// says whether all that we have to say was handed over; `tick` is called at every look.
    pub async fn until_given_up(&self, is_out: impl Fn() -> bool, mut tick: impl FnMut()) -> Cause {
        let mut looks = interval(WATCH_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut out_since = None;
        loop {
            looks.tick().await;
            tick();
            if self.pulse.beat().still_for() >= SAMPLE_AFTER {
                self.sample().await;
            }
            if out_since.is_none() && is_out() {
                out_since = Some(Instant::now());
            }
            if let Some(cause) = self.judge(out_since) {
                return cause;
            }
        }
    }

    /// Is the line to be given up now?
    fn judge(&self, out_since: Option<Instant>) -> Option<Cause> {
        let (beat, deadlines) = (self.pulse.beat(), self.deadlines);
        let (still, stillness) = (beat.still_for(), beat.stillness());
        match out_since {
            // The answer as a whole has its time, which begins when the far end has taken the last of the request. What
            // trickles in the meantime prolongs nothing.
            Some(out_since) if !beat.write_waits => {
                let waited = out_since.max(beat.taken).elapsed();
                let trickles = still < waited / 2;
                (waited >= deadlines.answer_max).then_some(if trickles { Cause::TooSlow } else { stillness })
            }
            _ => {
                let limit = match stillness {
                    _ if !beat.write_waits => deadlines.answer_max,
                    Cause::LinkLost => deadlines.detect_max.min(deadlines.stall_max),
                    _ => deadlines.stall_max,
                };
                (still >= limit).then_some(stillness)
            }
        }
    }

    /// Reads a file of the kernel with a line for each connection.
    async fn sample(&self) {
        let (local, remote) = self.ends;
        let sampled = tokio::task::spawn_blocking(move || far_end(local, remote)).await;
        if let Ok(far_end) = sampled {
            self.pulse.change(|beat| beat.sampled(far_end));
        }
    }
}
