//! How the codes of an identity come out of what a pattern matched.

use std::{collections::BTreeMap, str::FromStr};

use super::RuleError;
use crate::party::{Code, PartyError};

/// The group that names a holder in [`Codes::Listed`]; without such a group the whole first name does.
pub(super) const KEY_GROUP: &str = "key";

/// Where the codes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// One code, put together from groups.
    Joined(CodeTemplate),
    /// Several codes in one group.
    Separated {
        /// The group's name.
        group: String,
        /// What stands between two codes; never empty.
        separator: String,
    },
    /// From the configuration: the codes that each holder may act for, by the text of the group `key`, or by the whole
    /// text of the rule's first name where its patterns have no such group.
    Listed(BTreeMap<String, Vec<Code>>),
}

/// What the groups matched, and the whole text of the first name.
pub(super) struct Matched<'a> {
    pub(super) whole: &'a str,
    pub(super) groups: BTreeMap<&'a str, &'a str>,
}

impl Codes {
    /// The groups that must be there.
    pub(super) fn groups(&self) -> Vec<&str> {
        match self {
            Codes::Joined(template) => template.groups().collect(),
            Codes::Separated { group, .. } => vec![group],
            Codes::Listed(_) => vec![],
        }
    }

    /// The codes; the outer `None` if the list does not name the holder.
    pub(super) fn of(&self, matched: &Matched<'_>) -> Option<Result<Vec<Code>, PartyError>> {
        match self {
            Codes::Joined(template) => Some(template.fill(&matched.groups).map(|code| vec![code])),
            Codes::Separated { group, separator } => {
                // A group that took no part in the match is an empty text, which is no code.
                let text = matched.groups.get(group.as_str()).copied().unwrap_or_default();
                Some(text.split(separator.as_str()).map(str::parse).collect())
            }
            Codes::Listed(lists) => {
                let key = matched.groups.get(KEY_GROUP).copied().unwrap_or(matched.whole);
                lists.get(key).map(|codes| Ok(codes.clone()))
            }
        }
    }
}

/// A code with places for groups: `{code}`, `{prefecture}1{number}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeTemplate(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Group(String),
    Literal(String),
}

impl Default for CodeTemplate {
    /// `{code}`.
    fn default() -> Self {
        CodeTemplate(vec![Piece::Group("code".to_owned())])
    }
}

impl FromStr for CodeTemplate {
    type Err = RuleError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (group, after) = after.split_once('}').ok_or(RuleError::Template)?;
            pieces.extend(literal_piece(literal)?);
            if group.is_empty() {
                return Err(RuleError::Template);
            }
            pieces.push(Piece::Group(group.to_owned()));
            rest = after;
        }
        pieces.extend(literal_piece(rest)?);
        if pieces.iter().any(|piece| matches!(piece, Piece::Group(_))) {
            Ok(CodeTemplate(pieces))
        } else {
            // One code for everybody is a mistake.
            Err(RuleError::Template)
        }
    }
}

fn literal_piece(text: &str) -> Result<Option<Piece>, RuleError> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(RuleError::Template);
    }
    Ok((!text.is_empty()).then(|| Piece::Literal(text.to_owned())))
}

impl CodeTemplate {
    fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Group(name) => Some(name.as_str()),
            Piece::Literal(_) => None,
        })
    }

    fn fill(&self, groups: &BTreeMap<&str, &str>) -> Result<Code, PartyError> {
        let mut code = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => code.push_str(text),
                // A part that took no part in the match would make another party's code out of a shorter one.
                Piece::Group(name) => {
                    let text = groups.get(name.as_str()).filter(|text| !text.is_empty());
                    code.push_str(text.ok_or(PartyError::BadCode)?);
                }
            }
        }
        code.parse()
    }
}
