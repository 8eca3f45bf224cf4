//! Start-up of the file spool: every file is one that the ledger wants, or goes.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use protocol::transfer_id::TransferKey;

use super::{Keep, Recovered, SpoolFault, file::Inner, header::Header};

pub(super) fn recover(inner: &Inner, wanted: &dyn Fn(&TransferKey) -> Keep) -> Result<Recovered, SpoolFault> {
    let mut recovered = Recovered::default();
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
                    fs::remove_file(&path).map_err(|source| inner.poison("remove", source))?;
                    removed += 1;
                    continue;
                }
                Keep::Prefix(0) => true,
                Keep::Prefix(bytes) => length(&path)?.is_some_and(|length| length >= bytes),
                Keep::Whole(bytes) => finished && length(&path)? == Some(bytes),
            };
            if fits {
                recovered.kept += 1;
            } else {
                recovered.damaged.push(key);
            }
        }
        if removed > 0 {
            let synced = inner.disk.sync_directory(directory);
            synced.map_err(|source| inner.poison("fsync of the directory", source))?;
            recovered.removed += removed;
        }
    }
    Ok(recovered)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Bytes of content; `None` without a readable header.
fn length(path: &Path) -> Result<Option<u64>, SpoolFault> {
    let read = || -> io::Result<Option<u64>> {
        let mut file = File::open(path)?;
        let header = Header::read(&mut file)?;
        header.map(|_| file.metadata().map(|metadata| metadata.len() - Header::BYTES)).transpose()
    };
    read().map_err(|source| SpoolFault::Read { operation: "look up", source })
}
