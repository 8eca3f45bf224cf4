//! A client that comes again is judged by what was found before, and by nothing that no longer holds.

use std::sync::Arc;

use rustls::{ClientConfig, ClientConnection, ServerConnection, time_provider::TimeProvider};
use rustls_pki_types::UnixTime;
use time::{Duration, OffsetDateTime};

use crate::{
    fault::PeerFault,
    peer::PeerIdentity,
    testing::{
        self, Authority, HOST, authority_params, client_params, crl_params, today,
        world::{World, carry, exchange, stolen},
    },
    tls::{Judged, TlsPolicy, TlsServer, own_refusal},
};

/// A clock that stands still.
#[derive(Debug)]
struct At(OffsetDateTime);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.unix_timestamp()).unwrap();
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// A handshake in which the client has said all that it has to say, its certificate too, and the server has yet to read it.
struct Begun {
    client: ClientConnection,
    server: ServerConnection,
    judged: Judged,
}

impl Begun {
    /// With this server, whose clock stands at this time.
    fn with(server: &TlsServer, client: &Arc<ClientConfig>, at: OffsetDateTime) -> Self {
        let (config, judged) = server.connection().unwrap();
        let mut config = (*config).clone();
        config.time_provider = Arc::new(At(at));
        let mut client = ClientConnection::new(Arc::clone(client), HOST.try_into().unwrap()).unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        carry(&mut client, &mut server).unwrap();
        carry(&mut server, &mut client).unwrap();
        assert!(client.wants_write() && server.is_handshaking());
        Begun { client, server, judged }
    }

    /// Whom the server finds, or what it says.
    fn ended(mut self) -> Result<Arc<PeerIdentity>, PeerFault> {
        let (_, ended) = exchange(&mut self.client, &mut self.server);
        ended.map_err(|error| own_refusal(&error).unwrap_or(PeerFault::Other))?;
        self.judged.peer(&self.server)
    }
}

/// Whom the server finds in this client at this time, or what it says.
fn visit(
    server: &TlsServer,
    client: &Arc<ClientConfig>,
    at: OffsetDateTime,
) -> Result<Arc<PeerIdentity>, PeerFault> {
    Begun::with(server, client, at).ended()
}

/// Visits at once and at a later time, of which the second one is not judged again.
fn visit_and_return(server: &TlsServer, client: &Arc<ClientConfig>, later: OffsetDateTime) {
    let found = visit(server, client, today()).unwrap();
    let again = visit(server, client, later).unwrap();
    assert!(Arc::ptr_eq(&found, &again), "judged again");
}

fn world_of(edit: impl FnOnce(&mut rcgen::CertificateParams)) -> World {
    world_below(Authority::root("root"), edit)
}

fn world_below(root: Authority, edit: impl FnOnce(&mut rcgen::CertificateParams)) -> World {
    let mut params = client_params();
    edit(&mut params);
    World { client: root.leaf(&params), server: root.leaf(&testing::server_params()), root }
}

#[test]
fn a_client_that_comes_again_is_not_judged_again() {
    let world = world_of(|_| {});
    let (server, client) =
        (world.server(world.trust(), TlsPolicy::default()), world.client_config(world.trust()));
    visit_and_return(&server, &client, today() + Duration::hours(1));
}

#[test]
fn a_client_is_refused_once_a_list_it_was_judged_by_has_ended_without_any_reload() {
    let world = world_of(|_| {});
    let mut list = crl_params(1, &[]);
    list.next_update = today() + Duration::hours(1);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&world.root.crl_of(&list)]));
    let (server, client) = (world.server(trust, TlsPolicy::default()), world.client_config(world.trust()));
    visit_and_return(&server, &client, today() + Duration::minutes(59));
    let late = visit(&server, &client, today() + Duration::minutes(61));
    assert_eq!(late.unwrap_err(), PeerFault::CrlExpired);
}

#[test]
fn a_client_whose_revocation_is_dated_ahead_is_refused_at_once_so_that_no_verdict_can_outlive_the_date() {
    let world = world_of(|_| {});
    let mut list = crl_params(1, &[&world.client.serial]);
    list.revoked_certs[0].revocation_time = today() + Duration::minutes(10);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&world.root.crl_of(&list)]));
    let (server, client) = (world.server(trust, TlsPolicy::default()), world.client_config(world.trust()));
    for at in [today(), today() + Duration::minutes(11)] {
        assert_eq!(visit(&server, &client, at).unwrap_err(), PeerFault::Revoked);
    }
}

#[test]
fn a_known_client_is_refused_once_its_anchor_has_ended_before_its_certificate() {
    let mut anchor = authority_params("root");
    anchor.not_after = today() + Duration::hours(1);
    let world = world_below(Authority::root_of(anchor), |_| {});
    let (server, client) =
        (world.server(world.trust(), TlsPolicy::default()), world.client_config(world.trust()));
    visit_and_return(&server, &client, today() + Duration::minutes(59));
    let late = visit(&server, &client, today() + Duration::minutes(61));
    assert_eq!(late.unwrap_err(), PeerFault::Expired);
}

#[test]
fn a_client_is_refused_once_its_certificate_has_ended_however_often_it_came() {
    let world = world_of(|params| params.not_after = today() + Duration::hours(1));
    let (server, client) =
        (world.server(world.trust(), TlsPolicy::default()), world.client_config(world.trust()));
    visit_and_return(&server, &client, today() + Duration::minutes(59));
    let late = visit(&server, &client, today() + Duration::minutes(61));
    assert_eq!(late.unwrap_err(), PeerFault::Expired);
}

#[test]
fn a_verdict_that_an_older_server_reaches_once_a_newer_one_is_there_counts_for_the_older_one_alone() {
    let world = world_of(|_| {});
    let client = world.client_config(world.trust());
    let older = world.server(world.trust(), TlsPolicy::default());
    let begun = Begun::with(&older, &client, today());
    let list = world.root.crl(2, &[&world.client.serial]);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&list]));
    let newer = world.server(trust, TlsPolicy::default());
    let found = begun.ended().unwrap();
    assert!(Arc::ptr_eq(&found, &visit(&older, &client, today()).unwrap()), "it was kept");
    assert_eq!(visit(&newer, &client, today()).unwrap_err(), PeerFault::Revoked);
}

#[test]
fn a_chain_that_was_judged_good_lets_nobody_in_without_its_key() {
    let world = world_of(|_| {});
    let server = world.server(world.trust(), TlsPolicy::default());
    let client = world.client_config(world.trust());
    assert!(visit(&server, &client, today()).is_ok());
    let mut thief = (*client).clone();
    thief.client_auth_cert_resolver = stolen(&world.client, &world.server);
    assert!(visit(&server, &Arc::new(thief), today()).is_err());
}
