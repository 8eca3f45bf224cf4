//! Servers that a client must turn away, and the client's own exact reason.

use std::sync::Arc;

use protocol::party::Environment;
use rcgen::CertificateParams;

use crate::{
    credential::CredentialFault,
    fault::PeerFault,
    oid,
    testing::{
        self, Authority, HOST, dns, leaf_params,
        world::{World, meet, meet_at, stolen},
    },
    tls::{TlsFault, TlsPolicy, TlsServer, client_config, own_refusal},
};

/// The client's reason to refuse a server with this certificate.
fn refusal_of(params: &CertificateParams) -> Option<PeerFault> {
    let world = World::new();
    let impostor = world.root.leaf(params);
    let mut server = (*world.server_config(world.trust())).clone();
    server.cert_resolver =
        Arc::new(rustls::sign::SingleCertAndKey::from(testing::credential(&impostor, &[]).certified()));
    let met = meet(world.client_config(world.trust()), Arc::new(server));
    assert!(met.server.is_err(), "the server was not told");
    own_refusal(&met.client.err()?)
}

fn server_named(identity: &str, host: &str) -> CertificateParams {
    let mut params = leaf_params(identity, oid::SERVER_AUTH);
    params.subject_alt_names.push(dns(host));
    params
}

#[test]
fn a_server_of_another_name_is_refused() {
    assert_eq!(
        refusal_of(&server_named(testing::CENTRE, "elsewhere.example")),
        Some(PeerFault::NameNotAllowed)
    );
}

#[test]
fn a_good_server_dialled_by_another_name_is_refused() {
    let world = World::new();
    let met =
        meet_at(world.client_config(world.trust()), world.server_config(world.trust()), "elsewhere.example");
    assert_eq!(own_refusal(&met.client.unwrap_err()), Some(PeerFault::NameNotAllowed));
}

#[test]
fn a_server_of_another_role_is_refused() {
    let insurer = server_named("urn:sekisho:test:insurer:06130001", HOST);
    assert_eq!(refusal_of(&insurer), Some(PeerFault::WrongRole));
}

#[test]
fn a_server_of_another_party_of_the_same_role_is_refused() {
    let osaka = server_named("urn:sekisho:test:review-agency:127", HOST);
    assert_eq!(refusal_of(&osaka), Some(PeerFault::WrongParty));
}

#[test]
fn a_server_of_the_other_environment_is_refused() {
    let production = server_named("urn:sekisho:production:review-agency:113", HOST);
    assert_eq!(refusal_of(&production), Some(PeerFault::WrongEnvironment));
}

#[test]
fn a_client_certificate_does_not_make_a_server() {
    let mut params = leaf_params(testing::CENTRE, oid::CLIENT_AUTH);
    params.subject_alt_names.push(dns(HOST));
    assert_eq!(refusal_of(&params), Some(PeerFault::WrongEku));
}

#[test]
fn a_revoked_server_is_refused() {
    let world = World::new();
    let list = world.root.crl(2, &[&world.server.serial]);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&list]));
    let met = meet(world.client_config(trust), world.server_config(world.trust()));
    assert_eq!(own_refusal(&met.client.unwrap_err()), Some(PeerFault::Revoked));
}

#[test]
fn a_server_with_anothers_certificate_and_its_own_key_is_refused() {
    let world = World::new();
    let thief = world.root.leaf(&testing::server_params());
    let mut server = (*world.server_config(world.trust())).clone();
    server.cert_resolver = stolen(&world.server, &thief);
    let met = meet(world.client_config(world.trust()), Arc::new(server));
    assert_eq!(own_refusal(&met.client.unwrap_err()), Some(PeerFault::BadSignature));
}

#[test]
fn a_server_of_tls_1_2_is_refused() {
    let world = World::new();
    let library = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(library)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(stolen(&world.server, &world.server));
    assert!(meet(world.client_config(world.trust()), Arc::new(server)).client.is_err());
}

#[test]
fn our_own_certificate_of_the_wrong_profile_is_refused_at_start() {
    let world = World::new();
    let own = testing::credential(&world.client, &[]);
    let policy = TlsPolicy::default();
    let refused =
        TlsServer::new(&own, world.trust(), Environment::Test, policy, Arc::new(|_| ())).unwrap_err();
    assert!(matches!(refused, TlsFault::Credential(CredentialFault::Unfit(PeerFault::WrongEku))));
}

#[test]
fn production_does_not_start_with_a_labs_anchor_or_certificate() {
    let mut marked = testing::authority_params("lab root");
    marked.custom_extensions.push(testing::test_only());
    let lab = Authority::root_of(marked);
    let trust = Arc::new(testing::trust(&[&lab.der], &[], &[&lab.crl(1, &[])]));
    let mut params = leaf_params("urn:sekisho:production:institution:1310000018", oid::CLIENT_AUTH);
    let agency = "review-agency:113";
    let start = |params: &CertificateParams| {
        let own = testing::credential(&lab.leaf(params), &[]);
        client_config(
            &own,
            Arc::clone(&trust),
            agency.parse().unwrap(),
            Environment::Production,
            TlsPolicy::default(),
        )
        .unwrap_err()
    };
    assert!(matches!(start(&params), TlsFault::LabAnchor));
    params.custom_extensions.push(testing::test_only());
    assert!(matches!(start(&params), TlsFault::Credential(CredentialFault::LabCertificate)));
}

#[test]
fn a_test_certificate_does_not_start_production() {
    let world = World::new();
    let own = testing::credential(&world.client, &[]);
    let refused = client_config(
        &own,
        world.trust(),
        "review-agency:113".parse().unwrap(),
        Environment::Production,
        TlsPolicy::default(),
    )
    .unwrap_err();
    assert!(matches!(refused, TlsFault::Credential(CredentialFault::WrongEnvironment { .. })));
}
