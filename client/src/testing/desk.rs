//! A client for the tests: its own state directory, keys that say who they are, and a way to a [`FakeCentre`].
//!
//! [`FakeCentre`]: super::centre::FakeCentre

use std::{
    collections::HashSet,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use config::{client::Retry, network::ClientLine, reader::HostPort};
use protocol::party::{Environment, Identity};

use super::{BelievesChains, EvidenceKey, RECEIVER, SENDER, SENDER_IDENTITY};
use crate::{
    Client, Progress, ProgressEvent,
    desk::Desk,
    limits::OWN_LINE_BYTES_MIN,
    line::{Deadlines, Dialer, Secure},
    store::Store,
};

/// A client of [`SENDER`] with its state in `data`, as a process that starts there has it.
pub fn client(data: &Path, centre: SocketAddr) -> Client {
    let party = SENDER.parse().unwrap();
    let two_seconds = Duration::from_secs(2);
    Client::at(Desk {
        environment: Environment::Test,
        receiver: RECEIVER.parse().unwrap(),
        acting: Identity::from_uri(SENDER_IDENTITY).unwrap(),
        signer: Arc::new(EvidenceKey::of(SENDER_IDENTITY)),
        verifier: Arc::new(BelievesChains),
        crls: vec![b"a list".to_vec()],
        dialer: Dialer {
            address: HostPort::parse(&centre.to_string()).unwrap(),
            line: ClientLine::default(),
            host: centre.to_string(),
            secure: Secure::Nothing,
            deadlines: Deadlines { detect_max: two_seconds, stall_max: two_seconds, answer_max: two_seconds },
        },
        pace: None,
        own_line_from: OWN_LINE_BYTES_MIN,
        retry: Retry {
            attempts: 3,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(2),
        },
        store: Arc::new(Mutex::new(Store::open(data, Environment::Test, &party).unwrap())),
        party,
        offering: tokio::sync::Mutex::new(()),
        running: Mutex::new(HashSet::new()),
    })
}

/// Puts down every event.
#[derive(Default)]
pub struct Notes(Mutex<Vec<ProgressEvent>>);

impl Notes {
    pub fn taken(&self) -> Vec<ProgressEvent> {
        self.0.lock().unwrap().clone()
    }
}

impl Progress for Notes {
    fn event(&self, event: &ProgressEvent) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A claims file with so many claims in a directory.
pub fn file_in(directory: &Path, claims: u32) -> PathBuf {
    let path = directory.join("RECEIPTC.UKE");
    std::fs::write(&path, super::claims_file(claims)).unwrap();
    path
}
