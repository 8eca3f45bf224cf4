//! One rule: whose certificates it is for, where it looks, what it gives.

use std::collections::BTreeSet;

use super::{
    CertificateNames, Codes, IdentityFault, IssuedBy, Name, Pattern, Place,
    codes::{KEY_GROUP, Matched},
};
use crate::{
    digest::Sha256,
    party::{Environment, Identity, PartyError, Role},
};

/// Which authority must have issued a certificate: every condition that is there must hold.
///
/// A name is no proof by itself: any authority below any anchor may take it. With more than one anchor the key decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerCondition {
    /// SHA-256 over the anchor's SubjectPublicKeyInfo in DER.
    pub anchor_key: Option<Sha256>,
    /// The anchor's distinguished name.
    pub anchor_name: Option<String>,
    /// The distinguished name of the authority that signed the certificate.
    pub issuer_name: Option<String>,
}

impl IssuerCondition {
    fn holds(&self, issued_by: &IssuedBy) -> bool {
        let name = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        self.anchor_key.is_none_or(|wanted| issued_by.anchor_key.is_none_or(|key| key == wanted))
            && name(&self.anchor_name, &issued_by.anchor_name)
            && name(&self.issuer_name, &issued_by.issuer_name)
    }
}

/// A place and the pattern of the name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Where.
    pub place: Place,
    /// How it is written.
    pub pattern: Pattern,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRule {
    name: String,
    issuer: IssuerCondition,
    reading: Reading,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reading {
    /// The lab's URI, which says everything itself; held to an environment and a role if they are given.
    Urn { environment: Option<Environment>, role: Option<Role> },
    /// Names by pattern, the first of which names the holder.
    Patterns { first: Look, also: Vec<Look>, environment: Environment, role: Role, codes: Codes },
}

impl IdentityRule {
    /// The rule for one SAN URI `urn:sekisho:<environment>:<role>:<code>[+<code>…]`. With an environment or role, this
    /// issuer may name holders of that one only.
    pub fn urn(
        name: &str,
        issuer: IssuerCondition,
        environment: Option<Environment>,
        role: Option<Role>,
    ) -> Self {
        IdentityRule { name: name.to_owned(), issuer, reading: Reading::Urn { environment, role } }
    }

    /// A rule that reads names by pattern: `first` names the holder, every one of `also` must match as well. Groups of
    /// all of them may go into the codes.
    pub fn patterns(
        name: &str,
        issuer: IssuerCondition,
        (first, also): (Look, Vec<Look>),
        environment: Environment,
        role: Role,
        codes: Codes,
    ) -> Result<Self, RuleError> {
        let looks = || std::iter::once(&first).chain(&also);
        let groups: Vec<&str> = looks().flat_map(|look| look.pattern.groups()).collect();
        let mut seen = BTreeSet::new();
        if let Some(group) = groups.iter().find(|group| !seen.insert(**group)) {
            return Err(RuleError::GroupTwice { group: (*group).to_owned() });
        }
        if let Some(group) = codes.groups().into_iter().find(|group| !groups.contains(group)) {
            return Err(RuleError::NoSuchGroup { group: group.to_owned() });
        }
        match &codes {
            Codes::Separated { separator, .. } if separator.is_empty() => return Err(RuleError::Separator),
            Codes::Listed(lists) => {
                for (holder, codes) in lists {
                    Identity::new(environment, role, codes.clone())
                        .map_err(|why| RuleError::List { holder: holder.clone(), why })?;
                }
                let keyed = groups.contains(&KEY_GROUP);
                if let Some(holder) = lists.keys().find(|key| !keyed && first.pattern.captures(key).is_none())
                {
                    return Err(RuleError::NeverMatched { holder: holder.clone() });
                }
            }
            Codes::Separated { .. } | Codes::Joined(_) => {}
        }
        let reading = Reading::Patterns { first, also, environment, role, codes };
        Ok(IdentityRule { name: name.to_owned(), issuer, reading })
    }

    /// What the rule is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose certificates it is for.
    pub fn issuer(&self) -> &IssuerCondition {
        &self.issuer
    }

    /// The identity that follows from this rule; `None` if it does not apply.
    pub(super) fn identify(&self, certificate: &CertificateNames) -> Result<Option<Identity>, IdentityFault> {
        if !self.issuer.holds(&certificate.issued_by) {
            return Ok(None);
        }
        match &self.reading {
            Reading::Urn { environment, role } => self.by_urn(&certificate.names, *environment, *role),
            Reading::Patterns { first, also, environment, role, codes } => {
                let Some((whole, mut groups)) = the_one(&certificate.names, first)? else { return Ok(None) };
                for look in also {
                    let Some((_, more)) = the_one(&certificate.names, look)? else { return Ok(None) };
                    groups.extend(more);
                }
                let matched = Matched { whole, groups: groups.into_iter().collect() };
                let codes =
                    codes.of(&matched).ok_or_else(|| IdentityFault::NotListed { rule: self.name.clone() })?;
                codes
                    .and_then(|codes| Identity::new(*environment, *role, codes))
                    .map(Some)
                    .map_err(|source| self.malformed(source))
            }
        }
    }

    fn by_urn(
        &self,
        names: &[Name],
        environment: Option<Environment>,
        role: Option<Role>,
    ) -> Result<Option<Identity>, IdentityFault> {
        // A name of our scheme in any spelling: a second identity must not hide behind capital letters.
        let ours = |text: &&str| {
            text.get(..Identity::URI_PREFIX.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(Identity::URI_PREFIX))
        };
        let uris = names.iter().filter(|name| *name.place() == Place::Uri).filter_map(Name::text);
        let found: Vec<&str> = uris.filter(ours).collect();
        let uri = match found.as_slice() {
            [] => return Ok(None),
            [uri] => uri,
            _ => return Err(IdentityFault::Several { place: Place::Uri }),
        };
        let identity = Identity::from_uri(uri).map_err(|source| self.malformed(source))?;
        let allowed = environment.is_none_or(|only| only == identity.environment())
            && role.is_none_or(|only| only == identity.role());
        if allowed {
            Ok(Some(identity))
        } else {
            Err(IdentityFault::NotForThisIssuer { rule: self.name.clone() })
        }
    }

    fn malformed(&self, source: PartyError) -> IdentityFault {
        IdentityFault::Malformed { rule: self.name.clone(), source }
    }
}

type Groups<'a> = Vec<(&'a str, &'a str)>;

/// The one name at a place that matches, with its groups; `None` if none does.
///
/// A subject attribute must stand there once, whatever it says: which of two would count differs from program to
/// program. Alternative names are many by nature, so only those that match are counted.
fn the_one<'a>(names: &'a [Name], look: &'a Look) -> Result<Option<(&'a str, Groups<'a>)>, IdentityFault> {
    let place = || look.place.clone();
    let there: Vec<&Name> = names.iter().filter(|name| *name.place() == look.place).collect();
    if !look.place.is_alternative_name() && there.len() > 1 {
        return Err(IdentityFault::Several { place: place() });
    }
    let mut found = None;
    for name in there {
        let text = name.text().ok_or_else(|| IdentityFault::Unsafe { place: place() })?;
        if let Some(groups) = look.pattern.captures(text)
            && found.replace((text, groups)).is_some()
        {
            return Err(IdentityFault::Several { place: place() });
        }
    }
    Ok(found)
}

/// Why a rule cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a template of a code.
    #[error("a code is put together from letters, digits, `-` and at least one group in {{braces}}")]
    Template,
    /// A group that no pattern has.
    #[error("no pattern has a group (?<{group}>…)")]
    NoSuchGroup {
        /// Its name.
        group: String,
    },
    /// A group that two patterns have.
    #[error("two patterns have a group (?<{group}>…)")]
    GroupTwice {
        /// Its name.
        group: String,
    },
    /// Nothing between two codes.
    #[error("something must stand between two codes")]
    Separator,
    /// The codes of a holder make no identity.
    #[error("the codes of `{holder}` make no identity: {why}")]
    List {
        /// Whose.
        holder: String,
        /// Why not.
        why: PartyError,
    },
    /// A holder that no certificate can name.
    #[error("the pattern never matches `{holder}`")]
    NeverMatched {
        /// Who.
        holder: String,
    },
}
