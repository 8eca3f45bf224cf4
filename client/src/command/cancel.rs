//! `sekisho cancel`.

use std::path::Path;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    args::Cancel,
    exit::Exit,
    report::{Head, Output},
    settings,
    signals::cancel_on_signal,
};

#[derive(Serialize)]
struct Object {
    #[serde(flatten)]
    head: Head,
    transfer: String,
    phase: &'static str,
}

pub(super) async fn run(file: &Path, cancel: &Cancel, output: &Output) -> Exit {
    let settings = match settings::load(file) {
        Ok(settings) => settings,
        Err(failure) => return output.give_up("cancel", &failure, None),
    };
    let contact = Some(&settings.contact);
    let client = match settings::open(&settings).await {
        Ok(client) => client,
        Err(failure) => return output.give_up("cancel", &failure, contact),
    };
    let stop = CancellationToken::new();
    let _listening = cancel_on_signal(&stop);
    match client.cancel(cancel.id, &stop).await {
        Ok(status) => {
            output.line(&format!("取消 called off: {}", status.id));
            if output.json {
                let head = Head::of("cancel", Exit::Done);
                output.object(&Object { head, transfer: status.id.to_string(), phase: status.phase.name() });
            }
            Exit::Done
        }
        Err(error) => output.give_up("cancel", &settings::failure(&error, &settings), contact),
    }
}
