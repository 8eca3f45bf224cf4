//! What strangers can make the program write.

use std::sync::{Arc, Mutex};

use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use crate::{
    fault::PeerFault,
    peer::Description,
    policy::{CrlGrace, Policy},
    testing::{
        self, Authority, client_params,
        world::{World, meet},
    },
    tls::Refused,
};

/// Notes the level of every event and the names of its fields.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Vec<(Level, String)>>>);

impl Subscriber for Noted {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let fields: Vec<&str> = event.fields().map(|field| field.name()).collect();
        self.0.lock().unwrap().push((*event.metadata().level(), fields.join(" ")));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[test]
fn refused_certificates_are_logged_below_the_usual_level() {
    let leaf = Authority::root("root").leaf(&client_params());
    let noted = Noted::default();
    tracing::subscriber::with_default(noted.clone(), || {
        for certificate in [Description::of_der(&leaf.der), None] {
            Refused { fault: PeerFault::Revoked, certificate, causes: vec![] }.log("client");
        }
    });
    let noted = noted.0.lock().unwrap();
    assert_eq!(
        *noted,
        [
            (Level::DEBUG, "message reason peer issuer serial subject fingerprint".to_owned()),
            (Level::DEBUG, "message reason peer".to_owned())
        ]
    );
}

#[test]
fn a_server_that_counts_by_grace_only_is_logged_and_a_client_is_handed_on_as_such() {
    let world = World::new();
    let mut ended = testing::crl_params(1, &[]);
    ended.this_update = testing::today() - time::Duration::days(2);
    ended.next_update = testing::today() - time::Duration::hours(1);
    let grace = CrlGrace::new("CN=root", std::time::Duration::from_secs(2 * 60 * 60));
    let policy = Policy { danger_crl_grace: grace, ..Policy::default() };
    let list = world.root.crl_of(&ended);
    let trust = Arc::new(testing::trust_by(policy, &[&world.root.der], &[], &[&list]));
    let noted = Noted::default();
    let (accepting, judged) = world.accepting(Arc::clone(&trust));
    let met =
        tracing::subscriber::with_default(noted.clone(), || meet(world.client_config(trust), accepting));
    assert!(judged.peer(&met.server.unwrap()).unwrap().grace().is_some());
    let warnings: Vec<_> =
        noted.0.lock().unwrap().iter().filter(|(level, _)| *level == Level::WARN).cloned().collect();
    let expected = (Level::WARN, "message who issuer ended".to_owned());
    // Clients come as often as they like: whoever lets them in writes it down, so often and no more.
    assert_eq!(warnings, [expected]);
}
