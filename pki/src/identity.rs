//! The identity in a certificate: exactly one URI in the subject alternative name, and no doubt about it.
//!
//! Types are matched: the same text in a DNS, e-mail or other name is no identity (RFC 5280 section 4.2.1.6). The subject
//! plays no part.

use protocol::party::{Identity, PartyError};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer as _,
};

/// Characters of one name: an identity with a thousand codes of ten digits has about eleven thousand.
const NAME_LENGTH_MAX: usize = 16 * 1024;

/// Why a certificate names no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// Not a certificate that can be read.
    #[error("not a readable certificate")]
    Unreadable,
    /// No URI of our scheme.
    #[error("the certificate has no subject alternative name of type URI that starts with urn:sekisho:")]
    None,
    /// More than one URI of our scheme, or two such extensions.
    #[error("the certificate names more than one identity")]
    Several,
    /// A name with characters other than printable ASCII, of excessive length, or of a form that cannot be read.
    #[error("the certificate holds a name that cannot be read safely")]
    UnsafeName,
    /// A URI of our scheme, but not a well-formed identity.
    #[error("the identity in the certificate is malformed")]
    Malformed(#[source] PartyError),
}

/// The identity that a leaf certificate in DER names. Says nothing about whether the certificate counts.
pub fn identity_of(leaf: &[u8]) -> Result<Identity, IdentityFault> {
    match X509Certificate::from_der(leaf) {
        Ok(([], certificate)) => identity_in(&certificate),
        _ => Err(IdentityFault::Unreadable),
    }
}

pub(crate) fn identity_in(certificate: &X509Certificate<'_>) -> Result<Identity, IdentityFault> {
    let mut identities = Vec::new();
    let mut extensions = 0;
    for extension in certificate.extensions() {
        let names = match extension.parsed_extension() {
            ParsedExtension::SubjectAlternativeName(names) => names,
            _ if extension.oid == x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME => {
                return Err(IdentityFault::UnsafeName);
            }
            _ => continue,
        };
        extensions += 1;
        for name in &names.general_names {
            match name {
                GeneralName::URI(text) => {
                    printable(text)?;
                    if has_our_scheme(text) {
                        identities.push(*text);
                    }
                }
                GeneralName::DNSName(text) | GeneralName::RFC822Name(text) => printable(text)?,
                GeneralName::Invalid(..) => return Err(IdentityFault::UnsafeName),
                _ => {}
            }
        }
    }
    match (identities.as_slice(), extensions) {
        ([], _) => Err(IdentityFault::None),
        ([uri], 1) => Identity::from_uri(uri).map_err(IdentityFault::Malformed),
        _ => Err(IdentityFault::Several),
    }
}

/// A name of our scheme in any spelling: a second identity must not hide behind capital letters.
fn has_our_scheme(uri: &str) -> bool {
    uri.get(..Identity::URI_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(Identity::URI_PREFIX))
}

fn printable(name: &str) -> Result<(), IdentityFault> {
    if name.len() <= NAME_LENGTH_MAX && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(IdentityFault::UnsafeName)
    }
}

#[cfg(test)]
mod tests;
