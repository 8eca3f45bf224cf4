//! A pattern that a name must match from its first to its last character.

use std::fmt;

use regex::{Regex, RegexBuilder};

/// Bytes of a pattern as written: several times the longest that reads well.
pub const PATTERN_LENGTH_MAX: usize = 1000;

/// Bytes of a compiled pattern. `\w{1,40}` takes 700 KB to 2 MB, since it knows the letters of every script; how much depends
/// on what else the library was built with.
const COMPILED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Brackets within brackets.
const NESTING_MAX: u32 = 20;

/// An anchored pattern.
#[derive(Clone)]
pub struct Pattern {
    written: String,
    compiled: Regex,
}

impl Pattern {
    /// Reads a pattern. It is anchored at both ends, whatever it says itself.
    pub fn new(written: &str) -> Result<Self, PatternError> {
        if written.is_empty() || written.len() > PATTERN_LENGTH_MAX {
            return Err(PatternError::Length);
        }
        // By itself first: `a)|(?:b` must not close the bracket that anchors it.
        compile(written)?;
        let compiled = compile(&format!("^(?:{written})$"))?;
        Ok(Pattern { written: written.to_owned(), compiled })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The names of its groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.compiled.capture_names().flatten()
    }

    /// The named groups and what each matched, if the whole text matches. A group that took no part is left out.
    pub(super) fn captures<'t>(&self, text: &'t str) -> Option<Vec<(&str, &'t str)>> {
        let captures = self.compiled.captures(text)?;
        Some(self.groups().filter_map(|name| Some((name, captures.name(name)?.as_str()))).collect())
    }
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    let built = RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).nest_limit(NESTING_MAX).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::TooBig,
        other => PatternError::Malformed(last_line(&other.to_string())),
    })
}

/// The library draws the place over several lines; the last one says what is wrong.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.written, f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Pattern {}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Empty or too long.
    #[error("a pattern has 1 to {PATTERN_LENGTH_MAX} characters")]
    Length,
    /// Would take too much memory.
    #[error("the pattern grows too big: it repeats too much")]
    TooBig,
    /// Not a regular expression.
    #[error("the pattern is no regular expression: {0}")]
    Malformed(String),
}
