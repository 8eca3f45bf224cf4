//! The stamp of a file spool, `FORMAT`: which layout, and which environment. A spool that does not say what we
//! understand is refused.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

use durable::{Access, Directory};
use protocol::party::Environment;

use super::SpoolFault;

/// The layout that is written: `partial/` and `done/`, a file each, headers of their own.
const LAYOUT: u32 = 1;

/// A spool whose stamp fits.
pub(super) struct Opened {
    /// Keeps other processes out for as long as it is held.
    pub(super) lock: File,
    pub(super) partial: Directory,
    pub(super) done: Directory,
}

/// Makes or checks the spool's directories and stamp.
pub(super) fn open(root: &Path, environment: Environment) -> Result<Opened, SpoolFault> {
    let unusable = |reason: String| SpoolFault::Unusable { path: root.display().to_string(), reason };
    let failed = |source: io::Error| unusable(format!("{source}; check the directory and its owner"));
    durable::create_directory(root, Access::Private).map_err(failed)?;
    let lock = durable::new_file(Access::Private).create_new(false).create(true).open(root.join("LOCK"));
    let lock = lock.map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SpoolFault::InUse(root.display().to_string())),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let stamp = root.join("FORMAT");
    match fs::read_to_string(&stamp) {
        Ok(text) => check(&text, environment).map_err(unusable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if root.join("partial").exists() || root.join("done").exists() {
                return Err(unusable("it has content but no FORMAT; restore that file".to_owned()));
            }
            let text = format!("layout {LAYOUT}\nenvironment {environment}\n");
            durable::create(&stamp, text.as_bytes(), Access::Private).map_err(failed)?;
        }
        Err(source) => return Err(failed(source)),
    }
    let directory = |name| Directory::open(&root.join(name), Access::Private).map_err(failed);
    Ok(Opened { lock, partial: directory("partial")?, done: directory("done")? })
}

fn check(text: &str, environment: Environment) -> Result<(), String> {
    let mut lines = text.lines();
    let layout = lines.next().and_then(|line| line.strip_prefix("layout ")?.parse::<u32>().ok());
    let stored = lines.next().and_then(|line| line.strip_prefix("environment "));
    match (layout, stored) {
        (Some(layout), _) if layout > LAYOUT => {
            Err(format!("its layout {layout} is newer than this program; install a newer version"))
        }
        (Some(LAYOUT), Some(stored)) if stored == environment.name() => Ok(()),
        (Some(LAYOUT), Some(stored)) => Err(format!(
            "it belongs to environment `{stored}`, and `{environment}` is configured; name another directory"
        )),
        _ => Err("its FORMAT is not readable; restore that file".to_owned()),
    }
}
