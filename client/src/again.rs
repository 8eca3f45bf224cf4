//! A file that was taken up before: its transfer goes on, or has arrived. What is said of the file now must then stand in
//! the manifest that was signed before; nothing is dropped silently.

use protocol::{sender::Phase, statement::Manifest, transfer_id::TransferId};

use crate::{error::SendError, filing::Filed, source::Examined, store::Transfer};

/// What a transfer is to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It is to be counted instead of that one.
    Replaces(TransferId),
    /// It corrects some claims of that one.
    Corrects(TransferId),
}

impl std::fmt::Display for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Mark::Replaces(id) => write!(f, "replaces {id}"),
            Mark::Corrects(id) => write!(f, "corrects {id}"),
        }
    }
}

/// The newest transfer of the same content that is unfinished, or that arrived and is not to be sent once more.
///
/// # Errors
/// If there is one, and none with the marks that the file is to bear now.
pub(crate) fn find<'a>(
    known: &'a [Transfer],
    examined: &Examined,
    filed: &Filed,
) -> Result<Option<&'a Transfer>, SendError> {
    let same =
        known.iter().rev().filter(|old| is_same(&old.manifest, examined, filed) && goes_on(old, filed));
    let mut lacking = None;
    for old in same {
        match missing_mark(&old.manifest, filed) {
            None => return Ok(Some(old)),
            Some(mark) => _ = lacking.get_or_insert((old, mark)),
        }
    }
    match lacking {
        None => Ok(None),
        Some((old, mark)) => {
            let arrived = old.phase() == Phase::Received;
            Err(SendError::FiledOtherwise { id: old.id(), mark, arrived })
        }
    }
}

/// The same content from the same sender to the same receiver, as the same kind.
fn is_same(old: &Manifest, examined: &Examined, filed: &Filed) -> bool {
    old.sha256 == examined.sha256
        && old.sender == filed.sender
        && old.receiver == filed.receiver
        && old.kind == filed.kind
}

fn goes_on(old: &Transfer, filed: &Filed) -> bool {
    let same_resubmission = old.manifest.resubmission_of == filed.resubmission_of;
    match old.phase() {
        Phase::Received => filed.resubmission_of.is_none() || same_resubmission,
        phase => !phase.is_final() && same_resubmission,
    }
}

/// The first mark that is wanted and does not stand in this manifest. A file that is sent again without its marks is
/// still the same file.
fn missing_mark(old: &Manifest, filed: &Filed) -> Option<Mark> {
    let replaces = filed.replaces.filter(|id| old.replaces != Some(*id)).map(Mark::Replaces);
    let corrects = filed.corrects.filter(|id| old.corrects != Some(*id)).map(Mark::Corrects);
    replaces.or(corrects)
}
