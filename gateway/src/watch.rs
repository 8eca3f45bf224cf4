//! Whether a file that counts has changed, once a second.
//!
//! Files are looked at and not listened for: a look also sees what a network file system, a symbolic link that is swapped,
//! or another container did. A change is taken up once it has stood still for a second, so that nobody's half-written
//! file is read.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use config::GatewayConfig;

use crate::{centre::Centre, in_force::files_of, reload::Reloader};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// What shows that a file is another, or was written: device, inode, size, times of change in nanoseconds, owner and
/// mode. Links are followed. Nothing: it is not there.
type Look = Option<(u64, u64, u64, (i64, i64), (i64, i64), u32)>;

fn look_at(path: &Path) -> Look {
    let facts = fs::metadata(path).ok()?;
    Some((
        facts.dev(),
        facts.ino(),
        facts.size(),
        (facts.mtime(), facts.mtime_nsec()),
        (facts.ctime(), facts.ctime_nsec()),
        facts.mode(),
    ))
}

fn look_at_all(paths: Vec<PathBuf>) -> HashMap<PathBuf, Look> {
    paths.into_iter().map(|path| (path.clone(), look_at(&path))).collect()
}

/// What the files looked like at some time.
pub struct Seen(HashMap<PathBuf, Look>);

impl Seen {
    /// Looks now, at the file with the settings and at those that they name. To be done before they are read: what
    /// changes after that is another change.
    pub fn now(file: &Path, config: &GatewayConfig) -> Self {
        Seen(look_at_all(files_of(config).into_iter().chain([file.to_owned()]).collect()))
    }
}

/// Watches until the centre ends; `taken_up` is what the files looked like when they were read.
pub async fn run(centre: Arc<Centre>, reloader: Arc<Reloader>, taken_up: Seen) {
    let mut taken_up = taken_up.0;
    let mut before = taken_up.clone();
    loop {
        tokio::select! {
            biased;
            () = centre.ending.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if !centre.in_force().config.reload.watch {
            continue;
        }
        let now = look(&centre, &reloader).await;
        // As it was taken up, or still moving.
        if now != taken_up && now == before {
            // Refused or not: the same files once more would come to the same.
            let _ = reloader.reload(&centre, "file changed").await;
            // The new settings may name other files. Of those known before, the look from before they were read counts:
            // what changed since is another change.
            taken_up = look(&centre, &reloader).await;
            for (path, look) in now {
                taken_up.entry(path).and_modify(|newer| *newer = look);
            }
            before = taken_up.clone();
        } else {
            before = now;
        }
    }
}

async fn look(centre: &Arc<Centre>, reloader: &Arc<Reloader>) -> HashMap<PathBuf, Look> {
    let mut paths = files_of(&centre.in_force().config);
    paths.push(reloader.file().to_owned());
    // Of settings that were refused too: what they lack may come.
    paths.extend(reloader.files_of_refused());
    // A file system that hangs must not hold up a worker.
    tokio::task::spawn_blocking(|| look_at_all(paths)).await.unwrap_or_default()
}
