//! What each side does so that nobody comes back without being judged anew; see also the cases 1 to 7.

use std::sync::Arc;

use rustls::HandshakeKind;

use crate::{
    signatures::Signatures,
    testing::world::{World, meet, stolen},
    tls::{ALPN, TlsPolicy},
};

#[test]
fn a_configuration_serves_one_connection_only() {
    let world = World::new();
    let server = world.server_config(world.trust());
    assert!(meet(world.client_config(world.trust()), Arc::clone(&server)).server.is_ok());
    assert!(meet(world.client_config(world.trust()), server).server.is_err());
}

#[test]
fn our_client_comes_back_by_a_full_handshake_even_if_the_server_would_resume() {
    let world = World::new();
    // The library's own server, which resumes unless told otherwise.
    let policy = TlsPolicy::default();
    let mut server = rustls::ServerConfig::builder_with_provider(policy.provider(Signatures::Usual))
        .with_protocol_versions(policy.versions())
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(stolen(&world.server, &world.server));
    server.alpn_protocols = vec![ALPN.to_vec()];
    let (client, server) = (world.client_config(world.trust()), Arc::new(server));
    for _ in 0..2 {
        let met = meet(Arc::clone(&client), Arc::clone(&server));
        assert_eq!(met.client.unwrap().handshake_kind(), Some(HandshakeKind::Full));
    }
}
