//! What strangers can make the program write.

use std::sync::{Arc, Mutex};

use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

use crate::{
    fault::PeerFault,
    peer::Description,
    testing::{Authority, client_params},
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
            Refused { fault: PeerFault::Revoked, certificate }.log("client");
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
