//! Walking through DER to its last byte, for what the certificate library reads more leniently than we may.

use x509_parser::asn1_rs::{Any, FromDer as _, Tag};

/// The elements that stand one after the other, nothing between or behind them.
pub(crate) fn elements(mut content: &[u8]) -> Option<Vec<Any<'_>>> {
    let mut found = Vec::new();
    while !content.is_empty() {
        let (rest, element) = Any::from_der(content).ok()?;
        found.push(element);
        content = rest;
    }
    Some(found)
}

/// The content of the one element with this tag that these bytes are.
pub(crate) fn content_of(der: &[u8], tag: Tag) -> Option<&[u8]> {
    match Any::from_der(der) {
        Ok(([], element)) if element.tag() == tag => Some(element.data),
        _ => None,
    }
}
