//! Rounds that are fair to all: everybody is measured in each, forwards and then backwards, so that what else happens on
//! the machine, and what one leaves behind for the next, hits all alike. And where the load runs.

use std::{panic::resume_unwind, thread};

use anyhow::ensure;
use rustix::thread::{CpuSet, sched_setaffinity};

use super::{
    kit::Kit,
    product::{LOAD_CORE, Running, SERVER_CORE},
};

/// What was measured of each, round by round.
pub struct Measured<T>(Vec<Vec<T>>);

impl<T> Measured<T> {
    /// Rounds of the one at this place.
    pub fn of(&self, place: usize) -> &[T] {
        self.0.get(place).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Measures everybody in every round.
pub async fn rounds<T>(
    kit: &Kit,
    what: &str,
    running: &[Running],
    mut measure: impl AsyncFnMut(&Running) -> anyhow::Result<T>,
) -> anyhow::Result<Measured<T>> {
    let mut measured: Vec<Vec<T>> = running.iter().map(|_| Vec::new()).collect();
    for round in 0..kit.scale.rounds {
        eprintln!("{what}: round {} of {}", round + 1, kit.scale.rounds);
        let mut order: Vec<usize> = (0..running.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for place in order {
            if let (Some(product), Some(figures)) = (running.get(place), measured.get_mut(place)) {
                figures.push(measure(product).await?);
            }
        }
    }
    Ok(Measured(measured))
}

/// Runs load on one core alone; what it starts inherits that, unless it is told otherwise.
pub fn pinned<T: Send>(load: impl AsyncFnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let cores = thread::available_parallelism()?.get();
    ensure!(cores > SERVER_CORE, "a core for the load and one for the product: this machine has {cores}");
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut set = CpuSet::new();
            set.set(LOAD_CORE);
            sched_setaffinity(None, &set)?;
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(load())
        });
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Runs load on every core, beside the products.
pub fn unpinned<T>(load: impl AsyncFnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(load())
}
