//! One name in a certificate, and whether its text can be read without being fooled.

use super::Place;

/// Characters of a name in the subject alternative name: an identity with a thousand codes of ten digits has about
/// eleven thousand.
pub const ALTERNATIVE_NAME_LENGTH_MAX: usize = 16 * 1024;

/// Characters of a subject attribute: X.520 allows 64 for most of them, some authorities take more.
pub const ATTRIBUTE_LENGTH_MAX: usize = 256;

/// Characters of a host name and of one label of it (RFC 1035 section 2.3.4).
const HOST_LENGTH_MAX: usize = 253;
const LABEL_LENGTH_MAX: usize = 63;

/// A name, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    place: Place,
    text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    Safe(String),
    Unsafe,
    Foreign,
}

impl Name {
    /// A name with this text.
    pub fn new(place: Place, text: &str) -> Self {
        let safe = match &place {
            Place::Uri | Place::Mail => is_graphic(text, ALTERNATIVE_NAME_LENGTH_MAX) && !has_punycode(text),
            Place::Dns => is_graphic(text, HOST_LENGTH_MAX) && !has_punycode(text) && labels_fit(text),
            Place::Other(_) | Place::WholeSubject => is_plain(text, ALTERNATIVE_NAME_LENGTH_MAX),
            Place::Subject(_) => is_plain(text, ATTRIBUTE_LENGTH_MAX),
        };
        Name { place, text: if safe { Text::Safe(text.to_owned()) } else { Text::Unsafe } }
    }

    /// A name whose bytes are no text of the kind that its place asks for.
    pub fn unreadable(place: Place) -> Self {
        Name { place, text: Text::Unsafe }
    }

    /// A name that need not be text: another structure, or a string type that reads differently from program to program
    /// (BMPString, UniversalString, TeletexString). It never matches, and harms only where a rule looks.
    pub fn foreign(place: Place) -> Self {
        Name { place, text: Text::Foreign }
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its text, if that is safe to match.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.text {
            Text::Safe(text) => Some(text),
            Text::Unsafe | Text::Foreign => None,
        }
    }

    /// Does it spoil the whole certificate, whoever looks? Alternative names are read by other programs as well, and one
    /// that is made to be read in two ways was made by nobody's mistake.
    pub(super) fn spoils_all(&self) -> bool {
        self.text == Text::Unsafe && self.place.is_alternative_name()
    }
}

/// Printable ASCII without spaces: what URIs, host names and mail addresses consist of.
fn is_graphic(text: &str, length_max: usize) -> bool {
    text.len() <= length_max && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Text for people, without characters that are not seen or that change how the rest is seen.
fn is_plain(text: &str, length_max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= length_max && !text.chars().any(is_deceptive)
}

/// A character that is not seen, or that changes how others are seen.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, combining grapheme joiner, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}'
            // Zero width, direction marks, line and paragraph separators, embeddings, overrides, isolates.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Fillers that look like nothing, variation selectors, byte order mark, interlinear and replacement marks.
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            // Private use: means what the reader's font says. Tags and further variation selectors.
            | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

/// A label in the ASCII form of another script (RFC 3492): what it shows is not what it says.
fn has_punycode(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.split(['.', '@', '/', ':']).any(|label| label.starts_with("xn--"))
}

fn labels_fit(host: &str) -> bool {
    host.split('.').all(|label| label.len() <= LABEL_LENGTH_MAX)
}
