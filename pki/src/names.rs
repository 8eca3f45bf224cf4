//! The names in a certificate: read for identity rules, and written for people.
//!
//! Read to the last byte: a second name behind something malformed would be seen by another program.

use std::fmt::Write as _;

use protocol::identity_rule::{IdentityFault, Name, Place, is_deceptive, short_name};
use x509_parser::{
    asn1_rs::{Any, Class, Oid, Tag},
    certificate::X509Certificate,
    extensions::GeneralName,
    oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME,
    x509::X509Name,
};

use crate::der;

/// Characters of a distinguished name in logs.
const NAME_TEXT_MAX: usize = 300;

/// Every name in a certificate.
pub(crate) fn names_of(certificate: &X509Certificate<'_>) -> Result<Vec<Name>, IdentityFault> {
    let mut names = alternative_names(certificate)?;
    names.extend(subject_names(certificate.subject()).ok_or(IdentityFault::Unreadable)?);
    Ok(names)
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Result<Vec<Name>, IdentityFault> {
    let mut extensions =
        certificate.extensions().iter().filter(|extension| extension.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
    let Some(extension) = extensions.next() else { return Ok(Vec::new()) };
    if extensions.next().is_some() {
        return Err(IdentityFault::Unreadable);
    }
    let names = der::content_of(extension.value, Tag::Sequence).and_then(der::elements);
    let names = names.ok_or(IdentityFault::Unreadable)?;
    names.into_iter().map(alternative_name).filter_map(Result::transpose).collect()
}

/// One alternative name (RFC 5280 section 4.2.1.6); `None` for kinds in which nobody looks for an identity.
fn alternative_name(element: Any<'_>) -> Result<Option<Name>, IdentityFault> {
    let tag = element.tag().0;
    Ok(match GeneralName::try_from(element).map_err(|_| IdentityFault::Unreadable)? {
        GeneralName::URI(text) => Some(Name::new(Place::Uri, text)),
        GeneralName::DNSName(text) => Some(Name::new(Place::Dns, text)),
        GeneralName::RFC822Name(text) => Some(Name::new(Place::Mail, text)),
        GeneralName::OtherName(oid, value) => {
            let place = Place::Other(dotted(&oid)?);
            Some(match other_text(value) {
                Some(text) => Name::new(place, text),
                None => Name::foreign(place),
            })
        }
        GeneralName::Invalid(..) => match tag {
            1 => Some(Name::unreadable(Place::Mail)),
            2 => Some(Name::unreadable(Place::Dns)),
            6 => Some(Name::unreadable(Place::Uri)),
            _ => return Err(IdentityFault::Unreadable),
        },
        GeneralName::DirectoryName(_)
        | GeneralName::IPAddress(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::X400Address(_)
        | GeneralName::EDIPartyName(_) => None,
    })
}

/// The text in the value of a name of another kind, `[0] EXPLICIT`, if it is one.
fn other_text(value: &[u8]) -> Option<&str> {
    let [explicit] = <[Any<'_>; 1]>::try_from(der::elements(value)?).ok()?;
    if explicit.class() != Class::ContextSpecific || explicit.tag() != Tag(0) {
        return None;
    }
    let [inner] = <[Any<'_>; 1]>::try_from(der::elements(explicit.data)?).ok()?;
    text_of(&inner)
}

/// Every attribute of a subject, and the whole of it.
fn subject_names(subject: &X509Name<'_>) -> Option<Vec<Name>> {
    let mut names = Vec::new();
    let mut all_texts = true;
    for attribute in relative_names(subject)?.into_iter().flatten() {
        let place = Place::Subject(attribute.kind.parse().ok()?);
        all_texts &= attribute.text.is_some();
        names.push(match attribute.text {
            Some(text) => Name::new(place, text),
            None => Name::foreign(place),
        });
    }
    names.push(match all_texts {
        true => Name::new(Place::WholeSubject, &distinguished_name(subject)),
        false => Name::foreign(Place::WholeSubject),
    });
    Some(names)
}

struct Attribute<'a> {
    /// Its object identifier with dots.
    kind: String,
    /// If it is of a string type that every program reads alike.
    text: Option<&'a str>,
    content: &'a [u8],
}

/// The attributes, by relative distinguished name (RFC 5280 section 4.1.2.4).
fn relative_names<'a>(name: &X509Name<'a>) -> Option<Vec<Vec<Attribute<'a>>>> {
    let relative = der::elements(der::content_of(name.as_raw(), Tag::Sequence)?)?;
    relative
        .into_iter()
        .map(|set| der::elements(of_kind(&set, Tag::Set)?)?.iter().map(attribute).collect())
        .collect()
}

fn attribute<'a>(element: &Any<'a>) -> Option<Attribute<'a>> {
    let [kind, value] = <[Any<'a>; 2]>::try_from(der::elements(of_kind(element, Tag::Sequence)?)?).ok()?;
    let kind = Oid::new(of_kind(&kind, Tag::Oid)?.into()).to_id_string();
    Some(Attribute { kind, text: text_of(&value), content: value.data })
}

fn of_kind<'a>(element: &Any<'a>, tag: Tag) -> Option<&'a [u8]> {
    (element.class() == Class::Universal && element.tag() == tag).then_some(element.data)
}

/// The text of a UTF8String, PrintableString or IA5String that holds what its type allows. The other string types have no
/// one reading: BMPString and UniversalString change with the byte order that a program believes in, TeletexString with
/// everything.
fn text_of<'a>(value: &Any<'a>) -> Option<&'a str> {
    let text = std::str::from_utf8(value.data).ok()?;
    let allowed = match value.tag() {
        _ if value.class() != Class::Universal => false,
        Tag::Utf8String => true,
        Tag::PrintableString => {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&b))
        }
        Tag::Ia5String => text.is_ascii(),
        _ => false,
    };
    allowed.then_some(text)
}

fn dotted(oid: &Oid<'_>) -> Result<protocol::identity_rule::Oid, IdentityFault> {
    oid.to_id_string().parse().map_err(|_| IdentityFault::Unreadable)
}

/// A distinguished name as one text, in the order of the certificate: `C=JP, O=…, OU=… + CN=…`. Different names have
/// different texts: what would look like another attribute has a backslash before it, and what is no text is written as
/// `#` and hexadecimal digits.
pub(crate) fn distinguished_name(name: &X509Name<'_>) -> String {
    let Some(relative) = relative_names(name) else {
        // Not a name at all; nobody is called this.
        return format!("#{}", hex(name.as_raw()));
    };
    let relative = relative.iter().map(|set| {
        let attributes: Vec<String> = set.iter().map(attribute_text).collect();
        attributes.join(" + ")
    });
    relative.collect::<Vec<_>>().join(", ")
}

fn attribute_text(attribute: &Attribute<'_>) -> String {
    let mut text = format!("{}=", short_name(&attribute.kind).unwrap_or(&attribute.kind));
    match attribute.text {
        Some(value) => {
            for (at, c) in value.char_indices() {
                if matches!(c, ',' | '+' | '=' | '\\') || (at == 0 && c == '#') {
                    text.push('\\');
                }
                text.push(c);
            }
        }
        None => {
            text.push('#');
            text.push_str(&hex(attribute.content));
        }
    }
    text
}

/// A distinguished name on one line, without characters that deceive, bounded.
pub(crate) fn name_text(name: &X509Name<'_>) -> String {
    let text = distinguished_name(name);
    text.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).take(NAME_TEXT_MAX).collect()
}

/// Lower-case hexadecimal of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lower-case hexadecimal of a serial number, without the zero that keeps it positive.
pub(crate) fn serial_text(serial: &[u8]) -> String {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => hex(rest),
        all => hex(all),
    }
}

#[cfg(test)]
mod tests;
