//! What stands in a transfer's way: what goes on record for it, what is told, and whether another turn may help.

use std::{path::PathBuf, time::Duration};

use protocol::{cause::Cause, one_line::in_one_line, problem::Advice};

use super::{
    Drive,
    journal::{self, CutShort},
};
use crate::{
    centre_log::CentreLogFault,
    error::{LastTry, SendError},
    line::{Break, ContentFault, requests::Turned},
    progress::ProgressEvent,
    source::SourceFault,
    store::StoreFault,
};

/// Why a turn did not bring the transfer to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Another turn may, perhaps not before some time.
    Again(LastTry, Option<Duration>),
    /// None will.
    Final(SendError),
}

impl From<SendError> for Trouble {
    fn from(error: SendError) -> Self {
        match error {
            // It was asked for as often as is sensible.
            SendError::CentreLog(CentreLogFault::NoConsistency { .. }) => Trouble::Again(
                LastTry::BadAnswer("a receipt without proof that the centre's log continues"),
                None,
            ),
            error => Trouble::Final(error),
        }
    }
}

impl From<StoreFault> for Trouble {
    fn from(fault: StoreFault) -> Self {
        Trouble::Final(fault.into())
    }
}

impl Drive<'_> {
    /// A no: a refusal is final once it verifies, anything else by its advice.
    pub(super) async fn turned(&mut self, turned: Turned) -> Trouble {
        if let Some(text) = turned.refusal {
            return Trouble::Final(self.refuse(text).await);
        }
        let problem = turned.problem;
        self.progress.event(&ProgressEvent::Failed { reason: format!("{} ({problem})", problem.title()) });
        match problem.advice() {
            Advice::GiveUp => Trouble::Final(SendError::TurnedDown { id: self.transfer.id(), problem }),
            Advice::Retry | Advice::Ask => Trouble::Again(LastTry::Turned(problem), turned.retry_after),
        }
    }

    /// Puts on record that a running attempt ended early, and says so. Says whether there was one.
    pub(super) async fn abort(
        &mut self,
        cause: Cause,
        reached: u64,
        detected_after: Duration,
    ) -> Result<bool, SendError> {
        let detected_ms = u64::try_from(detected_after.as_millis()).unwrap_or(u64::MAX);
        let cut = CutShort { cause, reached, detected_ms };
        let ran = self.write(move |store, transfer| journal::aborted(store, transfer, cut)).await?;
        if ran {
            let at = pki::clock::now();
            self.progress.event(&ProgressEvent::Aborted { cause, offset: reached, at, detected_ms });
        }
        Ok(ran)
    }

    /// Something broke while no content was on its way; a receipt may have been awaited.
    pub(super) async fn break_off(&mut self, broken: Break) -> Trouble {
        let (cause, detected_after) = cause_of_break(&broken);
        let reached = self.transfer.manifest.length;
        match self.abort(cause, reached, detected_after).await {
            Ok(true) => {}
            Ok(false) if matches!(broken, Break::Cut { .. }) => {
                self.progress.event(&ProgressEvent::Failed { reason: broken.to_string() });
            }
            Ok(false) => {}
            Err(error) => return Trouble::Final(error),
        }
        self.trouble(broken)
    }

    /// What follows from a break that is on record.
    pub(super) fn trouble(&self, broken: Break) -> Trouble {
        let path = || PathBuf::from(&self.transfer.record.source);
        let last = match broken {
            Break::OurCertificate(reason) => return Trouble::Final(SendError::CertificateRefused { reason }),
            Break::TheirCertificate(fault) => return Trouble::Final(SendError::CentreNotTrusted { fault }),
            Break::Stopped => return Trouble::Final(SendError::Stopped),
            Break::Content(ContentFault::Changed) => {
                return Trouble::Final(SourceFault::Changed { path: path() }.into());
            }
            Break::Content(ContentFault::Unreadable(source)) => {
                return Trouble::Final(SourceFault::Unreadable { path: path(), source }.into());
            }
            Break::Line(fault) => LastTry::OwnLine(fault),
            Break::NobodyListens { address } => LastTry::NobodyListens(address),
            Break::Unreachable { .. } | Break::Handshake(_) => LastTry::Unreachable(in_one_line(&broken)),
            Break::Cut { cause, .. } => LastTry::Cut(cause),
            Break::BadAnswer(reason) => LastTry::BadAnswer(reason),
        };
        // A cut was told when it was put on record.
        if !matches!(last, LastTry::Cut(_)) {
            self.progress.event(&ProgressEvent::Failed { reason: last.to_string() });
        }
        Trouble::Again(last, None)
    }
}

/// What goes on record for a break, and how long after the last byte it was noticed.
pub(super) fn cause_of_break(broken: &Break) -> (Cause, Duration) {
    match broken {
        Break::Cut { cause, detected_after } => (*cause, *detected_after),
        Break::OurCertificate(_) => (Cause::Revoked, Duration::ZERO),
        Break::Content(_) => (Cause::SourceChanged, Duration::ZERO),
        Break::Stopped => (Cause::Cancelled, Duration::ZERO),
        Break::Unreachable { .. } | Break::Line(_) => (Cause::LinkLost, Duration::ZERO),
        Break::NobodyListens { .. }
        | Break::TheirCertificate(_)
        | Break::Handshake(_)
        | Break::BadAnswer(_) => (Cause::PeerClosed, Duration::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_proof_is_asked_for_again() {
        let missing = CentreLogFault::NoConsistency { from: 1, to: 2 };
        let trouble = Trouble::from(SendError::CentreLog(missing));
        assert!(matches!(trouble, Trouble::Again(LastTry::BadAnswer(_), None)), "{trouble:?}");
        let trouble = Trouble::from(SendError::CentreLog(CentreLogFault::Entry("sender")));
        assert!(matches!(trouble, Trouble::Final(_)), "{trouble:?}");
    }
}
