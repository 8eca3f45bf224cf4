//! What rules read out of names, and what they refuse to read.

mod ambiguity;
mod reading;

use super::*;
use crate::party::{Environment, Role};

fn key(byte: u8) -> Sha256 {
    Sha256::from_bytes([byte; 32])
}

/// A certificate with these names, issued below the root with key 0.
fn certificate(names: Vec<Name>) -> CertificateNames {
    let issued_by = IssuedBy {
        anchor_name: "CN=root".to_owned(),
        anchor_key: Some(key(0)),
        issuer_name: "CN=issuing".to_owned(),
    };
    CertificateNames { issued_by, names }
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn name(at: &str, text: &str) -> Name {
    Name::new(place(at), text)
}

fn look(at: &str, pattern: &str) -> Look {
    Look { place: place(at), pattern: Pattern::new(pattern).unwrap() }
}

/// A rule for production institutions of whatever issuer.
fn institution(first: Look, also: Vec<Look>, codes: Codes) -> IdentityRule {
    let issuer = IssuerCondition::default();
    IdentityRule::patterns("r", issuer, (first, also), Environment::Production, Role::Institution, codes)
        .unwrap()
}

fn by_code(at: &str, pattern: &str) -> IdentityRules {
    IdentityRules::new(vec![institution(look(at, pattern), vec![], Codes::Joined(CodeTemplate::default()))])
}

/// The URI of the identity that the rules find.
fn read(rules: &IdentityRules, names: Vec<Name>) -> Result<String, IdentityFault> {
    rules.identify(&certificate(names)).map(|identity| identity.to_uri())
}

const INSTITUTION: &str = "urn:sekisho:production:institution:1310000018";
