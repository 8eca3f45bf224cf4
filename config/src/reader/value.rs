//! What a value of a configuration file can be, and the plain kinds of it.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use protocol::{
    kind::Class,
    party::{Environment, Party},
};

use super::{
    document::{Item, Plain},
    nearest::nearest,
};

/// A kind of value: how it is written, read and shown.
pub trait Value: Sized {
    /// What is expected, to stand after "write": `a duration such as "10s"`.
    fn form() -> String;

    /// Takes the value from the file.
    ///
    /// # Errors
    /// The reason and the next step, both without the key.
    fn read(given: &Given<'_>) -> Result<Self, Fault>;

    /// The value as it would stand in the file.
    fn show(&self) -> String;
}

/// Why a value was not taken; the reader adds line and key.
#[derive(Debug)]
pub struct Fault {
    pub(super) reason: String,
    pub(super) next_step: String,
}

impl Fault {
    /// A fault with its reason and next step.
    pub fn new(reason: impl Into<String>, next_step: impl Into<String>) -> Self {
        Fault { reason: reason.into(), next_step: next_step.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} — {}", self.reason, self.next_step)
    }
}

impl std::error::Error for Fault {}

/// A value as found in the file.
pub struct Given<'a> {
    pub(super) item: &'a Item,
    pub(super) directory: &'a Path,
    pub(super) look_for_files: bool,
}

impl<'a> Given<'a> {
    /// The value as a text, if it is one.
    pub fn text(&self) -> Option<&'a str> {
        match &self.item.plain {
            Plain::Text(text) => Some(text),
            Plain::Whole(_) | Plain::Flag(_) | Plain::Other(_) => None,
        }
    }

    /// The value as a whole number, if it is one.
    pub fn whole(&self) -> Option<i128> {
        match self.item.plain {
            Plain::Whole(number) => Some(number),
            Plain::Text(_) | Plain::Flag(_) | Plain::Other(_) => None,
        }
    }

    /// The value as a text, or the fault that says what `T` wants instead.
    ///
    /// # Errors
    /// If it is no text.
    pub fn text_for<T: Value>(&self) -> Result<&'a str, Fault> {
        self.text().ok_or_else(|| self.is_not::<T>())
    }

    /// The fault of a value that is no `T`.
    pub fn is_not<T: Value>(&self) -> Fault {
        Fault::new(format!("{} is not understood", self.shown()), format!("write {}", T::form()))
    }

    /// The value for a message: on one line and short, whatever somebody pasted.
    pub fn shown(&self) -> String {
        const SHOWN_CHARACTERS_MAX: usize = 60;
        match &self.item.plain {
            Plain::Text(text) if text.chars().count() > SHOWN_CHARACTERS_MAX => {
                format!("{:?}…", text.chars().take(SHOWN_CHARACTERS_MAX).collect::<String>())
            }
            Plain::Text(text) => format!("{text:?}"),
            Plain::Whole(number) => number.to_string(),
            Plain::Flag(flag) => flag.to_string(),
            Plain::Other(name) => (*name).to_owned(),
        }
    }
}

/// A value that is one of a few words.
pub trait Word: Copy + PartialEq + 'static {
    /// The words and what each means.
    const WORDS: &[(&str, Self)];
}

impl<T: Word> Value for T {
    fn form() -> String {
        let quoted: Vec<String> = T::WORDS.iter().map(|(word, _)| format!("{word:?}")).collect();
        quoted.join(" or ")
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        Err(match nearest(text, T::WORDS.iter().map(|(word, _)| *word)) {
            Some(word) => {
                Fault::new(format!("{} is not understood", given.shown()), format!("did you mean {word:?}?"))
            }
            None => given.is_not::<Self>(),
        })
    }
    fn show(&self) -> String {
        let word = T::WORDS.iter().find(|(_, value)| value == self);
        word.map_or_else(String::new, |(word, _)| format!("{word:?}"))
    }
}

impl Word for Environment {
    const WORDS: &[(&str, Self)] = &[
        (Environment::Production.name(), Environment::Production),
        (Environment::Test.name(), Environment::Test),
    ];
}

impl Word for Class {
    const WORDS: &[(&str, Self)] = &[
        (Class::StrictlyConfidential.name(), Class::StrictlyConfidential),
        (Class::Confidential.name(), Class::Confidential),
        (Class::Public.name(), Class::Public),
    ];
}

impl Value for Party {
    fn form() -> String {
        "a party as role:code, such as \"institution:1310000018\" or \"review-agency:113\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|error| {
            Fault::new(format!("{} is no party: {error}", given.shown()), format!("write {}", Self::form()))
        })
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Value for SocketAddr {
    fn form() -> String {
        "an address and port such as \"192.0.2.10:443\" or \"[2001:db8::10]:443\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

/// Yes or no.
impl Value for bool {
    fn form() -> String {
        "true or false, without quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        match given.item.plain {
            Plain::Flag(flag) => Ok(flag),
            _ => Err(given.is_not::<Self>()),
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// How many of something.
impl Value for u32 {
    fn form() -> String {
        "a whole number".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.whole().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

/// A text for people: one line, not empty.
impl Value for String {
    fn form() -> String {
        "a text of one line, 1 to 200 characters, in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        let fits = (1..=200).contains(&text.chars().count()) && !text.trim().is_empty();
        if fits && !text.contains(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(given.is_not::<Self>())
        }
    }
    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// A directory; a relative one is taken from where the configuration file stands.
impl Value for PathBuf {
    fn form() -> String {
        "the path of a directory in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        path::<Self>(given)
    }
    fn show(&self) -> String {
        format!("\"{}\"", self.display())
    }
}

/// A file that must be there when the program starts; a relative path is taken from where the configuration file
/// stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile(pub PathBuf);

impl Value for InputFile {
    fn form() -> String {
        "the path of a file in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let path = path::<Self>(given)?;
        if given.look_for_files && !path.is_file() {
            return Err(Fault::new(
                format!("there is no file {}", path.display()),
                "put the file there or correct the path; a relative path starts where this configuration file stands",
            ));
        }
        Ok(InputFile(path))
    }
    fn show(&self) -> String {
        format!("\"{}\"", self.0.display())
    }
}

/// For a path written as `"C:\temp"`, in which TOML sees a tabulator.
pub(super) const WINDOWS_PATH_HINT: &str =
    r"write a Windows path in single quotes, 'C:\sekisho\key.pem', or with /";

fn path<T: Value>(given: &Given<'_>) -> Result<PathBuf, Fault> {
    let text = given.text_for::<T>()?;
    if text.contains(char::is_control) {
        return Err(Fault::new(format!("{} holds a control character", given.shown()), WINDOWS_PATH_HINT));
    }
    if text.is_empty() { Err(given.is_not::<T>()) } else { Ok(given.directory.join(text)) }
}
