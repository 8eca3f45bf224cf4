//! What is watched of a content while it passes, whoever carries it: that it comes, fast enough, to its declared length and
//! no further, and that it is what its route takes.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use protocol::{
    cause::Cause,
    claims::{ClaimsCheck, Fault, Mismatch},
    kind::Kind,
    problem::Problem,
};
use tokio::time::{Sleep, sleep_until};

use crate::pace::Pace;

/// Why a content was broken off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection that it came from, or its pace.
    #[error("the content was cut off ({0})")]
    Cut(Cause),
    /// It is no claims file, or no whole one.
    #[error("the content is not a complete claims file: {0}")]
    Claims(Fault),
    /// It is a claims file of another kind.
    #[error("the content is another kind of claims file: {0}")]
    Kind(Mismatch),
}

impl Broken {
    /// What the peer is told.
    pub fn problem(&self) -> Problem {
        match self {
            Broken::Cut(Cause::Stalled) => Problem::Stalled,
            Broken::Cut(Cause::TooSlow) => Problem::TooSlow,
            Broken::Cut(Cause::Revoked) => Problem::Revoked,
            Broken::Cut(_) => Problem::LengthMismatch,
            Broken::Claims(_) => Problem::ClaimsIncomplete,
            Broken::Kind(_) => Problem::ClaimsKindMismatch,
        }
    }
}

/// What a request's content is carried under.
#[derive(Clone)]
pub struct Terms {
    /// Its length.
    pub declared: u64,
    /// Nothing came for this long: it is broken off.
    pub stall_max: Duration,
    /// Below this rate over `stall_max` likewise.
    pub bytes_per_second_min: u64,
    /// It must be a claims file of this kind.
    pub claims: Option<Kind>,
}

/// Watches one request's content. Each piece is shown to it before it goes on, and the last one goes on only if the whole
/// is what it should be: what is short of its declared length cannot be taken for a whole by anybody.
pub struct Watch {
    left: u64,
    pace: Pace,
    claims: Option<(ClaimsCheck, Kind)>,
}

impl Watch {
    /// Under these terms. Content of no length can be judged at once.
    pub fn new(terms: &Terms) -> Result<Self, Broken> {
        let mut watch = Watch {
            left: terms.declared,
            pace: Pace::new(terms.bytes_per_second_min, terms.stall_max, Instant::now()),
            claims: terms.claims.map(|kind| (ClaimsCheck::new(), kind)),
        };
        watch.judge()?;
        Ok(watch)
    }

    /// Bytes that the declared length still promises.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// These bytes came next: may they go on?
    pub fn came(&mut self, bytes: &[u8], now: Instant) -> Result<(), Broken> {
        let left = self.left.checked_sub(bytes.len() as u64);
        self.left = left.ok_or(Broken::Cut(Cause::LengthMismatch))?;
        if !self.pace.fast_enough(bytes.len(), now) {
            return Err(Broken::Cut(Cause::TooSlow));
        }
        if let Some((check, _)) = &mut self.claims {
            check.update(bytes);
            // What the check has found wrong already need not be waited for.
            if let Some(fault) = check.fault() {
                return Err(Broken::Claims(fault));
            }
        }
        self.judge()
    }

    /// The verdict, once the content is whole.
    fn judge(&mut self) -> Result<(), Broken> {
        if self.left > 0 {
            return Ok(());
        }
        let Some((check, kind)) = self.claims.take() else { return Ok(()) };
        let summary = check.finish().map_err(Broken::Claims)?;
        summary.matches_kind(kind).map_err(Broken::Kind)
    }
}

/// Measures how long nothing has come.
pub struct Silence {
    max: Duration,
    /// Since when; nothing while something comes.
    since: Option<Instant>,
    /// It is not set anew each time something comes: that costs more than to look once more when it is over.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Over when nothing came for this long.
    pub fn new(max: Duration) -> Self {
        Silence { max, since: None, timer: None }
    }

    /// Begins anew, and is over when nothing came for this long from when it is next asked.
    pub fn begin(&mut self, max: Duration) {
        (self.max, self.since) = (max, None);
    }

    /// Ready when nothing came for the whole time.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let over = *self.since.get_or_insert_with(Instant::now) + self.max;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(over.into())));
        if timer.deadline() > over.into() {
            timer.as_mut().reset(over.into());
        }
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= over {
                return Poll::Ready(());
            }
            timer.as_mut().reset(over.into());
        }
    }

    /// Something came.
    pub fn broken(&mut self) {
        self.since = None;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use super::*;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_silence_that_begins_anew_may_be_over_sooner_than_the_one_before_it_or_later() {
        let mut silence = Silence::new(2 * PATIENCE);
        let over = async |silence: &mut Silence, within| {
            timeout(within, poll_fn(|context| silence.poll(context))).await.is_ok()
        };
        assert!(!over(&mut silence, Duration::ZERO).await);
        silence.begin(Duration::ZERO);
        assert!(over(&mut silence, PATIENCE).await);
        silence.begin(2 * PATIENCE);
        assert!(!over(&mut silence, Duration::ZERO).await);
    }
}
