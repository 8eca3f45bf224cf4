//! The time, what the clock is worth, and new log entries that carry both.

use pki::{
    clock, platform,
    random::{NoRandomness, random_bytes},
};
use protocol::entry::{Entry, Event};

/// An entry for the send log, with time, clock state and salt. The log gives it its place.
pub(crate) fn entry(event: Event) -> Result<Entry, NoRandomness> {
    Ok(Entry::new(event, clock::now(), platform::clock_state(), random_bytes::<16>()?))
}
