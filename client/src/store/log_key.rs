//! The send log's own key, made at the first start together with the log's name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use durable::Access;
use pki::{
    log_key::{LogKey, LogKeyFault},
    random::{NoRandomness, random_bytes},
};
use protocol::party::{Environment, Party};

const ORIGIN: &str = "origin";
const KEY: &str = "key.pem";

/// Why the log's key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SendLogKeyFault {
    /// The key itself.
    #[error("the send log's key cannot be used")]
    Key(#[from] LogKeyFault),
    /// The file with the log's name.
    #[error("cannot use {}", .file.display())]
    Origin {
        /// Which file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The log belongs to the other environment.
    #[error(
        "the send log {origin} is not of environment {expected}: production and test never share a directory"
    )]
    OtherEnvironment {
        /// The log's name.
        origin: String,
        /// What the settings say.
        expected: Environment,
    },
    /// No random bytes for the log's name.
    #[error("no name could be made for the send log")]
    Random(#[from] NoRandomness),
}

/// Loads the key of the log in this directory, or makes it. The name is durable before the key, so that a stop between
/// the two leaves nothing that contradicts itself.
pub(crate) fn load_or_create(
    directory: &Path,
    environment: Environment,
    party: &Party,
) -> Result<LogKey, SendLogKeyFault> {
    let file = directory.join(ORIGIN);
    let fault = |source| SendLogKeyFault::Origin { file: file.clone(), source };
    let origin = match fs::read_to_string(&file) {
        Ok(origin) => origin,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Random, so that a log begun anew after a loss is never taken for the lost one.
            let random = u64::from_be_bytes(random_bytes::<8>()?);
            let origin = format!("sekisho/{environment}/{party}/{random:016x}");
            durable::create(&file, origin.as_bytes(), Access::Private).map_err(fault)?;
            origin
        }
        Err(error) => return Err(fault(error)),
    };
    if !origin.starts_with(&format!("sekisho/{environment}/")) {
        return Err(SendLogKeyFault::OtherEnvironment { origin, expected: environment });
    }
    let key = directory.join(KEY);
    if key.exists() { Ok(LogKey::load(&key, &origin)?) } else { Ok(LogKey::create(&key, &origin)?) }
}

#[cfg(test)]
mod tests {
    use protocol::checkpoint::LogSigner as _;

    use super::*;

    #[test]
    fn a_second_start_finds_the_key_and_name_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let party = crate::testing::SENDER.parse().unwrap();
        let made = load_or_create(directory.path(), Environment::Test, &party).unwrap();
        let found = load_or_create(directory.path(), Environment::Test, &party).unwrap();
        assert_eq!(made.log(), found.log());
    }

    #[test]
    fn a_log_of_the_other_environment_is_never_taken_up() {
        let directory = tempfile::tempdir().unwrap();
        let party = crate::testing::SENDER.parse().unwrap();
        load_or_create(directory.path(), Environment::Test, &party).unwrap();
        let fault = load_or_create(directory.path(), Environment::Production, &party).unwrap_err();
        assert!(matches!(fault, SendLogKeyFault::OtherEnvironment { .. }), "{fault}");
    }

    #[test]
    fn two_logs_of_one_party_have_different_names() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let party = crate::testing::SENDER.parse().unwrap();
        let one = load_or_create(one.path(), Environment::Test, &party).unwrap();
        let two = load_or_create(two.path(), Environment::Test, &party).unwrap();
        assert_ne!(one.log().origin, two.log().origin);
    }
}
