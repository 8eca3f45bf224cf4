//! A transfer against a centre that behaves, and against one that does not.

mod arrives;
mod cancels;
mod clocks;
mod marks;
mod no;
mod resumes;
mod together;

use std::fs;

use protocol::{
    entry::{Entry, Event},
    problem::Problem,
    transfer_id::TransferId,
};
use tempfile::TempDir;

use super::*;
use crate::{
    Client, Filing, Sent, Unwatched,
    source::SourceFault,
    store::{self, RECEIPT, REFUSAL},
    testing::{
        CentreLog,
        centre::{FakeCentre, Mischief},
        desk::{Notes, client, file_in},
    },
};

/// A directory with a claims file, a state directory, and a centre to send to.
struct Scene {
    directory: TempDir,
    file: PathBuf,
    centre: FakeCentre,
    /// Of its clients.
    own_line_from: u64,
}

impl Scene {
    async fn set() -> Self {
        Scene::with_claims(200).await
    }

    async fn with_claims(claims: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = file_in(directory.path(), claims);
        let own_line_from = crate::limits::OWN_LINE_BYTES_MIN;
        Scene { file, centre: FakeCentre::start().await, directory, own_line_from }
    }

    /// Two, of clients that send content on the line that is there, and on a line of its own.
    async fn of_either_line(claims: u32) -> [Self; 2] {
        let [usual, own] = [Scene::with_claims(claims).await, Scene::with_claims(claims).await];
        [Scene { own_line_from: u64::MAX, ..usual }, Scene { own_line_from: 0, ..own }]
    }

    /// A client as a new process has it.
    fn client(&self) -> Client {
        let mut client = client(&self.data(), self.centre.address);
        client.desk_mut().own_line_from = self.own_line_from;
        client
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    async fn send(&self) -> Result<Sent, SendError> {
        self.send_by(&self.client()).await
    }

    async fn send_by(&self, client: &Client) -> Result<Sent, SendError> {
        client.send(&self.file, Filing::default(), &Unwatched, &CancellationToken::new()).await
    }

    fn transfer(&self) -> Transfer {
        let transfers = crate::store::transfers_in(&self.data()).unwrap();
        assert_eq!(transfers.len(), 1);
        transfers[0].clone()
    }

    /// What the send log says happened.
    fn events(&self) -> Vec<(Event, Option<Cause>)> {
        let log = fs::read_to_string(self.data().join("log/entries.jsonl")).unwrap();
        let entries = log.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap());
        entries.map(|entry| (entry.event, entry.cause)).collect()
    }
}

fn causes(sent: &Sent) -> Vec<Option<Cause>> {
    sent.attempts.iter().map(|attempt| attempt.cause).collect()
}

fn client_with_one_try(scene: &Scene) -> Client {
    let mut client = scene.client();
    client.desk_mut().retry.attempts = 1;
    client
}

fn newest_bundle(scene: &Scene) -> PathBuf {
    let transfers = crate::store::transfers_in(&scene.data()).unwrap();
    transfers.last().unwrap().file(crate::store::BUNDLE)
}
