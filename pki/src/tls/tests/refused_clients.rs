//! Clients that the server must turn away, and what each learns.

use std::sync::{Arc, Mutex};

use protocol::party::Environment;
use rcgen::CertificateParams;
use rustls::{AlertDescription, ClientConfig, Error as TlsError, sign::SingleCertAndKey};

use crate::{
    fault::PeerFault,
    oid,
    signatures::Signatures,
    testing::{
        self, leaf_params,
        world::{Met, World, meet, stolen},
    },
    tls::{Refused, TlsPolicy, TlsServer, alert_reason, own_refusal},
};

/// A client that shows this meets the good server. The client checks nothing of its own, so that what it shows is
/// judged. Also what the observer of refusals heard.
fn visit(world: &World, shown: Arc<SingleCertAndKey>) -> (Met, Option<PeerFault>) {
    let (met, heard) = visit_and_hear(world, shown);
    (met, heard.map(|refused| refused.fault))
}

/// As [`visit`], with all that the observer heard.
fn visit_and_hear(world: &World, shown: Arc<SingleCertAndKey>) -> (Met, Option<Refused>) {
    let mut client = (*world.client_config(world.trust())).clone();
    client.client_auth_cert_resolver = shown;
    let heard = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&heard);
    let server = TlsServer::new(
        &testing::credential(&world.server, &[]),
        world.trust(),
        Environment::Test,
        TlsPolicy::default(),
        Arc::new(move |refused: &Refused| *noted.lock().unwrap() = Some(refused.clone())),
    )
    .unwrap();
    let met = meet(Arc::new(client), server.connection().unwrap().0);
    let heard = heard.lock().unwrap().take();
    (met, heard)
}

/// Everything that the observer hears of why a client with this certificate is refused.
fn causes(edit: impl FnOnce(&mut CertificateParams)) -> String {
    let world = World::new();
    let mut params = testing::client_params();
    edit(&mut params);
    let leaf = world.root.leaf(&params);
    visit_and_hear(&world, stolen(&leaf, &leaf)).1.unwrap().causes.join("; ")
}

#[test]
fn the_observer_hears_which_certificate_is_refused_by_which_rule_and_the_librarys_own_word() {
    let said = causes(|params| {
        params.not_before = testing::today() - time::Duration::days(2);
        params.not_after = testing::today() - time::Duration::days(1);
    });
    assert!(said.starts_with("the certificate of ") && said.contains("issued by CN=root"), "{said}");
    assert!(said.contains("it ended at ") && said.contains("; ") && said.contains("Expired"), "{said}");
    let said = causes(|params| params.custom_extensions.clear());
    assert!(said.contains("its extended key usages are none; wanted is clientAuth"), "{said}");
    let said = causes(|params| params.subject_alt_names = vec![testing::dns("institution.example")]);
    assert!(said.contains("the certificate of ") && said.contains("it names nobody"), "{said}");
}

fn assert_refused(params: &CertificateParams, fault: PeerFault, alert: AlertDescription) {
    let world = World::new();
    let leaf = world.root.leaf(params);
    let (met, heard) = visit(&world, stolen(&leaf, &leaf));
    assert_eq!(heard, Some(fault));
    assert_eq!(met.client.unwrap_err(), TlsError::AlertReceived(alert));
    assert!(met.server.is_err());
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let world = World::new();
    let mut client = (*world.client_config(world.trust())).clone();
    client.client_auth_cert_resolver =
        ClientConfig::builder_with_provider(TlsPolicy::default().provider(Signatures::Usual))
            .with_protocol_versions(TlsPolicy::default().versions())
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth()
            .client_auth_cert_resolver
            .clone();
    let met = meet(Arc::new(client), world.server_config(world.trust()));
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::NoCert));
    assert_eq!(alert_reason(&met.client.unwrap_err()), Some("no_cert"));
}

#[test]
fn a_revoked_client_is_refused_and_told_so() {
    let world = World::new();
    let list = world.root.crl(2, &[&world.client.serial]);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&list]));
    let met = meet(world.client_config(world.trust()), world.server_config(trust));
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::Revoked));
    assert_eq!(alert_reason(&met.client.unwrap_err()), Some("revoked"));
}

#[test]
fn an_expired_client_is_refused_and_told_so() {
    let mut params = testing::client_params();
    params.not_before = testing::today() - time::Duration::days(2);
    params.not_after = testing::today() - time::Duration::days(1);
    assert_refused(&params, PeerFault::Expired, AlertDescription::CertificateExpired);
}

#[test]
fn a_server_certificate_does_not_open_the_door_for_a_client() {
    let params = leaf_params(testing::INSTITUTION, oid::SERVER_AUTH);
    assert_refused(&params, PeerFault::WrongEku, AlertDescription::UnsupportedCertificate);
}

#[test]
fn a_client_certificate_without_extended_key_usage_is_refused() {
    let mut params = testing::client_params();
    params.custom_extensions.clear();
    assert_refused(&params, PeerFault::WrongEku, AlertDescription::UnsupportedCertificate);
}

#[test]
fn a_client_of_the_other_environment_is_refused() {
    let params = leaf_params("urn:sekisho:production:institution:1310000018", oid::CLIENT_AUTH);
    assert_refused(&params, PeerFault::WrongEnvironment, AlertDescription::AccessDenied);
}

#[test]
fn a_client_without_identity_is_refused() {
    let mut params = testing::client_params();
    params.subject_alt_names = vec![testing::dns("institution-1310000018.example")];
    assert_refused(&params, PeerFault::BadIdentity, AlertDescription::AccessDenied);
}

#[test]
fn a_client_of_another_authority_is_refused() {
    let world = World::new();
    let stranger = World::new();
    let trust_of_both = testing::trust(
        &[&world.root.der, &stranger.root.der],
        &[],
        &[&world.root.crl(1, &[]), &stranger.root.crl(1, &[])],
    );
    let met = meet(stranger.client_config(Arc::new(trust_of_both)), world.server_config(world.trust()));
    // Same name, other key: the signature does not fit.
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::BadSignature));
}

#[test]
fn a_client_with_anothers_certificate_and_its_own_key_is_refused() {
    let world = World::new();
    let thief = world.root.leaf(&testing::client_params());
    let (met, heard) = visit(&world, stolen(&world.client, &thief));
    assert_eq!(heard, Some(PeerFault::BadSignature));
    assert_eq!(own_refusal(&met.server.unwrap_err()), Some(PeerFault::BadSignature));
    assert_eq!(alert_reason(&met.client.unwrap_err()), Some("bad_signature"));
}

/// An HTTP library's error around an I/O error around the TLS error.
#[derive(Debug, thiserror::Error)]
#[error("sending the request failed")]
struct Wrapped(#[source] std::io::Error);

#[test]
fn an_alert_is_found_below_other_libraries_errors() {
    let alert = || TlsError::AlertReceived(AlertDescription::CertificateRevoked);
    let below_io = std::io::Error::new(std::io::ErrorKind::InvalidData, alert());
    assert_eq!(alert_reason(&below_io), Some("revoked"));
    assert_eq!(alert_reason(&Wrapped(below_io)), Some("revoked"));
    assert_eq!(alert_reason(&Wrapped(std::io::ErrorKind::BrokenPipe.into())), None);
}

#[test]
fn an_alert_about_other_matters_is_no_refusal_of_our_certificate() {
    for other in
        [AlertDescription::CloseNotify, AlertDescription::InternalError, AlertDescription::ProtocolVersion]
    {
        assert_eq!(alert_reason(&TlsError::AlertReceived(other)), None);
    }
    assert_eq!(own_refusal(&TlsError::AlertReceived(AlertDescription::CertificateRevoked)), None);
}
