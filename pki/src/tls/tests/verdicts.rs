//! A client that comes again is judged by what was found before, and by nothing that no longer holds.

use std::sync::Arc;

use rustls::{ClientConfig, ServerConnection, time_provider::TimeProvider};
use rustls_pki_types::UnixTime;
use time::{Duration, OffsetDateTime};

use crate::{
    fault::PeerFault,
    testing::{
        self, Authority, client_params, crl_params, today,
        world::{World, meet, stolen},
    },
    tls::{TlsPolicy, TlsServer, own_refusal},
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

/// What the server says to this client at this time.
fn visit(
    server: &TlsServer,
    client: &Arc<ClientConfig>,
    at: OffsetDateTime,
) -> Result<ServerConnection, PeerFault> {
    let (config, judged) = server.connection().unwrap();
    let mut config = (*config).clone();
    config.time_provider = Arc::new(At(at));
    let met = meet(Arc::clone(client), Arc::new(config));
    let connection = met.server.map_err(|error| own_refusal(&error).unwrap_or(PeerFault::Other))?;
    assert!(judged.peer(&connection).is_ok());
    Ok(connection)
}

fn world_of(edit: impl FnOnce(&mut rcgen::CertificateParams)) -> World {
    let mut params = client_params();
    edit(&mut params);
    let root = Authority::root("root");
    World { client: root.leaf(&params), server: root.leaf(&testing::server_params()), root }
}

#[test]
fn a_client_is_refused_once_a_list_it_was_judged_by_has_ended_without_any_reload() {
    let world = world_of(|_| {});
    let mut list = crl_params(1, &[]);
    list.next_update = today() + Duration::hours(1);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&world.root.crl_of(&list)]));
    let (server, client) = (world.server(trust, TlsPolicy::default()), world.client_config(world.trust()));
    assert!(visit(&server, &client, today()).is_ok());
    assert!(visit(&server, &client, today() + Duration::minutes(59)).is_ok());
    let late = visit(&server, &client, today() + Duration::minutes(61));
    assert_eq!(late.unwrap_err(), PeerFault::CrlExpired);
}

#[test]
fn a_client_is_refused_once_its_certificate_has_ended_however_often_it_came() {
    let world = world_of(|params| params.not_after = today() + Duration::hours(1));
    let (server, client) =
        (world.server(world.trust(), TlsPolicy::default()), world.client_config(world.trust()));
    assert!(visit(&server, &client, today()).is_ok());
    let late = visit(&server, &client, today() + Duration::minutes(61));
    assert_eq!(late.unwrap_err(), PeerFault::Expired);
}

#[test]
fn a_verdict_reached_by_an_older_server_counts_for_no_newer_one() {
    let world = world_of(|_| {});
    let client = world.client_config(world.trust());
    let older = world.server(world.trust(), TlsPolicy::default());
    let list = world.root.crl(2, &[&world.client.serial]);
    let trust = Arc::new(testing::trust(&[&world.root.der], &[], &[&list]));
    let newer = world.server(trust, TlsPolicy::default());
    // A handshake that began before the reload ends after it.
    assert!(visit(&older, &client, today()).is_ok());
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
