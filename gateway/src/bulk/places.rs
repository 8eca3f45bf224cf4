//! Where requests are handled: places in memory that a core keeps, so that no connection needs room for a request while it
//! waits for one, and none is made for each.

use std::{cell::RefCell, io};

use tokio_util::sync::ReusableBoxFuture;

use super::Next;

/// Places that a core keeps while nothing runs in them, of a few KiB each: as many as requests are usually being handled at
/// a time.
const PLACES_MAX: usize = 32;

type Place = ReusableBoxFuture<'static, io::Result<Next>>;

thread_local! {
    static FREE: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// Runs this in one of them. What it held is gone with its end; cut short, it goes with its place.
pub fn run(
    handling: impl Future<Output = io::Result<Next>> + Send + 'static,
) -> impl Future<Output = io::Result<Next>> + Send {
    // Before the future is made, which would keep room for it.
    let mut place = take(handling);
    async move {
        let next = (&mut place).await;
        FREE.with_borrow_mut(|free| {
            if free.len() < PLACES_MAX {
                free.push(place);
            }
        });
        next
    }
}

fn take(handling: impl Future<Output = io::Result<Next>> + Send + 'static) -> Place {
    match FREE.with_borrow_mut(Vec::pop) {
        Some(mut place) => {
            place.set(handling);
            place
        }
        None => Place::new(handling),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_a_request_held_is_gone_with_its_end_and_the_next_one_takes_its_place() {
        let held = Arc::new(());
        for _ in 0..3 {
            let holds = Arc::clone(&held);
            let next = run(async move {
                tokio::task::yield_now().await;
                drop(Arc::clone(&holds));
                Ok(Next::Request)
            });
            assert!(matches!(next.await, Ok(Next::Request)));
            assert_eq!(Arc::strong_count(&held), 1);
            assert_eq!(FREE.with_borrow(Vec::len), 1);
        }
    }

    #[test]
    fn whoever_runs_a_request_has_no_room_for_it_but_its_place() {
        let small = run(async { Ok(Next::Request) });
        let large = run(async {
            let room = [0u8; 4096];
            tokio::task::yield_now().await;
            Ok(if room.contains(&1) { Next::Close } else { Next::Request })
        });
        assert_eq!(size_of_val(&small), size_of_val(&large));
    }

    #[tokio::test]
    async fn a_core_keeps_no_more_places_than_it_may() {
        let many = (0..2 * PLACES_MAX).map(|_| {
            let one = async {
                tokio::task::yield_now().await;
                Ok(Next::Close)
            };
            Box::pin(run(one))
        });
        let mut many: Vec<_> = many.collect();
        for running in &mut many {
            let begun = std::future::poll_fn(|context| running.as_mut().poll(context).is_pending().into());
            assert!(begun.await);
        }
        for running in many {
            assert!(matches!(running.await, Ok(Next::Close)));
        }
        assert_eq!(FREE.with_borrow(Vec::len), PLACES_MAX);
    }
}
