//! From the names in a certificate to the identity that it proves, by rules that are data.
//!
//! An authority of the claims systems was not made for this program, so how its certificates name their holders is told
//! in the configuration: who issued them, where the name stands, which pattern it has, and what follows from it. Without
//! any rule the one of the lab holds: a single SAN URI `urn:sekisho:<environment>:<role>:<code>[+<code>…]`.
//!
//! Whatever can be read in two ways is refused: a name twice where one is looked for, two rules that name different
//! holders, a text that looks to people like another one.

mod codes;
mod name;
mod pattern;
mod place;
mod rule;

pub use codes::{CodeTemplate, Codes};
pub use name::{ALTERNATIVE_NAME_LENGTH_MAX, ATTRIBUTE_LENGTH_MAX, Name, is_deceptive};
pub use pattern::{PATTERN_LENGTH_MAX, Pattern, PatternError};
pub use place::{Oid, Place, PlaceError, short_name};
pub use rule::{IdentityRule, IssuerCondition, Look, RuleError};

use crate::{
    digest::Sha256,
    party::{Identity, PartyError},
};

/// What rules see of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateNames {
    /// Whose certificate it is.
    pub issued_by: IssuedBy,
    /// Every name in it.
    pub names: Vec<Name>,
}

/// The authorities above a certificate, their distinguished names as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedBy {
    /// The root at which the path ends.
    pub anchor_name: String,
    /// SHA-256 over the root's SubjectPublicKeyInfo in DER; `None` where no path was built, as for a certificate of our
    /// own, which is not judged here but by its readers. An unknown key counts as the one that is asked for.
    pub anchor_key: Option<Sha256>,
    /// The authority that signed the certificate; the root itself where nothing stands between.
    pub issuer_name: String,
}

/// The rules of one gateway or client, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRules(Vec<IdentityRule>);

impl Default for IdentityRules {
    /// The rule of the lab, for whatever authority issued the certificate.
    fn default() -> Self {
        IdentityRules(vec![IdentityRule::urn("urn", IssuerCondition::default(), None, None)])
    }
}

impl IdentityRules {
    /// These rules and no other; without any, the default.
    pub fn new(rules: Vec<IdentityRule>) -> Self {
        if rules.is_empty() { IdentityRules::default() } else { IdentityRules(rules) }
    }

    /// The rules.
    pub fn iter(&self) -> impl Iterator<Item = &IdentityRule> {
        self.0.iter()
    }

    /// The identity that a certificate with these names proves.
    pub fn identify(&self, certificate: &CertificateNames) -> Result<Identity, IdentityFault> {
        if let Some(spoilt) = certificate.names.iter().find(|name| name.spoils_all()) {
            return Err(IdentityFault::Unsafe { place: spoilt.place().clone() });
        }
        let mut found: Option<(&str, Identity)> = None;
        for rule in &self.0 {
            let Some(identity) = rule.identify(certificate)? else { continue };
            match &found {
                Some((earlier, same)) if *same != identity => {
                    return Err(IdentityFault::Contradiction {
                        one: (*earlier).to_owned(),
                        other: rule.name().to_owned(),
                    });
                }
                _ => found = Some((rule.name(), identity)),
            }
        }
        found.map(|(_, identity)| identity).ok_or(IdentityFault::None)
    }
}

/// Why a certificate proves no identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityFault {
    /// Its names are not even well formed.
    #[error("its names cannot be read")]
    Unreadable,
    /// No rule applies.
    #[error("no identity rule fits its issuer and names")]
    None,
    /// More than one name where a rule looks for one.
    #[error("it has more than one name at {place}")]
    Several {
        /// Where.
        place: Place,
    },
    /// Two rules apply and name different holders.
    #[error("the identity rules `{one}` and `{other}` name different holders")]
    Contradiction {
        /// The name of one rule.
        one: String,
        /// The name of the other.
        other: String,
    },
    /// A name that cannot be read safely: control or invisible characters, punycode, too long, or of a string type that
    /// programs read in different ways.
    #[error("its name at {place} cannot be read safely")]
    Unsafe {
        /// Where.
        place: Place,
    },
    /// A rule applies, but what it yields is no identity.
    #[error("the identity rule `{rule}` applies, but yields no identity")]
    Malformed {
        /// The rule's name.
        rule: String,
        /// Why not.
        #[source]
        source: PartyError,
    },
    /// A rule applies, but its list does not name this holder.
    #[error("the identity rule `{rule}` applies, but its list does not name this holder")]
    NotListed {
        /// The rule's name.
        rule: String,
    },
    /// A URN of another environment or role than the rule gives its issuer.
    #[error("the identity rule `{rule}` does not let this issuer name such a holder")]
    NotForThisIssuer {
        /// The rule's name.
        rule: String,
    },
}

#[cfg(test)]
mod tests;
