//! Cases 1 to 7: nobody comes back without being judged anew.
//!
//! Our servers give nothing to come back with, so the clients here got it elsewhere: from a generous server, which has our
//! server's certificate, resumes, and takes early data.

use std::sync::{Arc, Mutex};

use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, NamedGroup, ServerConfig,
    ServerConnection,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    crypto::aws_lc_rs::{self, kx_group},
};
use rustls_pki_types::ServerName;

use crate::{
    fault::PeerFault,
    testing::{
        self, HOST,
        world::{Met, World, meet, meet_at, stolen},
    },
    tls::{ALPN, TlsPolicy, Versions, own_refusal},
};

/// Keeps what any server gives, and shows it to every other, whatever its name.
#[derive(Debug, Default)]
struct Hoard {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
}

impl Hoard {
    fn holds_something(&self) -> bool {
        self.tls12.lock().unwrap().is_some() || !self.tls13.lock().unwrap().is_empty()
    }
}

impl ClientSessionStore for Hoard {
    fn set_kx_hint(&self, _server_name: ServerName<'static>, _group: NamedGroup) {}

    fn kx_hint(&self, _server_name: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _server_name: ServerName<'static>, value: Tls12ClientSessionValue) {
        *self.tls12.lock().unwrap() = Some(value);
    }

    fn tls12_session(&self, _server_name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _server_name: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _server_name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tls13.lock().unwrap().push(value);
    }

    fn take_tls13_ticket(&self, _server_name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop()
    }
}

/// Both versions that a listener may speak, each alone at the client.
const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// A listener that speaks both.
const BOTH: TlsPolicy =
    TlsPolicy { versions: Versions::Tls13AndTls12, groups: crate::tls::Groups::HybridFirst };

/// Whether a client has a certificate to show.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Certificate,
    Nothing,
}

/// A client of this world that hoards, and where it does.
fn hoarder(
    world: &World,
    version: &'static rustls::SupportedProtocolVersion,
    shows: Shows,
) -> (Arc<ClientConfig>, Arc<Hoard>) {
    let hoard = Arc::new(Hoard::default());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(world.root.der.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let mut client = match shows {
        Shows::Certificate => client.with_client_cert_resolver(stolen(&world.client, &world.client)),
        Shows::Nothing => client.with_no_client_auth(),
    };
    client.alpn_protocols = vec![ALPN.to_vec()];
    client.resumption = Resumption::store(Arc::clone(&hoard) as _);
    client.enable_early_data = true;
    (Arc::new(client), hoard)
}

/// A server with our server's certificate that remembers everybody, and takes early data from those it knows.
fn generous(world: &World) -> ServerConfig {
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(stolen(&world.server, &world.server));
    server.alpn_protocols = vec![ALPN.to_vec()];
    server.max_early_data_size = 1024;
    server
}

/// A hoarder of each version, with something to come back with that would do at the generous server.
fn laden(world: &World) -> Vec<Arc<ClientConfig>> {
    laden_showing(world, Shows::Certificate)
}

fn laden_showing(world: &World, shows: Shows) -> Vec<Arc<ClientConfig>> {
    let mut generous = generous(world);
    generous.ticketer = aws_lc_rs::Ticketer::new().unwrap();
    let generous = Arc::new(generous);
    let clients = VERSIONS.iter().map(|version| {
        let (client, hoard) = hoarder(world, version, shows);
        assert!(meet(Arc::clone(&client), Arc::clone(&generous)).client.is_ok());
        assert!(hoard.holds_something(), "nothing to come back with");
        let again = meet(Arc::clone(&client), Arc::clone(&generous)).client.unwrap();
        assert_eq!(again.handshake_kind(), Some(HandshakeKind::Resumed), "what it holds is worth nothing");
        client
    });
    clients.collect()
}

/// The kind of a handshake that both sides ended well.
fn kind(met: Met) -> Option<HandshakeKind> {
    let (client, server) = (met.client.unwrap(), met.server.unwrap());
    assert_eq!(client.handshake_kind(), server.handshake_kind());
    server.handshake_kind()
}

fn refusal(met: Met) -> Option<PeerFault> {
    own_refusal(&met.server.unwrap_err())
}

#[test]
fn case_01_a_ticket_obtained_under_one_name_is_not_resumed_under_another_that_needs_another_authority() {
    let (world, other) = (World::new(), World::new());
    for client in laden(&world) {
        let server = other.server(other.trust(), BOTH).connection().unwrap().0;
        // The other server is dialled by its own name; the client shows what it got under the first one.
        let met = meet_at(client, server, "other.example");
        assert!(met.server.is_err());
    }
    for client in laden(&world) {
        let server = world.server(world.trust(), BOTH).connection().unwrap().0;
        assert_eq!(kind(meet_at(client, server, HOST)), Some(HandshakeKind::Full));
    }
}

#[test]
fn case_02_after_a_reload_of_lists_or_authorities_no_ticket_from_before_resumes() {
    let world = World::new();
    let revoking = testing::trust(&[&world.root.der], &[], &[&world.root.crl(2, &[&world.client.serial])]);
    let stranger = testing::Authority::root("stranger");
    let other_anchors = testing::trust(&[&stranger.der], &[], &[&stranger.crl(1, &[])]);
    for client in laden(&world) {
        let accept = |trust| world.server(Arc::new(trust), BOTH).connection().unwrap().0;
        assert_eq!(refusal(meet(Arc::clone(&client), accept(revoking.clone()))), Some(PeerFault::Revoked));
        let refused = refusal(meet(client, accept(other_anchors.clone())));
        assert_eq!(refused, Some(PeerFault::UnknownCa));
    }
}

#[test]
fn case_03_two_connections_share_no_ticket_key_and_no_session_store_whether_of_one_listener_or_of_two() {
    let (world, other) = (World::new(), World::new());
    let servers = [world.server(world.trust(), BOTH), other.server(other.trust(), BOTH)];
    for server in servers.iter().chain(&servers) {
        let (config, _) = server.connection().unwrap();
        assert!(!config.session_storage.can_cache() && !config.ticketer.enabled());
        assert_eq!((config.send_tls13_tickets, config.max_tls13_tickets), (0, 0));
    }
    for version in VERSIONS {
        let (client, hoard) = hoarder(&world, version, Shows::Certificate);
        for _ in 0..2 {
            let config = servers[0].connection().unwrap().0;
            assert_eq!(kind(meet(Arc::clone(&client), config)), Some(HandshakeKind::Full));
        }
        assert!(!hoard.holds_something(), "the server gave something to come back with");
    }
}

#[test]
fn case_04_a_ticket_from_where_no_certificate_was_asked_for_does_not_spare_it_where_one_is() {
    let world = World::new();
    for client in laden_showing(&world, Shows::Nothing) {
        let server = world.server(world.trust(), BOTH).connection().unwrap().0;
        assert_eq!(refusal(meet(client, server)), Some(PeerFault::NoCert));
    }
}

#[test]
fn case_05_a_ticket_of_a_client_whose_certificate_has_ended_since_is_refused() {
    let mut world = World::new();
    let mut ended = testing::client_params();
    ended.not_before = testing::today() - time::Duration::days(2);
    ended.not_after = testing::today() - time::Duration::minutes(1);
    world.client = world.root.leaf(&ended);
    for client in laden(&world) {
        let server = world.server(world.trust(), BOTH).connection().unwrap().0;
        assert_eq!(refusal(meet(client, server)), Some(PeerFault::Expired));
    }
}

#[test]
fn case_06_early_data_is_never_taken_even_from_a_client_that_may_send_it_elsewhere() {
    let world = World::new();
    let (client, _) = hoarder(&world, &rustls::version::TLS13, Shows::Certificate);
    // Only a server that keeps sessions itself takes early data, so that it can be sent once only.
    assert!(meet(Arc::clone(&client), Arc::new(generous(&world))).client.is_ok());
    let mut client = ClientConnection::new(client, HOST.try_into().unwrap()).unwrap();
    let early = b"POST /v1/transfers HTTP/1.1";
    std::io::Write::write_all(&mut client.early_data().expect("early data is possible"), early).unwrap();
    let (config, judged) = world.server(world.trust(), BOTH).connection().unwrap();
    assert_eq!(config.max_early_data_size, 0);
    let mut server = ServerConnection::new(config).unwrap();
    testing::world::talk(&mut client, &mut server).unwrap();
    assert!(!client.is_early_data_accepted());
    assert!(server.early_data().is_none());
    assert!(judged.peer(&server).is_ok());
    let mut read = [0; 64];
    let nothing = std::io::Read::read(&mut server.reader(), &mut read).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

/// The bytes of a first message from this client.
fn hello(config: ClientConfig) -> Vec<u8> {
    let mut client = ClientConnection::new(Arc::new(config), HOST.try_into().unwrap()).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// What a server of this policy says to a TLS 1.3 hello that it asks to be repeated, and to a TLS 1.2 hello that comes
/// instead.
fn repeated_as_tls12(policy: TlsPolicy) -> (rustls::Error, Vec<u8>) {
    let world = World::new();
    let client = |version, groups: Vec<&'static dyn rustls::crypto::SupportedKxGroup>| {
        let provider = rustls::crypto::CryptoProvider { kx_groups: groups, ..aws_lc_rs::default_provider() };
        let config =
            ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]);
        config.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    };
    // A key share that the server has no use for, beside a group that it has.
    let first = hello(client(&rustls::version::TLS13, vec![kx_group::SECP256R1MLKEM768, kx_group::X25519]));
    let second = hello(client(&rustls::version::TLS12, vec![kx_group::X25519]));
    let mut server =
        ServerConnection::new(world.server(world.trust(), policy).connection().unwrap().0).unwrap();
    server.read_tls(&mut first.as_slice()).unwrap();
    server.process_new_packets().unwrap();
    let mut retry = Vec::new();
    server.write_tls(&mut retry).unwrap();
    // A server hello, by its random value one that asks for a repetition (RFC 8446 section 4.1.3).
    assert_eq!((retry[0], retry[5], retry[11]), (0x16, 0x02, 0xcf));
    server.read_tls(&mut second.as_slice()).unwrap();
    let error = server.process_new_packets().unwrap_err();
    let mut said = Vec::new();
    while server.wants_write() {
        server.write_tls(&mut said).unwrap();
    }
    (error, said)
}

#[test]
fn case_07_a_tls_1_2_hello_after_a_hello_retry_request_of_tls_1_3_is_refused() {
    let (_, said) = repeated_as_tls12(TlsPolicy::default());
    let protocol_version = u8::from(AlertDescription::ProtocolVersion);
    assert!(said.ends_with(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, protocol_version]), "{said:x?}");
    let (error, _) = repeated_as_tls12(BOTH);
    assert!(own_refusal(&error).is_none(), "it was refused for its certificate, so it got that far: {error}");
}
