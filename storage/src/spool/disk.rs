//! The calls that can fail while content becomes durable. One implementation serves; tests put failing ones in its
//! place.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

pub(super) trait Disk: Send + Sync {
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()>;
    /// Makes content and length durable.
    fn sync(&self, file: &File) -> io::Result<()>;
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn write_all(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        durable::sync_directory(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        durable::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        durable::remove(path)
    }
}
