//! Who stands at the other end of an accepted connection, and what they are permitted to do.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use pki::peer::PeerIdentity;
use protocol::{
    entry::Subject, kind::System, party::Identity, permission::Action, problem::Problem,
    transfer_id::TransferKey,
};

use tokio::time::sleep;

use crate::{
    in_force::InForce, intake::Ends, limits::REQUEST_WAIT_MAX, live::LiveConnection, stop::Stop,
    stream::Credentials, turned::Turned,
};

/// A peer whose certificate was judged.
#[derive(Clone, Debug)]
pub struct Peer {
    identity: Arc<PeerIdentity>,
    /// The connection's two ends.
    pub ends: Ends,
    /// Keeps its place in the table of live connections for as long as anything is done for it.
    live: Arc<LiveConnection>,
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

/// Who came from where, for the log.
pub fn subject_of(peer: &PeerIdentity, source: SocketAddr) -> Subject {
    Subject {
        identity: peer.identity().clone(),
        issuer: peer.issuer().to_owned(),
        serial: peer.serial().to_owned(),
        address: source.to_string(),
    }
}

impl Peer {
    /// The holder of this identity, on this connection.
    pub fn new(identity: Arc<PeerIdentity>, ends: Ends, live: Arc<LiveConnection>) -> Self {
        Peer { identity, ends, live }
    }

    /// The connection's number.
    pub fn connection(&self) -> u64 {
        self.live.id
    }

    /// The place of its listener in the list.
    pub fn listener(&self) -> usize {
        self.live.accepted.listener
    }

    /// Tells the connection to end.
    pub fn stop(&self) -> &Stop {
        &self.live.stop
    }

    /// Was its certificate or right withdrawn? Then nothing that it began may be committed.
    pub fn is_ended(&self) -> bool {
        self.live.stop.told().is_some()
    }

    /// What its certificate says.
    pub fn certificate(&self) -> &PeerIdentity {
        &self.identity
    }

    /// Environment, role and codes.
    pub fn identity(&self) -> &Identity {
        self.identity.identity()
    }

    /// What a system behind the gateway is told of it.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.live.shown.credentials(self.identity())
    }

    /// Waits for the turn of one more request of its identity: whoever asks faster than it may is slowed down, and then
    /// told when to come back. Dropping the future gives a turn away.
    pub async fn take_turn(&self, per_second: u32) -> Result<(), Turned> {
        let turn = self.live.take_turn(per_second, Instant::now());
        // A no comes no sooner than a turn: else refusals could be had as fast as the machine makes them.
        let wait = turn.unwrap_or(REQUEST_WAIT_MAX);
        if !wait.is_zero() {
            sleep(wait).await;
        }
        turn.map(|_| ()).map_err(|too_fast| Turned::too_many_requests(too_fast.again_in))
    }

    /// Who it was, for the log.
    pub fn subject(&self) -> Subject {
        subject_of(&self.identity, self.ends.source)
    }

    /// May the peer's role do this here, by the rights in force?
    pub fn permit(&self, in_force: &InForce, system: System, action: Action) -> Result<Permit, Problem> {
        if self.is_ended() {
            return Err(Problem::Revoked);
        }
        if in_force.permits(self.identity().role(), system, action) {
            Ok(Permit { peer: self.clone() })
        } else {
            Err(Problem::NotPermitted)
        }
    }

    /// As [`Peer::permit`], and is the transfer one of the peer's own? Another party's answers exactly as one that
    /// does not exist.
    pub fn permit_transfer(
        &self,
        in_force: &InForce,
        system: System,
        action: Action,
        key: TransferKey,
    ) -> Result<TransferPermit, Problem> {
        let permit = self.permit(in_force, system, action)?;
        let own = self.identity().acts_for(&key.sender);
        if own { Ok(TransferPermit { permit, key }) } else { Err(Problem::NotFound) }
    }
}
