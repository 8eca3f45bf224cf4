//! `sekisho log accept-new`.

use std::path::Path;

use config::ClientSettings;
use protocol::{moment::Moment, party::Party};
use serde::Serialize;

use super::{
    args::AcceptNew,
    exit::Exit,
    report::{Failure, Head, Output},
    settings,
};
use crate::store::{Fork, accept_fork, recorded_fork};

const COMMAND: &str = "log accept-new";

#[derive(Serialize)]
struct Object<'a> {
    #[serde(flatten)]
    head: Head,
    centre: String,
    /// When the contradiction was met.
    at: Moment,
    reason: &'a str,
    /// The head that was known.
    held: Option<&'a str>,
    /// The head that was shown instead.
    shown: &'a str,
    accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
}

pub(super) fn run(file: &Path, accept: &AcceptNew, output: &Output) -> Exit {
    let settings = match settings::load(file) {
        Ok(settings) => settings,
        Err(failure) => return output.give_up(COMMAND, &failure, None),
    };
    let centre = accept.centre.as_ref().unwrap_or(&settings.centre.party);
    let found = match accept.looked_into {
        true => accept_fork(&settings.storage.data, settings.environment, &settings.party, centre),
        false => recorded_fork(&settings.storage.data, centre),
    };
    match found {
        Ok(Some(fork)) => tell(&fork, centre, accept.looked_into, &settings, output),
        Ok(None) => {
            let failure = Failure::usage(
                "no_fork",
                format!("nothing of the log of {centre} contradicts what it showed before"),
                "there is nothing to accept; if another centre is meant, name it with --centre",
            );
            output.give_up(COMMAND, &failure, Some(&settings.contact))
        }
        Err(fault) => output.give_up(COMMAND, &Failure::from(&fault), Some(&settings.contact)),
    }
}

fn tell(fork: &Fork, centre: &Party, accepted: bool, settings: &ClientSettings, output: &Output) -> Exit {
    output.line(&format!(
        "{}: the log of {centre} contradicted what it showed before: {}",
        fork.at, fork.reason
    ));
    for (what, head) in [("known until then", fork.held.as_deref()), ("shown instead", Some(&*fork.shown))] {
        output.line(&format!("--- {what}"));
        output.line(head.unwrap_or("nothing").trim_end());
    }
    let refused = (!accepted).then(|| {
        Failure::usage(
            "not_confirmed",
            "nothing was accepted, and nothing is sent to this centre".to_owned(),
            "ask the centre, on another way than this line, why its log is another one and which head it has; then run the command again with --looked-into",
        )
    });
    match &refused {
        None => output.line(
            "--- accepted: the log that was shown instead counts from now on; both heads stay on record",
        ),
        Some(failure) => output.error(None, failure, Some(&settings.contact)),
    }
    let exit = refused.as_ref().map_or(Exit::Done, |failure| failure.exit);
    if output.json {
        output.object(&Object {
            head: Head::of(COMMAND, exit),
            centre: centre.to_string(),
            at: fork.at,
            reason: &fork.reason,
            held: fork.held.as_deref(),
            shown: &fork.shown,
            accepted,
            error: refused.as_ref(),
        });
    }
    exit
}
