//! The key of the centre's own log, made at the first start and kept for the log's whole life.

use std::{fs, io, path::Path};

use durable::Access;
use pki::{
    log_key::{LogKey, LogKeyFault},
    random::{NoRandomness, random_bytes},
};
use protocol::party::{Environment, Party};

/// Why the log's key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyMissing {
    /// The name of the log cannot be read or written.
    #[error("the name of the log in {file} cannot be read or written", file = .file.display())]
    Origin {
        /// Which file.
        file: std::path::PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key itself.
    #[error("the log key cannot be used")]
    Key(#[from] LogKeyFault),
    /// No randomness to make a name with.
    #[error("a new log needs a name that no other log has")]
    Random(#[from] NoRandomness),
}

/// The files of the log's name and key below the data directory.
pub const ORIGIN_FILE: &str = "log/origin";
/// See [`ORIGIN_FILE`].
pub const KEY_FILE: &str = "log/key.pem";

/// Loads the key of the log in this data directory; makes one where none was ever made.
pub fn load_or_create(data: &Path, environment: Environment, party: &Party) -> Result<LogKey, LogKeyMissing> {
    let (origin_file, key_file) = (data.join(ORIGIN_FILE), data.join(KEY_FILE));
    let failed = |source| LogKeyMissing::Origin { file: origin_file.clone(), source };
    match fs::read_to_string(&origin_file) {
        Ok(origin) if key_file.exists() => Ok(LogKey::load(&key_file, origin.trim_end())?),
        // The name is durable first: a stop in between leaves a name without a key, and no log under it yet.
        Ok(origin) => Ok(LogKey::create(&key_file, origin.trim_end())?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            durable::create_directory(&data.join("log"), Access::Private).map_err(failed)?;
            let unique = u64::from_be_bytes(random_bytes::<8>()?);
            let origin = format!("sekisho/{environment}/{party}/{unique:016x}");
            durable::create(&origin_file, format!("{origin}\n").as_bytes(), Access::Private)
                .map_err(failed)?;
            Ok(LogKey::create(&key_file, &origin)?)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Loads the key, and makes none: for looking at a log.
pub fn load(data: &Path) -> Result<LogKey, LogKeyMissing> {
    let file = data.join(ORIGIN_FILE);
    let origin = fs::read_to_string(&file).map_err(|source| LogKeyMissing::Origin { file, source })?;
    Ok(LogKey::load(&data.join(KEY_FILE), origin.trim_end())?)
}
