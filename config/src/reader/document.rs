//! A TOML text as a tree in which every key and every value knows its line.
//!
//! The only file that touches the `toml` crate. It goes on after a syntax error, so that the mistakes behind it are
//! found in the same pass.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The most lines reported as not being TOML: with more it is another kind of file.
const SYNTAX_ERRORS_MAX: usize = 100;

/// The tree, and what was not TOML.
pub(super) struct Document {
    pub(super) root: Table,
    pub(super) syntax: Vec<SyntaxError>,
}

/// A place where the text is not TOML.
pub(super) struct SyntaxError {
    pub(super) line: usize,
    /// The key on that line as written, with its table; may be empty.
    pub(super) key: String,
    pub(super) message: String,
    /// The line holds a backslash, as a Windows path does, where TOML expects the rest of an escape.
    pub(super) has_backslash: bool,
}

/// The keys of one table, in the order of the file.
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key and what stands behind it.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) content: Content,
}

pub(super) enum Content {
    Table(Table),
    List(Vec<Item>),
    Single(Item),
}

/// One value that is not taken apart further.
pub(super) struct Item {
    pub(super) line: usize,
    pub(super) plain: Plain,
}

pub(super) enum Plain {
    Text(String),
    Whole(i128),
    Flag(bool),
    /// A thing no key of ours takes, named for the message.
    Other(&'static str),
}

impl Table {
    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Content {
    /// What stands there, in a sentence that begins with the key.
    pub(super) fn called(&self) -> &'static str {
        match self {
            Content::Table(_) => "a table",
            Content::List(_) => "a list",
            Content::Single(item) => item.plain.called(),
        }
    }
}

impl Plain {
    pub(super) fn called(&self) -> &'static str {
        match self {
            Plain::Text(_) => "a text",
            Plain::Whole(_) => "a number",
            Plain::Flag(_) => "true or false",
            Plain::Other(name) => name,
        }
    }
}

impl Document {
    pub(super) fn parse(text: &str) -> Document {
        let lines = Lines::of(text);
        let (root, errors) = DeTable::parse_recoverable(text);
        // One broken line often breaks several rules of the grammar; the first says enough.
        let mut broken: Vec<(usize, &str)> = errors
            .iter()
            .map(|error| (lines.at(error.span().map_or(text.len(), |span| span.start)), error.message()))
            .collect();
        broken.sort_by_key(|(line, _)| *line);
        broken.dedup_by_key(|(line, _)| *line);
        broken.truncate(SYNTAX_ERRORS_MAX);
        let syntax = broken.into_iter().map(|(line, message)| SyntaxError {
            line,
            key: lines.key_on(line),
            message: message.to_owned(),
            has_backslash: lines.text_of(line).contains('\\'),
        });
        let syntax = syntax.collect();
        Document { root: table(root.get_ref(), &lines), syntax }
    }

    /// Is this line already reported as not being TOML?
    pub(super) fn is_broken(&self, line: usize) -> bool {
        self.syntax.iter().any(|error| error.line == line)
    }
}

fn table(parsed: &DeTable<'_>, lines: &Lines<'_>) -> Table {
    let mut entries: Vec<Entry> = parsed
        .iter()
        .map(|(key, value)| Entry {
            name: key.get_ref().to_string(),
            line: lines.at(key.span().start),
            content: content(value, lines),
        })
        .collect();
    entries.sort_by_key(|entry| entry.line);
    Table { entries }
}

fn content(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Content {
    match value.get_ref() {
        DeValue::Table(parsed) => Content::Table(table(parsed, lines)),
        DeValue::Array(items) => Content::List(items.iter().map(|value| item(value, lines)).collect()),
        _ => Content::Single(item(value, lines)),
    }
}

fn item(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Item {
    let plain = match value.get_ref() {
        DeValue::String(text) => Plain::Text(text.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Plain::Whole(number),
            Err(_) => Plain::Other("a number beyond all bounds"),
        },
        DeValue::Float(_) => Plain::Other("a number with a fraction"),
        DeValue::Boolean(flag) => Plain::Flag(*flag),
        DeValue::Datetime(_) => Plain::Other("a date or time"),
        DeValue::Array(_) => Plain::Other("a list"),
        DeValue::Table(_) => Plain::Other("a table"),
    };
    Item { line: lines.at(value.span().start), plain }
}

/// From an offset in the text to its line.
struct Lines<'t> {
    starts: Vec<usize>,
    text: &'t str,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Lines { starts: std::iter::once(0).chain(breaks).collect(), text }
    }

    /// The line of this offset, from 1.
    fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset)
    }

    fn text_of(&self, line: usize) -> &'t str {
        self.text.lines().nth(line.saturating_sub(1)).unwrap_or_default()
    }

    /// The key a line seems to hold, with the table whose header stands above it.
    fn key_on(&self, line: usize) -> String {
        let text = self.text_of(line).trim();
        let key = text.split(['=', '#']).next().unwrap_or_default().trim();
        if text.starts_with('[') || !is_key(key) {
            return key.trim_matches(['[', ']']).to_owned();
        }
        let above = self.text.lines().take(line.saturating_sub(1));
        let header = above.filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']')).last();
        match header {
            Some(table) => format!("{table}.{key}"),
            None => key.to_owned(),
        }
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}
