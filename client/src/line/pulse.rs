//! What moved on a connection, when, and what the kernel said of the far end while nothing moved.
//!
//! A peer that stops reading closes its window, and after TCP_USER_TIMEOUT the kernel ends the connection with the same
//! ETIMEDOUT as a dead line gives, although the peer's kernel answered every probe. Only what was seen before the end
//! tells the two apart: so while nothing moves, samples are taken, and the last ones decide.

use std::{
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use pki::platform::{FarEnd, PeerKernel};
use protocol::cause::{Cause, of_connection_error};

use crate::limits::SAMPLE_COUNTS_FOR;

/// Shared by the connection, which moves it, and its watcher, who reads it.
#[derive(Debug)]
pub(crate) struct Pulse(Mutex<Beat>);

/// The state of a connection at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    /// When the last byte went out or came in, or was acknowledged.
    pub moved: Instant,
    /// A write waits for room.
    pub write_waits: bool,
    /// When the far end last took something that had waited for it.
    pub taken: Instant,
    /// The first error the socket gave.
    pub failed: Option<io::ErrorKind>,
    /// The peer ended its side.
    pub ended: bool,
    /// What the kernel said of the far end, and when it was asked.
    pub sample: Option<(FarEnd, Instant)>,
}

impl Pulse {
    pub fn new() -> Self {
        let now = Instant::now();
        Pulse(Mutex::new(Beat {
            moved: now,
            write_waits: false,
            taken: now,
            failed: None,
            ended: false,
            sample: None,
        }))
    }

    pub fn beat(&self) -> Beat {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn change(&self, change: impl FnOnce(&mut Beat)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Forgets how long nothing moved: a new exchange begins.
    pub fn restart(&self) {
        self.change(|beat| beat.moved = Instant::now());
    }
}

impl Beat {
    /// How long nothing has moved.
    pub fn still_for(&self) -> Duration {
        self.moved.elapsed()
    }

    /// Puts down what the kernel says of the far end. The kernel holds megabytes of a sender, and takes more only when a good part
    /// of them is gone, which on a slow line is later than any deadline: so what was acknowledged since the last sample has
    /// moved too.
    pub fn sampled(&mut self, far_end: FarEnd) {
        let now = Instant::now();
        let before = self.sample.replace((far_end, now)).filter(|(_, at)| *at >= self.moved);
        let before = before.and_then(|(before, _)| before.unacknowledged);
        if far_end.unacknowledged.zip(before).is_some_and(|(left, before)| left < before) {
            (self.moved, self.taken) = (now, now);
        }
    }

    /// What the socket itself said of the end, if it said anything.
    pub fn socket_cause(&self) -> Option<Cause> {
        match self.failed {
            Some(kind) => Some(self.name_of(of_connection_error(&io::Error::from(kind)))),
            None => self.ended.then_some(Cause::PeerClosed),
        }
    }

    /// Why nothing moves: a far end whose kernel answers is stalled, any other is lost.
    pub fn stillness(&self) -> Cause {
        self.name_of(Cause::LinkLost)
    }

    /// A line that seems lost is only stalled if its far end answered a moment ago. A closing that comes after the far
    /// end's silence is its kernel's last word on a line of which one direction is dead: it gave up before ours did.
    fn name_of(&self, cause: Cause) -> Cause {
        let sample = self.sample.filter(|(_, at)| at.elapsed() <= SAMPLE_COUNTS_FOR);
        match (cause, sample.map(|(far_end, _)| far_end.kernel)) {
            (Cause::PeerClosed, Some(PeerKernel::Silent)) => Cause::LinkLost,
            (Cause::LinkLost, Some(PeerKernel::Answers)) => Cause::Stalled,
            _ => cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far_end(kernel: PeerKernel, unacknowledged: u32) -> FarEnd {
        FarEnd { kernel, unacknowledged: Some(unacknowledged) }
    }

    fn timed_out(sample: Option<(PeerKernel, Duration)>) -> Option<Cause> {
        let pulse = Pulse::new();
        pulse.change(|beat| {
            beat.failed = Some(io::ErrorKind::TimedOut);
            beat.sample =
                sample.and_then(|(kernel, ago)| Some((far_end(kernel, 0), Instant::now().checked_sub(ago)?)));
        });
        pulse.beat().socket_cause()
    }

    #[test]
    fn a_timeout_is_a_stall_only_if_the_far_end_answered_a_moment_ago() {
        let (now, long_ago) = (Duration::ZERO, SAMPLE_COUNTS_FOR * 2);
        assert_eq!(timed_out(Some((PeerKernel::Answers, now))), Some(Cause::Stalled));
        assert_eq!(timed_out(Some((PeerKernel::Answers, long_ago))), Some(Cause::LinkLost));
        assert_eq!(timed_out(Some((PeerKernel::Silent, now))), Some(Cause::LinkLost));
        assert_eq!(timed_out(Some((PeerKernel::Unknown, now))), Some(Cause::LinkLost));
        assert_eq!(timed_out(None), Some(Cause::LinkLost));
    }

    #[test]
    fn what_the_far_end_acknowledged_has_moved() {
        let beat = &mut Pulse::new().beat();
        let moved_by = |beat: &mut Beat, sample| {
            let before = beat.moved;
            beat.sampled(sample);
            beat.moved > before
        };
        let waits = |bytes| far_end(PeerKernel::Answers, bytes);
        let unknown = FarEnd { kernel: PeerKernel::Unknown, unacknowledged: None };
        assert!(!moved_by(beat, waits(900)), "the first look has nothing to compare with");
        assert!(!moved_by(beat, waits(900)));
        assert!(moved_by(beat, waits(899)));
        assert!(beat.taken == beat.moved);
        assert!(
            !moved_by(beat, unknown) && !moved_by(beat, waits(0)),
            "what is unknown is compared with nothing"
        );
    }

    #[test]
    fn a_sample_from_before_the_last_movement_is_compared_with_nothing() {
        let beat = &mut Pulse::new().beat();
        beat.sampled(far_end(PeerKernel::Answers, 900));
        let moved = Instant::now() + Duration::from_nanos(1);
        beat.moved = moved;
        beat.sampled(far_end(PeerKernel::Answers, 10));
        assert_eq!(beat.moved, moved);
    }

    #[test]
    fn a_reset_after_silence_is_a_lost_line() {
        let pulse = Pulse::new();
        pulse.change(|beat| {
            beat.failed = Some(io::ErrorKind::ConnectionReset);
            beat.sample = Some((far_end(PeerKernel::Silent, 0), Instant::now()));
        });
        assert_eq!(pulse.beat().socket_cause(), Some(Cause::LinkLost));
    }

    #[test]
    fn a_closing_by_a_far_end_that_answers_stays_a_closing() {
        let pulse = Pulse::new();
        assert_eq!(pulse.beat().socket_cause(), None);
        pulse.change(|beat| {
            beat.ended = true;
            beat.sample = Some((far_end(PeerKernel::Answers, 0), Instant::now()));
        });
        assert_eq!(pulse.beat().socket_cause(), Some(Cause::PeerClosed));
        pulse.change(|beat| beat.failed = Some(io::ErrorKind::ConnectionReset));
        assert_eq!(pulse.beat().socket_cause(), Some(Cause::PeerClosed));
    }
}
