//! The stamp of a file spool, `FORMAT`: which layout, which environment, and which key seals what is in it. A spool that
//! does not say what we understand is refused. An empty one takes another key, and a newer layout.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::Path,
};

use durable::{Access, Directory};
use protocol::party::Environment;

use super::{SpoolFault, seal::SpoolKey};

/// The layout that is written: `partial/` and `done/`, a file each, headers of their own, content in pieces; `segments/`,
/// where small content lies together. Layout 2 had no segments, and is otherwise the same.
const LAYOUT: u32 = 3;

/// The oldest layout whose content can be read. The one before it had neither seal nor key.
const LAYOUT_READ: u32 = 2;

/// Where content lies.
const DIRECTORIES: [&str; 3] = ["partial", "done", "segments"];

/// A spool whose stamp fits.
pub(super) struct Opened {
    /// Keeps other processes out for as long as it is held.
    pub(super) lock: File,
    pub(super) partial: Directory,
    pub(super) done: Directory,
    pub(super) segments: Directory,
}

/// Makes or checks the spool's directories and stamp.
pub(super) fn open(
    root: &Path,
    environment: Environment,
    key: Option<&SpoolKey>,
) -> Result<Opened, SpoolFault> {
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
    let ours = Stamp { layout: LAYOUT, environment: environment.to_string(), seal: key.map(SpoolKey::name) };
    let stamp = root.join("FORMAT");
    let found = match fs::read_to_string(&stamp) {
        Ok(text) => Some(Stamp::parse(&text).map_err(unusable)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if DIRECTORIES.iter().any(|name| root.join(name).exists()) {
                return Err(unusable("it has content but no FORMAT; restore that file".to_owned()));
            }
            None
        }
        Err(source) => return Err(failed(source)),
    };
    if let Some(found) = &found {
        let empty = is_empty(root).map_err(failed)?;
        ours.may_follow(found, empty).map_err(unusable)?;
    }
    if found.as_ref() != Some(&ours) {
        durable::replace(&stamp, ours.to_text().as_bytes(), Access::Private).map_err(failed)?;
    }
    let directory = |name| Directory::open(&root.join(name), Access::Private).map_err(failed);
    let [partial, done, segments] = DIRECTORIES;
    Ok(Opened { lock, partial: directory(partial)?, done: directory(done)?, segments: directory(segments)? })
}

fn is_empty(root: &Path) -> io::Result<bool> {
    for name in DIRECTORIES {
        match fs::read_dir(root.join(name)).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Ok(false),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// What `FORMAT` says.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    layout: u32,
    environment: String,
    /// The name of the key that seals what is in it; none: it is not sealed.
    seal: Option<String>,
}

impl Stamp {
    fn to_text(&self) -> String {
        let Stamp { layout, environment, seal } = self;
        let seal = seal.as_deref().map_or_else(|| "none".to_owned(), |name| format!("key {name}"));
        format!("layout {layout}\nenvironment {environment}\nseal {seal}\n")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name).map(str::to_owned);
        let layout = value("layout ").and_then(|layout| layout.parse().ok());
        let environment = value("environment ");
        let seal = match value("seal ") {
            Some(seal) if seal == "none" => Some(None),
            Some(seal) => seal.strip_prefix("key ").map(|name| Some(name.to_owned())),
            None => None,
        };
        match (layout, environment, seal) {
            (Some(layout), ..) if layout > LAYOUT => {
                Err(format!("its layout {layout} is newer than this program; install a newer version"))
            }
            (Some(1), Some(environment), _) => Ok(Stamp { layout: 1, environment, seal: None }),
            (Some(layout @ LAYOUT_READ..=LAYOUT), Some(environment), Some(seal)) => {
                Ok(Stamp { layout, environment, seal })
            }
            _ => Err("its FORMAT is not readable; restore that file".to_owned()),
        }
    }

    /// May a spool that was `found` be used as this one? Whatever is in it could not be read otherwise.
    fn may_follow(&self, found: &Stamp, is_empty: bool) -> Result<(), String> {
        if found.environment != self.environment {
            let (stored, ours) = (&found.environment, &self.environment);
            return Err(format!(
                "it belongs to environment `{stored}`, and `{ours}` is configured; name another directory"
            ));
        }
        if is_empty || found.seal == self.seal && found.layout >= LAYOUT_READ {
            return Ok(());
        }
        if found.layout < LAYOUT_READ {
            return Err(
                "it holds content of an older version, which did not seal; start that version again until `status` says \
                 that nothing is to be delivered, then remove this directory: senders send the rest anew"
                    .to_owned(),
            );
        }
        let name =
            |seal: &Option<String>| seal.as_ref().map_or("none".to_owned(), |name| format!("key {name}"));
        let (held, ours) = (name(&found.seal), name(&self.seal));
        Err(format!(
            "what it holds is sealed by {held}, and {ours} is configured; bring that key back under [spool], or restore \
             the spool that belongs to this one"
        ))
    }
}
