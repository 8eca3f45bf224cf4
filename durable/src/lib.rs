//! Files that are wholly and durably there, or not at all.
//!
//! Every durable write of the project goes through here: write beside, fsync, give the name, fsync the directory. A
//! write that returns an error may have left a file `.NAME.*.tmp` beside the target, never a part of the target. An
//! fsync that failed must not be tried again (the kernel may have dropped the pages): give the operation up.

#[cfg(target_os = "linux")]
mod past_cache;

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

#[cfg(target_os = "linux")]
pub use past_cache::PastCache;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner only (0600; directories 0700): keys, claims content, state.
    Private,
    /// Everybody (0644; directories 0755): certificates, CRLs, evidence.
    Shared,
}

impl Access {
    #[cfg(unix)]
    fn file_mode(self) -> u32 {
        match self {
            Access::Private => 0o600,
            Access::Shared => 0o644,
        }
    }

    #[cfg(unix)]
    fn directory_mode(self) -> u32 {
        match self {
            Access::Private => 0o700,
            Access::Shared => 0o755,
        }
    }
}

/// Options that create a file with this access and never open an existing one.
pub fn new_file(access: Access) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.file_mode());
    #[cfg(not(unix))]
    let _ = access;
    options
}

/// Makes a directory in one that is there. Its name is not durable yet.
pub fn new_directory(path: &Path, access: Access) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, access.directory_mode());
    #[cfg(not(unix))]
    let _ = access;
    builder.create(path)
}

/// Writes a file that must not exist yet; `AlreadyExists` if it does, and then nothing is changed.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let beside = write_beside(path, bytes, access)?;
    // A hard link gives the name only if it is free; a rename would replace.
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    linked?;
    sync_directory(parent(path))
}

/// Writes a file, in place of an older one if there is one: readers see the old bytes or the new, nothing else.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let beside = write_beside(path, bytes, access)?;
    rename(&beside, path)
}

/// Gives a file or directory, whose content is durable, another name, and makes that durable in both directories.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_directory(parent(to))?;
    if parent(from) != parent(to) {
        sync_directory(parent(from))?;
    }
    Ok(())
}

/// Removes a file and makes that durable; a file that is not there is no error.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(parent(path)),
    }
}

/// Makes a directory with all that is missing above it; one that is there already is no error.
pub fn create_directory(path: &Path, access: Access) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = parent(path);
    if !above.is_dir() {
        create_directory(above, access)?;
    }
    match new_directory(path, access) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(above),
    }
}

/// Makes the names in a directory durable.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    // Only Unix can open a directory to sync it; elsewhere the file system orders names itself.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// A directory held open: making its names durable needs nothing that can run out meanwhile, file descriptors above
/// all. A rename that is done but cannot be synced is the one state that nobody can tell from either side.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    handle: Option<File>,
}

impl Directory {
    /// Makes the directory, if need be with all that is missing above it, and holds it open.
    pub fn open(path: &Path, access: Access) -> io::Result<Self> {
        create_directory(path, access)?;
        let handle = if cfg!(unix) { Some(File::open(path)?) } else { None };
        Ok(Directory { path: path.to_owned(), handle })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes its names durable.
    pub fn sync(&self) -> io::Result<()> {
        self.handle.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// Moves what has this name here, and whose content is durable, under the same name to another directory of the
    /// same file system, and makes that durable in both.
    pub fn hand_over(&self, name: &str, to: &Directory) -> io::Result<()> {
        self.hand_over_all([name], to)
    }

    /// The same for many, at the cost of one. If it fails, some of them may have been moved.
    pub fn hand_over_all<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        to: &Directory,
    ) -> io::Result<()> {
        for name in names {
            fs::rename(self.path.join(name), to.path.join(name))?;
        }
        to.sync()?;
        self.sync()
    }

    /// Removes the file of this name and makes that durable; a file that is not there is no error.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => self.sync(),
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    }
}

fn write_beside(path: &Path, bytes: &[u8], access: Access) -> io::Result<PathBuf> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
    let beside = path.with_file_name(format!(
        ".{name}.{}.{}.tmp",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ));
    let written = new_file(access).open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Ok(()) => Ok(beside),
        Err(error) => {
            // The first error is the one that counts; what is left over is never read.
            let _ = fs::remove_file(&beside);
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_exists_is_never_overwritten_by_create() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        create(&path, b"first", Access::Private).unwrap();
        assert_eq!(
            create(&path, b"second", Access::Private).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn what_is_handed_over_stands_in_the_other_directory_alone() {
        let root = tempfile::tempdir().unwrap();
        let from = Directory::open(&root.path().join("from"), Access::Private).unwrap();
        let to = Directory::open(&root.path().join("to"), Access::Private).unwrap();
        create(&from.path().join("name"), b"x", Access::Private).unwrap();
        from.hand_over("name", &to).unwrap();
        assert_eq!(fs::read(to.path().join("name")).unwrap(), b"x");
        assert_eq!(fs::read_dir(from.path()).unwrap().count(), 0);
        to.remove("name").unwrap();
        to.remove("name").unwrap();
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn private_files_and_directories_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("a/b");
        create_directory(&inner, Access::Private).unwrap();
        replace(&inner.join("state"), b"x", Access::Private).unwrap();
        assert_eq!(fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(inner.join("state")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
