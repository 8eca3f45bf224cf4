//! What time brings: once a second, whether a file that counts has changed, and whether the certificate of an open
//! connection has ended.
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

use crate::{
    centre::Centre,
    in_force::files_of,
    reload::{Reloader, end_all},
};

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

/// Watches until the centre stops.
pub async fn run(centre: Arc<Centre>, reloader: Arc<Reloader>) {
    let mut taken_up = look(&centre, &reloader).await;
    let mut before = taken_up.clone();
    loop {
        tokio::select! {
            biased;
            () = centre.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        end_what_is_over(&centre).await;
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
    // A file system that hangs must not hold up a worker.
    tokio::task::spawn_blocking(|| look_at_all(paths)).await.unwrap_or_default()
}

/// A connection lives no longer than the certificate that it was opened with.
async fn end_what_is_over(centre: &Arc<Centre>) {
    let now = pki::clock::now();
    let over = centre.live.all().into_iter().filter(|open| open.peer.not_after() < now && !open.is_ending());
    end_all(centre, &over.map(|open| (open, "expired")).collect::<Vec<_>>()).await;
}
