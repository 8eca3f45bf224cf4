//! How what was written for the inbox is made durable: each file and directory for itself, or all at once.
//!
//! A transfer has four files and a directory, and the system can make a whole file system durable by one call. That call must
//! say when something could not be written or did not reach the disk, which it does from Linux 5.17 on, and it must reach the disk, which it does on the
//! file systems of local disks. Elsewhere each is synced for itself.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use durable::Directory;

/// The first Linux whose `syncfs` reports both: what failed to be written since the directory was opened (5.8), and what the file
/// system says of its own sync (5.17).
const REPORTS_FROM: (u32, u32) = (5, 17);

/// File systems, by the numbers that the system gives them, whose `syncfs` is as good as an fsync of each file: ext2 to ext4,
/// XFS, Btrfs. Of others, those of a network and of user space among them, some only hand over what was written.
const REACHES_THE_DISK: [u64; 3] = [0xef53, 0x5846_5342, 0x9123_683e];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncs {
    /// Each when it is written.
    Each,
    /// All of the file system before anything is made visible.
    Whole,
}

impl Syncs {
    /// As this system can, where this directory is.
    pub(super) fn at(directory: &Directory) -> Self {
        // A system that does not say is one that cannot.
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let facts = rustix::fs::statfs(directory.path()).ok();
        let file_system = facts.and_then(|facts| u64::try_from(facts.f_type).ok()).unwrap_or_default();
        Syncs::of(&release, file_system)
    }

    /// As a system of this release can on this file system.
    fn of(release: &str, file_system: u64) -> Self {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)))
                if (major, minor) >= REPORTS_FROM && REACHES_THE_DISK.contains(&file_system) =>
            {
                Syncs::Whole
            }
            _ => Syncs::Each,
        }
    }

    /// Begins what is to become visible together, before the first of it is written below this directory.
    pub(super) fn begin(self, directory: &Directory) -> io::Result<Together> {
        match self {
            Syncs::Each => Ok(Together::Each),
            // One of its own: the system tells of a failed write each who had opened something before, and tells it once.
            Syncs::Whole => File::open(directory.path()).map(Together::Whole),
        }
    }
}

/// What is to become visible together, while it is written.
pub(super) enum Together {
    /// Each is synced when it is written.
    Each,
    /// All are at the end, with the file system that this was opened on.
    Whole(File),
}

impl Together {
    /// A file was written.
    pub(super) fn file(&self, file: &File) -> io::Result<()> {
        if let Together::Each = self { file.sync_all() } else { Ok(()) }
    }

    /// All files of a directory were.
    pub(super) fn directory(&self, directory: &Path) -> io::Result<()> {
        if let Together::Each = self { durable::sync_directory(directory) } else { Ok(()) }
    }

    /// All of it was.
    pub(super) fn all(&self) -> io::Result<()> {
        if let Together::Whole(opened) = self { Ok(rustix::fs::syncfs(opened)?) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXT4: u64 = 0xef53;
    const NFS: u64 = 0x6969;

    #[test]
    fn all_is_synced_at_once_only_where_that_reaches_the_disk_and_failures_are_reported() {
        for (release, file_system, expected) in [
            ("6.18.44-fc-v669\n", EXT4, Syncs::Whole),
            ("5.17.0", EXT4, Syncs::Whole),
            ("10.0", EXT4, Syncs::Whole),
            ("6.18.44", NFS, Syncs::Each),
            ("6.18.44", 0, Syncs::Each),
            ("5.16.20", EXT4, Syncs::Each),
            ("4.18.0-553.el8", EXT4, Syncs::Each),
            ("5", EXT4, Syncs::Each),
            ("", EXT4, Syncs::Each),
            ("unknown", EXT4, Syncs::Each),
        ] {
            assert_eq!(Syncs::of(release, file_system), expected, "{release} {file_system:x}");
        }
    }
}
