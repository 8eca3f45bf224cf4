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

/// Proof that the peer's role may do this here. No handler runs without one; only [`Peer::permit`] makes it.
#[derive(Debug)]
pub struct Permit {
    peer: Peer,
}

impl Permit {
    /// Who was permitted.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }
}

/// Proof that the peer may do this to this transfer, which is its own. Only [`Peer::permit_transfer`] makes it.
#[derive(Debug)]
pub struct TransferPermit {
    permit: Permit,
    key: TransferKey,
}

impl TransferPermit {
    /// Who was permitted.
    pub fn peer(&self) -> &Peer {
        self.permit.peer()
    }

    /// Which transfer.
    pub fn key(&self) -> &TransferKey {
        &self.key
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
        if allowed { Ok(Permit { peer: self.clone() }) } else { Err(Problem::NotPermitted) }
    }

    /// As [`Peer::permit`], and is the transfer one of the peer's own? Another party's answers exactly as one that
    /// does not exist.
    pub fn permit_transfer(
        &self,
        receivers: &[Party],
        system: System,
        action: Action,
        key: TransferKey,
    ) -> Result<TransferPermit, Problem> {
        let permit = self.permit(receivers, system, action)?;
        let own = self.identity().acts_for(&key.sender);
        if own { Ok(TransferPermit { permit, key }) } else { Err(Problem::NotFound) }
    }
}
