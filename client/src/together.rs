//! Several files at the same time over one client.
//!
//! So many have a place at once. Large ones, whose content has a line of its own, never take the last of several: a small file then
//! waits for small ones only. Of those that may begin the one that was named first begins.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{Client, Filing, Progress, SendError, Sent, limits::OWN_LINE_BYTES_MIN, store::StoreFault};

/// One file to be sent.
pub struct Order {
    /// Where it stands.
    pub file: PathBuf,
    /// What it is sent as.
    pub filing: Filing,
    /// Who watches.
    pub progress: Arc<dyn Progress>,
}

impl Client {
    /// Sends files, at most `parallel` at the same time, each as [`Client::send`] does. `ended` is told of each as it ends, by
    /// its place among the orders.
    ///
    /// What fails for one file ends no other one, and the same content named twice is sent once. After a stop, and after our own
    /// log turned out not to continue, no further one begins; those are never told of. If the centre's log contradicts itself,
    /// those that run end with it too.
    pub async fn send_all(
        self: &Arc<Self>,
        orders: Vec<Order>,
        parallel: NonZeroU32,
        stop: &CancellationToken,
        mut ended: impl FnMut(usize, Result<Sent, SendError>),
    ) {
        let mut places = Places::new(parallel, orders.iter().map(|order| is_large(&order.file)));
        let orders: Vec<_> = orders.into_iter().map(Arc::new).collect();
        let (mut sending, mut places_of) = (JoinSet::new(), HashMap::new());
        let (mut goes_on, mut forked, stopping) = (true, None, stop.child_token());
        loop {
            while goes_on && !stop.is_cancelled() {
                let Some(place) = places.begin() else { break };
                let Some(order) = orders.get(place).map(Arc::clone) else { break };
                let (client, stopping) = (Arc::clone(self), stopping.clone());
                let task = sending.spawn(async move {
                    client.send(&order.file, order.filing.clone(), order.progress.as_ref(), &stopping).await
                });
                places_of.insert(task.id(), place);
            }
            let Some(joined) = sending.join_next_with_id().await else { return };
            // What a task had begun that broke down is durable, and the next run goes on with it.
            let (task, sent) =
                joined.unwrap_or_else(|broken| (broken.id(), Err(SendError::from(StoreFault::Lost))));
            let Some(place) = places_of.remove(&task) else { continue };
            let sent = match (sent, &forked) {
                // Another file of the same content is under way: what became of it is this one's answer too.
                (Err(SendError::Running { .. }), _) if !sending.is_empty() => {
                    places.hold_up(place);
                    continue;
                }
                // Nobody else stopped it.
                (Err(SendError::Stopped), Some(reason)) if !stop.is_cancelled() => {
                    Err(SendError::LogForked { reason: String::clone(reason) })
                }
                (sent, _) => sent,
            };
            places.end(place);
            if let Err(SendError::LogForked { reason }) = &sent {
                // Nothing more for that centre, from nobody.
                forked.get_or_insert_with(|| reason.clone());
                stopping.cancel();
            }
            goes_on &= !matches!(sent, Err(SendError::LogForked { .. } | SendError::LogBehind { .. }));
            ended(place, sent);
        }
    }
}

/// A file that is not there is small: it fails at once.
fn is_large(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() >= OWN_LINE_BYTES_MIN)
}

/// Who waits and who runs. Pure.
struct Places {
    parallel: usize,
    orders: Vec<(bool, State)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Until another one has ended.
    HeldUp,
    Running,
    Ended,
}

impl Places {
    /// For orders of which each is large or not.
    fn new(parallel: NonZeroU32, are_large: impl Iterator<Item = bool>) -> Self {
        let parallel = usize::try_from(parallel.get()).unwrap_or(usize::MAX);
        Places { parallel, orders: are_large.map(|is_large| (is_large, State::Waiting)).collect() }
    }

    /// The one that begins now, if one may.
    fn begin(&mut self) -> Option<usize> {
        let running = |large: bool| {
            let counts = |order: &&(bool, State)| order.1 == State::Running && (order.0 || !large);
            self.orders.iter().filter(counts).count()
        };
        if running(false) >= self.parallel {
            return None;
        }
        let room_for_large = running(true) < self.parallel.saturating_sub(1).max(1);
        let may =
            |(is_large, state): &(bool, State)| *state == State::Waiting && (room_for_large || !is_large);
        let place = self.orders.iter().position(may)?;
        self.set(place, State::Running);
        Some(place)
    }

    /// This one has ended. Those that were held up may begin again.
    fn end(&mut self, place: usize) {
        self.set(place, State::Ended);
        for order in self.orders.iter_mut().filter(|order| order.1 == State::HeldUp) {
            order.1 = State::Waiting;
        }
    }

    /// This one must wait for another one that runs.
    fn hold_up(&mut self, place: usize) {
        self.set(place, State::HeldUp);
    }

    fn set(&mut self, place: usize, state: State) {
        if let Some(order) = self.orders.get_mut(place) {
            order.1 = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: bool = true;
    const SMALL: bool = false;

    fn places(parallel: u32, are_large: &[bool]) -> Places {
        Places::new(parallel.try_into().unwrap(), are_large.iter().copied())
    }

    fn begun(places: &mut Places) -> Vec<usize> {
        std::iter::from_fn(|| places.begin()).collect()
    }

    #[test]
    fn files_begin_in_their_order_and_no_more_than_there_are_places() {
        let mut places = places(2, &[SMALL; 5]);
        assert_eq!(begun(&mut places), [0, 1]);
        places.end(1);
        assert_eq!(begun(&mut places), [2]);
        places.end(0);
        places.end(2);
        assert_eq!(begun(&mut places), [3, 4]);
        places.end(3);
        places.end(4);
        assert!(begun(&mut places).is_empty());
    }

    #[test]
    fn a_small_file_is_never_behind_large_ones() {
        for parallel in 2..5 {
            let mut places = places(parallel, &[LARGE, LARGE, LARGE, LARGE, LARGE, SMALL, SMALL]);
            let large = usize::try_from(parallel).unwrap() - 1;
            let expected: Vec<usize> = (0..large).chain([5]).collect();
            assert_eq!(begun(&mut places), expected, "{parallel} at once");
            places.end(5);
            assert_eq!(begun(&mut places), [6], "{parallel} at once");
        }
    }

    #[test]
    fn one_that_is_held_up_begins_again_when_another_has_ended() {
        let mut places = places(3, &[SMALL; 4]);
        assert_eq!(begun(&mut places), [0, 1, 2]);
        places.hold_up(1);
        assert_eq!(begun(&mut places), [3]);
        places.end(2);
        assert_eq!(begun(&mut places), [1]);
    }

    #[test]
    fn one_at_a_time_takes_large_and_small_in_their_order() {
        let mut places = places(1, &[LARGE, SMALL, LARGE]);
        for expected in 0..3 {
            assert_eq!(begun(&mut places), [expected]);
            places.end(expected);
        }
    }
}
