//! Where in a certificate a name stands: its type decides, never what it looks like.

use std::{fmt, str::FromStr};

/// An object identifier in its dotted form.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid(String);

/// Characters of a dotted identifier: under 2.25 stands a number of 39 digits, with room for some arcs below it.
const OID_LENGTH_MAX: usize = 128;

impl FromStr for Oid {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let arc = |arc: &str| {
            !arc.is_empty()
                && arc.bytes().all(|b| b.is_ascii_digit())
                && (arc.len() == 1 || !arc.starts_with('0'))
        };
        if text.len() <= OID_LENGTH_MAX && text.contains('.') && text.split('.').all(arc) {
            Ok(Oid(text.to_owned()))
        } else {
            Err(PlaceError::Oid)
        }
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The short names of subject attributes that people write (RFC 4519, RFC 4514 section 3).
const SHORT_NAMES: [(&str, &str); 11] = [
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("organizationIdentifier", "2.5.4.97"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

/// The short name of a subject attribute, if it has one here.
pub fn short_name(dotted: &str) -> Option<&'static str> {
    SHORT_NAMES.iter().find(|(_, oid)| *oid == dotted).map(|(name, _)| *name)
}

/// The place of a name in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A URI in the subject alternative name (RFC 5280 section 4.2.1.6).
    Uri,
    /// A host name in the subject alternative name.
    Dns,
    /// A mail address in the subject alternative name. No rule looks there; it must still be safe to read.
    Mail,
    /// A name of another kind in the subject alternative name.
    Other(Oid),
    /// An attribute of the subject's distinguished name.
    Subject(Oid),
    /// The subject's distinguished name as one text, `C=JP, O=…, OU=…, OU=…`: for names in which an attribute stands more
    /// than once. Within a value `,`, `+` and `=` have a backslash before them, so that no value looks like an attribute.
    WholeSubject,
}

impl Place {
    /// Does it stand in the subject alternative name, where several names of one kind are usual?
    pub fn is_alternative_name(&self) -> bool {
        !matches!(self, Place::Subject(_) | Place::WholeSubject)
    }
}

const URI: &str = "san:uri";
const DNS: &str = "san:dns";
const MAIL: &str = "san:mail";
const OTHER: &str = "san:other:";
const SUBJECT: &str = "subject:";
const WHOLE_SUBJECT: &str = "subject";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Uri => f.write_str(URI),
            Place::Dns => f.write_str(DNS),
            Place::Mail => f.write_str(MAIL),
            Place::Other(oid) => write!(f, "{OTHER}{oid}"),
            Place::Subject(oid) => write!(f, "{SUBJECT}{}", short_name(&oid.0).unwrap_or(&oid.0)),
            Place::WholeSubject => f.write_str(WHOLE_SUBJECT),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(oid) = text.strip_prefix(OTHER) {
            return Ok(Place::Other(oid.parse()?));
        }
        if let Some(attribute) = text.strip_prefix(SUBJECT) {
            let known = SHORT_NAMES.iter().find(|(name, _)| *name == attribute);
            let dotted = known.map_or(attribute, |(_, oid)| *oid);
            return dotted.parse().map(Place::Subject).map_err(|_| PlaceError::Attribute);
        }
        match text {
            URI => Ok(Place::Uri),
            DNS => Ok(Place::Dns),
            WHOLE_SUBJECT => Ok(Place::WholeSubject),
            _ => Err(PlaceError::Unknown),
        }
    }
}

/// Why a text names no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// None of the forms.
    #[error(
        "a place is `san:uri`, `san:dns`, `san:other:` with an OID, `subject:` with an attribute, or `subject`"
    )]
    Unknown,
    /// Not an object identifier with dots.
    #[error("an object identifier is written with dots, as `1.3.6.1.4.1.311.20.2.3`")]
    Oid,
    /// Neither a known attribute nor an object identifier.
    #[error(
        "an attribute is CN, OU, O, L, ST, C, DC, UID, serialNumber, title, organizationIdentifier, or an OID"
    )]
    Attribute,
}
