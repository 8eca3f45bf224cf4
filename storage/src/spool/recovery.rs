//! Start-up of the file spool: every content is one that the ledger wants, or goes.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use protocol::transfer_id::TransferKey;

use super::{Keep, Recovered, SpoolFault, file::Inner, header::Header};

pub(super) fn recover(inner: &Inner, wanted: &dyn Fn(&TransferKey) -> Keep) -> Result<Recovered, SpoolFault> {
    let mut recovered = Recovered::default();
    inner.segments.recover(wanted, &mut recovered)?;
    for (directory, finished) in [(&inner.partial, false), (&inner.done, true)] {
        let mut removed = 0;
        for name in
            names(directory.path()).map_err(|source| SpoolFault::Read { operation: "list", source })?
        {
            let path = directory.path().join(&name);
            let Some(key) = TransferKey::from_file_stem(&name) else {
                recovered.strange.push(path.display().to_string());
                continue;
            };
            let fits = match wanted(&key) {
                Keep::Nothing => {
                    fs::remove_file(&path).map_err(|source| inner.medium.poison("remove", source))?;
                    removed += 1;
                    continue;
                }
                Keep::Prefix(0) | Keep::Unknown => true,
                Keep::Prefix(bytes) => held(inner, &key, &path)?.is_some_and(|held| held.bytes >= bytes),
                Keep::Whole(bytes) => {
                    let whole = |held: Held| (held.bytes, held.length) == (bytes, bytes);
                    finished && held(inner, &key, &path)?.is_some_and(whole)
                }
            };
            if fits {
                recovered.kept += 1;
            } else {
                recovered.damaged.push(key);
            }
        }
        if removed > 0 {
            let synced = inner.medium.disk.sync_directory(directory);
            synced.map_err(|source| inner.medium.poison("fsync of the directory", source))?;
            recovered.removed += removed;
        }
    }
    Ok(recovered)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// What a file holds of a content.
struct Held {
    /// Bytes that are there.
    bytes: u64,
    /// Bytes of the whole.
    length: u64,
}

/// Looks at head and length; what the pieces are is found out by whoever reads them. `None` if the head is not one of
/// this content.
fn held(inner: &Inner, key: &TransferKey, path: &Path) -> Result<Option<Held>, SpoolFault> {
    let failed = |source| SpoolFault::Read { operation: "look up", source };
    let file = File::open(path).map_err(failed)?;
    let Some(header) = Header::read(&file).map_err(failed)? else { return Ok(None) };
    if let Err(SpoolFault::Damaged(..)) = inner.opener(key, &header) {
        return Ok(None);
    }
    let (head, length) = (header.layout.head(), header.layout.length());
    let bytes = file.metadata().map_err(failed)?.len().saturating_sub(head);
    Ok(Some(Held { bytes: bytes.min(length), length }))
}
