//! Nobody comes back without being judged anew.

use std::sync::Arc;

use rustls::{HandshakeKind, client::Resumption};

use super::peers::{World, meet, stolen};
use crate::{
    signatures::Signatures,
    testing,
    tls::{ALPN, TlsPolicy},
};

/// A client that would resume if it could, since a peer's settings are not ours.
fn eager(world: &World) -> Arc<rustls::ClientConfig> {
    let mut config = (*world.client_config(world.trust())).clone();
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    Arc::new(config)
}

#[test]
fn a_client_that_would_resume_gets_a_full_handshake_every_time() {
    let world = World::new();
    let (client, server) = (eager(&world), world.server(world.trust(), TlsPolicy::default()));
    for _ in 0..2 {
        let met = meet(Arc::clone(&client), server.connection().unwrap().0);
        assert_eq!(met.client.unwrap().handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(met.server.unwrap().handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[test]
fn a_client_revoked_since_its_last_visit_is_refused() {
    let world = World::new();
    let client = eager(&world);
    assert!(meet(Arc::clone(&client), world.server_config(world.trust())).server.is_ok());
    let list = world.root.crl(2, &[&world.client.serial]);
    let reloaded = Arc::new(testing::trust(&[&world.root.der], &[], &[&list]));
    assert!(meet(client, world.server_config(reloaded)).server.is_err());
}

#[test]
fn a_configuration_serves_one_connection_only() {
    let world = World::new();
    let server = world.server_config(world.trust());
    assert!(meet(world.client_config(world.trust()), Arc::clone(&server)).server.is_ok());
    assert!(meet(world.client_config(world.trust()), server).server.is_err());
}

#[test]
fn the_server_sends_no_ticket_keeps_no_session_and_takes_no_early_data() {
    let world = World::new();
    let config = world.server_config(world.trust());
    assert_eq!((config.send_tls13_tickets, config.max_early_data_size), (0, 0));
    assert!(!config.session_storage.can_cache());
    assert!(!config.ticketer.enabled());
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

#[test]
fn a_server_that_offers_resumption_is_resumed_by_the_eager_client_of_these_tests() {
    // Else the tests above would pass whatever the settings.
    let world = World::new();
    let mut server = (*world.server_config(world.trust())).clone();
    server.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    server.send_tls13_tickets = 2;
    let (client, server) = (eager(&world), Arc::new(server));
    assert!(meet(Arc::clone(&client), Arc::clone(&server)).client.is_ok());
    let again = meet(client, server).client.unwrap();
    assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed));
}
