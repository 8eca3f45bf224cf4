//! Reads a configuration file key by key and collects every mistake.
//!
//! A file's type asks for each of its keys through a [`Section`]; each call returns `None` when it found a mistake, so
//! that a reading function first asks for everything and then puts its result together with `?`. The calls are at
//! the same time the list of known keys, from which unknown ones and the reference page follow: no key can be read
//! and be missing there.

mod address;
mod document;
mod key;
mod nearest;
mod quantity;
mod section;
mod url;
mod value;

use std::{
    cell::RefCell,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use document::{Content, Document, SyntaxError, Table};
use nearest::nearest;

pub use address::{HostName, HostPort};
pub use key::{Choice, Key, Limit};
pub use quantity::Size;
pub use section::Section;
pub use url::HttpUrl;
pub use value::{Fault, Given, InputFile, Value, Word};

use crate::mistake::{ConfigError, Mistake};

/// The largest configuration file taken, in bytes: fifty times the longest example, with its lists at their longest.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The most entries of one list: an agency trusts some tens of issuers, each with a CRL or two.
pub const LIST_ENTRIES_MAX: usize = 1000;

/// Reads a configuration file with `read` and looks whether the files it names are there.
///
/// # Errors
/// If the file cannot be read, or with every mistake found in it.
pub fn load<T>(file: &Path, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, ConfigError> {
    let (text, absolute) = text_of(file)?;
    Reader::new(&text, &absolute, true).run(file, read)
}

/// As [`load`], of a part of the file: what else stands in it is not looked at.
///
/// # Errors
/// If the file cannot be read, or with every mistake found in that part.
pub fn load_part<T>(file: &Path, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, ConfigError> {
    let (text, absolute) = text_of(file)?;
    let reader = Reader::new(&text, &absolute, false);
    let value = read(&reader.root());
    let mistakes = reader.mistakes.into_inner();
    value.ok_or_else(|| ConfigError::Mistaken { file: file.to_owned(), mistakes })
}

/// The text of a configuration file, and the file's absolute path.
fn text_of(file: &Path) -> Result<(String, PathBuf), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { file: file.to_owned(), source };
    // Taken once here, so that a later change of the working directory cannot move the paths inside.
    let absolute = std::path::absolute(file).map_err(unreadable)?;
    let mut bytes = Vec::new();
    fs::File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    let mistaken = |mistake| ConfigError::Mistaken { file: file.to_owned(), mistakes: vec![mistake] };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(mistaken(whole_file("is larger than 256 KiB", "name the right file")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes().iter().take(good).filter(|&&byte| byte == b'\n').count() + 1;
        let next_step = "save the file as UTF-8 (in メモ帳: 名前を付けて保存, 文字コード UTF-8)";
        mistaken(Mistake { line: Some(line), ..whole_file("this line is not UTF-8", next_step) })
    })?;
    Ok((text, absolute))
}

/// Reads a configuration from its text with `read`, without looking at any other file; `file` is its name, for
/// messages and as the place relative paths start from.
///
/// # Errors
/// With every mistake found.
pub fn parse<T>(
    text: &str,
    file: &Path,
    read: impl FnOnce(&Section<'_>) -> Option<T>,
) -> Result<T, ConfigError> {
    Reader::new(text, file, false).run(file, read)
}

/// Every key and table that `read` asks for, in its order.
pub fn known_keys<T>(read: impl FnOnce(&Section<'_>) -> Option<T>) -> Vec<KnownKey> {
    let reader = Reader { describing: true, ..Reader::new("", Path::new(""), false) };
    // Of an empty file nothing can be made; only the questions are wanted.
    let _nothing = read(&reader.root());
    reader.known.into_inner()
}

fn whole_file(reason: &str, next_step: &str) -> Mistake {
    Mistake { line: None, key: String::new(), reason: reason.to_owned(), next_step: next_step.to_owned() }
}

/// A key or table that a configuration knows, for the reference page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownKey {
    /// The tables it stands in and its name, joined by dots.
    pub path: String,
    /// What it means.
    pub meaning: &'static str,
    /// How it is written; none for a table.
    pub usage: Option<Usage>,
}

/// How a key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// What is expected: `a duration such as "10s"`.
    pub form: String,
    /// Its default as it would stand in the file, or that it is required or optional.
    pub default: String,
    /// The smallest and largest value; empty if there are none.
    pub range: String,
    /// Why the default is what it is; empty without one.
    pub reason: &'static str,
}

struct Reader {
    document: Document,
    directory: PathBuf,
    look_for_files: bool,
    describing: bool,
    mistakes: RefCell<Vec<Mistake>>,
    known: RefCell<Vec<KnownKey>>,
}

impl Reader {
    fn new(text: &str, file: &Path, look_for_files: bool) -> Self {
        Reader {
            document: Document::parse(text),
            directory: file.parent().unwrap_or(Path::new("")).to_owned(),
            look_for_files,
            describing: false,
            mistakes: RefCell::default(),
            known: RefCell::default(),
        }
    }

    fn root(&self) -> Section<'_> {
        Section::root(self, &self.document.root)
    }

    fn run<T>(self, file: &Path, read: impl FnOnce(&Section<'_>) -> Option<T>) -> Result<T, ConfigError> {
        let value = read(&self.root());
        self.find_unknown(&self.document.root, "");
        let mut mistakes = self.mistakes.into_inner();
        mistakes.extend(self.document.syntax.into_iter().map(not_toml));
        mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        match value {
            Some(value) if mistakes.is_empty() => Ok(value),
            _ => Err(ConfigError::Mistaken { file: file.to_owned(), mistakes }),
        }
    }

    fn refuse(&self, line: Option<usize>, key: String, fault: Fault) {
        // On a line that is not TOML the value is a guess, and that line is reported already.
        if line.is_none_or(|line| !self.document.is_broken(line)) {
            let Fault { reason, next_step } = fault;
            self.mistakes.borrow_mut().push(Mistake { line, key, reason, next_step });
        }
    }

    fn find_unknown(&self, table: &Table, within: &str) {
        for entry in &table.entries {
            let path = join(within, &entry.name);
            let known = self.known.borrow();
            let found = known.iter().find(|known| known.path == path);
            match (found, &entry.content) {
                (None, _) => {
                    let next_step = instead_of(&entry.name, within, &known);
                    self.refuse(Some(entry.line), path, Fault::new("is not a known key", next_step));
                }
                (Some(found), Content::Table(inner)) if found.usage.is_none() => {
                    self.find_unknown(inner, &path)
                }
                (Some(_), _) => {}
            }
        }
    }
}

fn not_toml(error: SyntaxError) -> Mistake {
    let next_step = match error.has_backslash {
        true => value::WINDOWS_PATH_HINT,
        false => "write key = value, a text in \"quotes\", a table as [name], and each of them once",
    };
    let reason = format!("is not TOML: {}", error.message);
    Mistake { line: Some(error.line), key: error.key, reason, next_step: next_step.to_owned() }
}

/// What the writer of an unknown key can do: the near name beside it, else the same name elsewhere.
fn instead_of(name: &str, within: &str, known: &[KnownKey]) -> String {
    let beside = || {
        known.iter().filter_map(|key| {
            let (table, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
            (table == within).then_some(name)
        })
    };
    if let Some(near) = nearest(name, beside()) {
        return format!("did you mean {}?", join(within, near));
    }
    let elsewhere = known.iter().find(|key| key.path.rsplit('.').next() == Some(name));
    if let Some((table, _)) = elsewhere.and_then(|key| key.path.rsplit_once('.')) {
        return format!("it belongs under [{table}]");
    }
    let names: Vec<&str> = beside().collect();
    format!("remove it; known here are {}", names.join(", "))
}

fn join(table: &str, name: &str) -> String {
    if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") }
}
