//! Two sides, a wire of buffers between them, and the good case.

use std::{ops::DerefMut, path::Path, sync::Arc};

use protocol::party::Environment;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, Error as TlsError, HandshakeKind, NamedGroup,
    ProtocolVersion, ServerConfig, ServerConnection, SideData,
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::{
    fault::PeerFault,
    pem,
    provider::key_provider,
    testing::{self, Authority, HOST, INSTITUTION},
    tls::{ALPN, Judged, TlsPolicy, TlsServer, client_config},
    trust::Trust,
};

/// A root, one good client and one good server.
pub(super) struct World {
    pub(super) root: Authority,
    pub(super) client: testing::Leaf,
    pub(super) server: testing::Leaf,
}

impl World {
    pub(super) fn new() -> Self {
        let root = Authority::root("root");
        let client = root.leaf(&testing::client_params());
        let server = root.leaf(&testing::server_params());
        World { root, client, server }
    }

    pub(super) fn trust(&self) -> Arc<Trust> {
        Arc::new(testing::trust(&[&self.root.der], &[], &[&self.root.crl(1, &[])]))
    }

    pub(super) fn server(&self, trust: Arc<Trust>, policy: TlsPolicy) -> TlsServer {
        let own = testing::credential(&self.server, &[]);
        TlsServer::new(&own, trust, Environment::Test, policy, Arc::new(|_| ())).unwrap()
    }

    /// What one connection is accepted with.
    pub(super) fn server_config(&self, trust: Arc<Trust>) -> Arc<ServerConfig> {
        self.accepting(trust).0
    }

    pub(super) fn accepting(&self, trust: Arc<Trust>) -> (Arc<ServerConfig>, Judged) {
        self.server(trust, TlsPolicy::default()).connection().unwrap()
    }

    pub(super) fn client_config(&self, trust: Arc<Trust>) -> Arc<ClientConfig> {
        self.client_by(trust, TlsPolicy::default())
    }

    pub(super) fn client_by(&self, trust: Arc<Trust>, policy: TlsPolicy) -> Arc<ClientConfig> {
        let own = testing::credential(&self.client, &[]);
        client_config(&own, trust, "review-agency:113".parse().unwrap(), Environment::Test, policy).unwrap()
    }
}

/// Shows one leaf's certificate and signs with the other's key; neither needs to be fit for anything.
pub(super) fn stolen(shown: &testing::Leaf, signing: &testing::Leaf) -> Arc<SingleCertAndKey> {
    let key = pem::private_key_in(&testing::key_pem(&signing.key), Path::new("key")).unwrap();
    let key = key_provider().load_private_key(key).unwrap();
    Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![shown.der.clone()], key)))
}

/// How a handshake ended on each side.
pub(super) struct Met {
    pub(super) client: Result<ClientConnection, TlsError>,
    pub(super) server: Result<ServerConnection, TlsError>,
}

/// Lets both sides talk until neither has anything to say.
pub(super) fn meet(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Met {
    meet_at(client, server, HOST)
}

pub(super) fn meet_at(client: Arc<ClientConfig>, server: Arc<ServerConfig>, host: &'static str) -> Met {
    let mut client = ClientConnection::new(client, host.try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let (mut client_end, mut server_end) = (Ok(()), Ok(()));
    while client.wants_write() || server.wants_write() {
        server_end = carry(&mut client, &mut server).and(server_end);
        client_end = carry(&mut server, &mut client).and(client_end);
    }
    Met { client: client_end.map(|()| client), server: server_end.map(|()| server) }
}

fn carry<A: SideData, B: SideData>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) -> Result<(), TlsError> {
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire).unwrap();
    }
    let mut unread = wire.as_slice();
    while !unread.is_empty() {
        to.read_tls(&mut unread).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn two_good_peers_meet_by_a_full_tls_1_3_handshake_with_the_hybrid_group() {
    let world = World::new();
    let met = meet(world.client_config(world.trust()), world.server_config(world.trust()));
    let (client, server) = (met.client.unwrap(), met.server.unwrap());
    for common in [&**client, &**server] {
        assert_eq!(common.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        assert_eq!(common.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(common.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
        assert_eq!(common.alpn_protocol(), Some(ALPN));
    }
}

#[test]
fn the_server_learns_who_the_client_is() {
    let world = World::new();
    let (accepting, judged) = world.accepting(world.trust());
    let met = meet(world.client_config(world.trust()), accepting);
    let peer = judged.peer(&met.server.unwrap()).unwrap();
    assert_eq!(peer.identity().to_uri(), INSTITUTION);
    assert_eq!(peer.fingerprint(), protocol::digest::Sha256::of(&world.client.der));
    assert_eq!(peer.serial(), world.client.serial.to_string().replace(':', ""));
    assert_eq!(peer.grace(), None);
}

#[test]
fn nobody_is_known_before_the_handshake_is_over_or_from_another_connection() {
    let world = World::new();
    let (accepting, judged) = world.accepting(world.trust());
    let beginning = ServerConnection::new(accepting).unwrap();
    assert_eq!(judged.peer(&beginning).unwrap_err(), PeerFault::NoCert);
    let met = meet(world.client_config(world.trust()), world.server_config(world.trust()));
    assert_eq!(judged.peer(&met.server.unwrap()).unwrap_err(), PeerFault::NoCert);
    // Two connections, two clients, and the handles exchanged.
    let other = World { client: world.root.leaf(&testing::client_params()), ..World::new() };
    let (accepting, judged) = world.accepting(world.trust());
    assert!(meet(world.client_config(world.trust()), accepting).server.is_ok());
    let met = meet(other.client_config(world.trust()), world.server_config(world.trust()));
    assert_eq!(judged.peer(&met.server.unwrap()).unwrap_err(), PeerFault::Other);
}
