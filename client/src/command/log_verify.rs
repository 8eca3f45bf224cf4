//! `sekisho log verify`.

use std::path::Path;

use serde::Serialize;

use super::{
    exit::Exit,
    report::{Failure, Head, Output},
    settings,
};
use crate::store::{StoreFault, log_directory, send_log};

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    head: Head,
    origin: &'a str,
    key: &'a str,
    /// Entries under the signed checkpoint.
    signed: u64,
    /// Entries after it: one at most.
    unsigned: u64,
    checkpoint: &'a str,
}

pub(super) fn run(file: &Path, output: &Output) -> Exit {
    let settings = match settings::load(file) {
        Ok(settings) => settings,
        Err(failure) => return output.give_up("log verify", &failure, None),
    };
    let directory = log_directory(&settings.storage.data);
    if !directory.is_dir() {
        let failure = Failure::usage(
            "no_log",
            format!("there is no send log in {}", settings.storage.data.display()),
            "nothing was sent from here yet; check storage.data in the settings",
        );
        return output.give_up("log verify", &failure, Some(&settings.contact));
    }
    let found = match send_log::verify(&directory) {
        Ok(found) => found,
        Err(fault) => {
            let failure = Failure::from(&StoreFault::from(fault));
            return output.give_up("log verify", &failure, Some(&settings.contact));
        }
    };
    output.line(&format!("送信ログ the send log {} holds: {} entries", found.log.origin, found.signed));
    if found.unsigned > 0 {
        output.line("  and one that is not signed yet: a sender is at work, or was stopped between the two");
    }
    output.line(found.checkpoint.trim_end());
    if output.json {
        output.object(&Object {
            head: Head::of("log verify", Exit::Done),
            origin: &found.log.origin,
            key: &found.log.key,
            signed: found.signed,
            unsigned: found.unsigned,
            checkpoint: &found.checkpoint,
        });
    }
    Exit::Done
}
