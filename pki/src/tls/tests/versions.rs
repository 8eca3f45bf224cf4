//! Versions, groups and kinds of key, by what the policy says.

use std::sync::Arc;

use rcgen::{KeyPair, SignatureAlgorithm};
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error as TlsError, NamedGroup,
    PeerIncompatible, ProtocolVersion, ServerConnection,
    crypto::aws_lc_rs::{self, kx_group},
};

use crate::{
    fault::PeerFault,
    policy::Policy,
    signatures::Signatures,
    testing::{
        self, Authority, HOST, INSTITUTION,
        world::{Met, World, meet, stolen},
    },
    tls::{ALPN, Groups, TlsPolicy, Versions, own_refusal},
};

const BOTH: TlsPolicy = TlsPolicy { versions: Versions::Tls13AndTls12, groups: Groups::HybridFirst };

/// The library's own client, of one version, with this certificate.
fn plain(
    world: &World,
    version: &'static rustls::SupportedProtocolVersion,
    shown: &testing::Leaf,
    signing: &testing::Leaf,
) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(world.root.der.clone()).unwrap();
    let mut client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_cert_resolver(stolen(shown, signing));
    client.alpn_protocols = vec![ALPN.to_vec()];
    client
}

fn by_tls12(world: &World, policy: TlsPolicy) -> Met {
    let client = plain(world, &rustls::version::TLS12, &world.client, &world.client);
    meet(Arc::new(client), world.server(world.trust(), policy).connection().unwrap().0)
}

#[test]
fn a_client_of_tls_1_2_is_refused_unless_the_listener_takes_it() {
    let world = World::new();
    let met = by_tls12(&world, TlsPolicy::default());
    assert_eq!(met.client.unwrap_err(), TlsError::AlertReceived(AlertDescription::ProtocolVersion));
    assert!(matches!(
        met.server.unwrap_err(),
        TlsError::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired | PeerIncompatible::Tls12NotOfferedOrEnabled
        )
    ));
}

#[test]
fn a_listener_that_takes_tls_1_2_judges_its_clients_all_the_same() {
    let world = World::new();
    let server = world.server(world.trust(), BOTH);
    let client = || plain(&world, &rustls::version::TLS12, &world.client, &world.client);
    let (config, judged) = server.connection().unwrap();
    let met = meet(Arc::new(client()), config).server.unwrap();
    assert_eq!(met.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suite = met.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384);
    assert_eq!(judged.peer(&met).unwrap().identity().to_uri(), INSTITUTION);
    let list = world.root.crl(2, &[&world.client.serial]);
    let revoking = testing::trust(&[&world.root.der], &[], &[&list]);
    let met = meet(Arc::new(client()), world.server(Arc::new(revoking), BOTH).connection().unwrap().0);
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::Revoked));
    assert_eq!(met.client.unwrap_err(), TlsError::AlertReceived(AlertDescription::CertificateRevoked));
    let thief = world.root.leaf(&testing::client_params());
    let stolen = plain(&world, &rustls::version::TLS12, &world.client, &thief);
    let met = meet(Arc::new(stolen), world.server(world.trust(), BOTH).connection().unwrap().0);
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::BadSignature));
}

#[test]
fn a_listener_that_takes_tls_1_2_still_speaks_1_3_with_whoever_can() {
    let world = World::new();
    let met =
        meet(world.client_config(world.trust()), world.server(world.trust(), BOTH).connection().unwrap().0);
    let common = met.server.unwrap();
    assert_eq!(common.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(common.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
}

/// What the listener says to a TLS 1.2 hello in which these bytes were changed into others.
fn answer_to_changed_hello(from: &[u8], to: &[u8]) -> TlsError {
    let world = World::new();
    let client = plain(&world, &rustls::version::TLS12, &world.client, &world.client);
    let mut client = ClientConnection::new(Arc::new(client), HOST.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let hello = testing::patched(&hello, from, to);
    let mut server =
        ServerConnection::new(world.server(world.trust(), BOTH).connection().unwrap().0).unwrap();
    server.read_tls(&mut hello.as_slice()).unwrap();
    server.process_new_packets().unwrap_err()
}

#[test]
fn tls_1_2_without_the_extended_master_secret_is_refused() {
    // The extension 23 with nothing in it becomes one that nobody knows.
    let error = answer_to_changed_hello(&[0x00, 0x17, 0x00, 0x00], &[0xfa, 0xfa, 0x00, 0x00]);
    let expected = PeerIncompatible::ExtendedMasterSecretExtensionRequired;
    assert_eq!(error, TlsError::PeerIncompatible(expected));
}

#[test]
fn tls_1_2_with_cbc_suites_only_is_refused() {
    // The six suites of the library's client, and the signal of RFC 5746.
    let offered: [u8; 14] =
        [0xc0, 0x2c, 0xc0, 0x2b, 0xcc, 0xa9, 0xc0, 0x30, 0xc0, 0x2f, 0xcc, 0xa8, 0x00, 0xff];
    // ECDHE and static RSA with CBC, the weakest of which old programs offer first.
    let cbc: [u8; 14] = [0xc0, 0x24, 0xc0, 0x23, 0xc0, 0x0a, 0xc0, 0x28, 0xc0, 0x14, 0x00, 0x35, 0x00, 0xff];
    let error = answer_to_changed_hello(&offered, &cbc);
    assert_eq!(error, TlsError::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon));
}

#[test]
fn by_the_guideline_no_hybrid_group_is_offered_or_taken() {
    let world = World::new();
    let strict = TlsPolicy { groups: Groups::Guideline, ..TlsPolicy::default() };
    let group = |met: Met| met.server.map(|end| end.negotiated_key_exchange_group().unwrap().name());
    let server = || world.server(world.trust(), strict).connection().unwrap().0;
    assert_eq!(group(meet(world.client_config(world.trust()), server())), Ok(NamedGroup::X25519));
    let usual = world.server_config(world.trust());
    assert_eq!(group(meet(world.client_by(world.trust(), strict), usual)), Ok(NamedGroup::X25519));
    let hybrid_only = rustls::crypto::CryptoProvider {
        kx_groups: vec![kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    };
    let client = ClientConfig::builder_with_provider(Arc::new(hybrid_only))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    assert!(matches!(
        group(meet(Arc::new(client), server())),
        Err(TlsError::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon))
    ));
}

/// A world in which every key is of this kind, and whether its client gets in where these signatures count.
fn world_of(kind: &'static SignatureAlgorithm, signatures: Signatures) -> Result<String, String> {
    let key = || KeyPair::generate_for(kind).unwrap();
    let root = Authority::root_with(testing::authority_params("root"), key());
    let client = root.leaf_with(&testing::client_params(), key());
    let server = root.leaf_with(&testing::server_params(), key());
    let world = World { root, client, server };
    let anchors = testing::certificates_pem(&[&world.root.der]);
    let lists = testing::crls_pem(&[&world.root.crl(1, &[])]);
    let policy = Policy { signatures, ..Policy::default() };
    let trust = crate::trust::Trust::from_pem(&anchors, b"", &lists, policy.clone(), crate::clock::now());
    let trust = Arc::new(trust.map_err(|fault| fault.to_string())?);
    let own = crate::credential::Credential::from_pem(
        &testing::certificates_pem(&[&world.server.der]),
        &testing::key_pem(&world.server.key),
        &policy,
    );
    let environment = protocol::party::Environment::Test;
    let server = crate::tls::TlsServer::new(
        &own.unwrap(),
        trust,
        environment,
        TlsPolicy::default(),
        Arc::new(|_: &crate::tls::Refused| ()),
    );
    let (config, judged) = server.unwrap().connection().unwrap();
    let client = plain(&world, &rustls::version::TLS13, &world.client, &world.client);
    let met = meet(Arc::new(client), config);
    let end = met.server.map_err(|error| error.to_string())?;
    Ok(judged.peer(&end).unwrap().identity().to_uri())
}

#[test]
fn each_kind_of_key_counts_where_it_is_chosen_and_nowhere_else() {
    let kinds = [
        (&rcgen::PKCS_ECDSA_P256_SHA256, [true, true, true]),
        (&rcgen::PKCS_ECDSA_P384_SHA384, [true, true, true]),
        (&rcgen::PKCS_ECDSA_P521_SHA512, [true, true, true]),
        (&rcgen::PKCS_ED25519, [true, true, false]),
        (&rcgen::PKCS_ML_DSA_65, [false, true, false]),
    ];
    for (kind, expected) in kinds {
        let choices = [Signatures::Usual, Signatures::WithMlDsa, Signatures::Guideline];
        for (signatures, counts) in choices.into_iter().zip(expected) {
            let verdict = world_of(kind, signatures);
            assert_eq!(verdict.is_ok(), counts, "{kind:?} by {signatures:?}: {verdict:?}");
        }
    }
}

#[test]
fn a_key_of_a_kind_that_is_not_chosen_is_refused_below_an_authority_of_another_kind_too() {
    let root = Authority::root("root");
    let judge = |kind, signatures| {
        let leaf = root.leaf_with(&testing::client_params(), KeyPair::generate_for(kind).unwrap());
        let policy = Policy { signatures, ..Policy::default() };
        let trust = testing::trust_by(policy, &[&root.der], &[], &[&root.crl(1, &[])]);
        trust.verify(&[leaf.der], crate::leaf::Purpose::TlsClient, crate::clock::now()).err()
    };
    let weak = Some(PeerFault::WeakKey);
    for (kind, expected) in
        [(&rcgen::PKCS_ML_DSA_65, [weak, None, weak]), (&rcgen::PKCS_ED25519, [None, None, weak])]
    {
        let verdicts = [Signatures::Usual, Signatures::WithMlDsa, Signatures::Guideline]
            .map(|signatures| judge(kind, signatures));
        assert_eq!(verdicts, expected, "{kind:?}");
    }
}
