//! The good case, and who was judged in it.

use rustls::{HandshakeKind, NamedGroup, ProtocolVersion, ServerConfig, ServerConnection};

use crate::{
    fault::PeerFault,
    testing::{
        self, INSTITUTION,
        world::{World, meet},
    },
    tls::{ALPN, for_content, is_bulk},
};

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
fn who_asks_for_the_engine_for_content_gets_it_and_a_server_without_it_is_met_by_the_usual_one() {
    let world = World::new();
    let content = for_content(&world.client_config(world.trust()));
    let met = meet(content.clone(), world.server_config(world.trust()));
    assert!(is_bulk(&met.client.unwrap()) && is_bulk(&met.server.unwrap()));
    let mut older = ServerConfig::clone(&world.server_config(world.trust()));
    older.alpn_protocols = vec![ALPN.to_vec()];
    let met = meet(content, older.into());
    assert_eq!(met.client.unwrap().alpn_protocol(), Some(ALPN));
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
