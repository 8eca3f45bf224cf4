//! The way out of a contradiction in a centre's log, for a person who has looked into it.

use std::path::Path;

use protocol::{
    entry::{Entry, Event},
    party::{Environment, Party},
};

use super::{Fork, Store, StoreFault, read_centres, send_log::LogFault};
use crate::stamp;

/// The contradiction of this centre's log that is on record in a state directory, if there is one.
pub fn recorded_fork(root: &Path, centre: &Party) -> Result<Option<Fork>, StoreFault> {
    Ok(read_centres(root)?.of(centre).and_then(|known| known.fork.clone()))
}

/// Takes the log that contradicted the one known before for this centre's log from now on. Both heads stay on record, and
/// an entry in the send log, which is durable first, says what was accepted and when. Nothing, if nothing is to be
/// accepted.
pub fn accept_fork(
    root: &Path,
    environment: Environment,
    party: &Party,
    centre: &Party,
) -> Result<Option<Fork>, StoreFault> {
    if recorded_fork(root, centre)?.is_none() {
        // Opening would begin a log where none is.
        return Ok(None);
    }
    let mut store = Store::open(root, environment, party)?;
    let Some(fork) = store.centre(centre).and_then(|known| known.fork.clone()) else { return Ok(None) };
    let entry = stamp::entry(Event::LogAccepted).map_err(LogFault::from)?;
    store.log.append(Entry { note: Some(fork.shown.clone()), ..entry })?;
    store.update_centre(centre, |known| known.accept_fork(pki::clock::now()))?;
    Ok(Some(fork))
}
