//! What is wrong with a configuration file, said so that its reader can mend it at once.

use std::{fmt, io, path::PathBuf};

/// One mistake: where, what, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Line in the file, from 1; none where something is missing that has no place yet.
    pub line: Option<usize>,
    /// The key with its tables, `link.detect_max`; empty where the line has no readable key.
    pub key: String,
    /// What is wrong.
    pub reason: String,
    /// What to write, or to do, instead.
    pub next_step: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} — {}", self.reason, self.next_step)
    }
}

/// Why a configuration file was not taken.
#[derive(Debug)]
pub enum ConfigError {
    /// The file could not be read at all.
    Unreadable {
        /// The file, as it was named to us.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file was read, and this is wrong with it.
    Mistaken {
        /// The file, as it was named to us.
        file: PathBuf,
        /// At least one, in the order of the file; what is missing without a place comes last.
        mistakes: Vec<Mistake>,
    },
}

impl ConfigError {
    /// Every mistake found; empty if the file could not be read.
    pub fn mistakes(&self) -> &[Mistake] {
        match self {
            ConfigError::Unreadable { .. } => &[],
            ConfigError::Mistaken { mistakes, .. } => mistakes,
        }
    }
}

impl fmt::Display for ConfigError {
    /// One line for each mistake: `gateway.toml:12: link.detect_max: "1s" is below "2s" — write at least "2s"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { file, .. } => {
                write!(f, "{}: cannot be read — check its name and who may read it", file.display())
            }
            ConfigError::Mistaken { file, mistakes } => {
                for (index, mistake) in mistakes.iter().enumerate() {
                    if index > 0 {
                        writeln!(f)?;
                    }
                    match mistake.line {
                        Some(line) => write!(f, "{}:{line}: {mistake}", file.display())?,
                        None => write!(f, "{}: {mistake}", file.display())?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Unreadable { source, .. } => Some(source),
            ConfigError::Mistaken { .. } => None,
        }
    }
}
