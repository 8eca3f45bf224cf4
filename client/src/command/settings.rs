//! From the settings file to an open client, with every mistake told.

use std::path::Path;

use config::{ClientSettings, ConfigError};
use pki::clock;
use protocol::{identity_rule::IdentityRules, one_line::in_one_line};

use super::{print::to_stderr, report::Failure};
use crate::{Client, SendError};

/// Reads the settings.
pub(super) fn load(file: &Path) -> Result<ClientSettings, Failure> {
    let missing = "name the settings file with --settings, or run the command in its directory";
    ClientSettings::load(file).map_err(|error| not_read(&error, missing))
}

/// Reads identity rules alone.
pub(super) fn load_identities(file: &Path) -> Result<IdentityRules, Failure> {
    config::load_identities(file).map_err(|error| not_read(&error, "check the name of the file"))
}

fn not_read(error: &ConfigError, next_if_missing: &str) -> Failure {
    match error {
        ConfigError::Unreadable { .. } => {
            Failure::usage("settings_unreadable", in_one_line(error), next_if_missing)
        }
        ConfigError::Mistaken { .. } => {
            Failure::usage("settings", error.to_string(), "correct every line above in that file")
        }
    }
}

/// Opens a client. Reads keys, lists and the send log, so it runs on a thread that may block.
pub(super) async fn open(settings: &ClientSettings) -> Result<Client, Failure> {
    let (settings, data) = (settings.clone(), settings.storage.data.clone());
    match tokio::task::spawn_blocking(move || Client::open(&settings)).await {
        Ok(Ok(client)) => {
            for not_fetched in client.not_fetched() {
                to_stderr(&format!(
                    "sekisho: 失効リストを更新できません。前回のものを使います (the last good one counts): {}",
                    in_one_line(not_fetched)
                ));
            }
            Ok(client)
        }
        Ok(Err(error)) => Err(Failure::from(&error).with_clock(&data, clock::now())),
        Err(lost) => Err(Failure::usage(
            "state",
            format!("the client could not be opened: {lost}"),
            "run the command again",
        )),
    }
}

/// What a request of an open client met.
pub(super) fn failure(error: &SendError, settings: &ClientSettings) -> Failure {
    Failure::from(error).with_clock(&settings.storage.data, clock::now())
}
