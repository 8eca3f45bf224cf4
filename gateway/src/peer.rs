//! Who stands at the other end of an accepted connection, and what they are permitted to do.

use pki::peer::PeerIdentity;
use protocol::{
    entry::Subject,
    kind::System,
    party::{Identity, Party},
    permission::{Action, may},
    problem::Problem,
    transfer_id::TransferKey,
};

use crate::intake::Ends;

/// A peer whose certificate was judged.
#[derive(Clone, Debug)]
pub struct Peer {
    identity: PeerIdentity,
    /// The connection.
    pub ends: Ends,
}

/// Proof that the peer may do this to this transfer, or at all. No handler runs without one; only
/// [`Peer::permit`] and [`Peer::permit_transfer`] make it.
#[derive(Debug)]
pub struct Permit {
    peer: Peer,
    action: Action,
}

impl Permit {
    /// Who was permitted.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// What was permitted.
    pub fn action(&self) -> Action {
        self.action
    }
}

impl Peer {
    /// The holder of this identity, on this connection.
    pub fn new(identity: PeerIdentity, ends: Ends) -> Self {
        Peer { identity, ends }
    }

    /// Environment, role and codes.
    pub fn identity(&self) -> &Identity {
        self.identity.identity()
    }

    /// Who it was, for the log.
    pub fn subject(&self) -> Subject {
        Subject {
            identity: self.identity().clone(),
            issuer: self.identity.issuer().to_owned(),
            serial: self.identity.serial().to_owned(),
            address: self.ends.remote.to_string(),
        }
    }

    /// May the peer's role do this at these receivers, in this system?
    pub fn permit(&self, receivers: &[Party], system: System, action: Action) -> Result<Permit, Problem> {
        let role = self.identity().role();
        let allowed = receivers.iter().any(|receiver| may(role, receiver.role(), system, action));
        if allowed { Ok(Permit { peer: self.clone(), action }) } else { Err(Problem::NotPermitted) }
    }

    /// As [`Peer::permit`], and is the transfer one of the peer's own? Another party's answers exactly as one that
    /// does not exist.
    pub fn permit_transfer(
        &self,
        receivers: &[Party],
        system: System,
        action: Action,
        key: &TransferKey,
    ) -> Result<Permit, Problem> {
        let permit = self.permit(receivers, system, action)?;
        if self.identity().acts_for(&key.sender) { Ok(permit) } else { Err(Problem::NotFound) }
    }
}
