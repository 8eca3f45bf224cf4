//! `[identity.*]`: who is who, told by the certificates of authorities that were not made for this program.

use std::{collections::BTreeMap, path::Path};

use protocol::{
    digest::Sha256,
    identity_rule::{
        CodeTemplate, Codes, IdentityRule, IdentityRules, IssuerCondition, Look, Pattern, Place, RuleError,
    },
    party::{Code, Environment, Role},
};

use crate::{
    mistake::ConfigError,
    reader::{self, Fault, Given, Key, Section, Value, Word},
};

/// Reads a file that holds nothing but `[identity.*]`, as both programs take them: for whoever judges evidence without
/// the settings of either.
///
/// # Errors
/// If the file cannot be read, or with every mistake found in it; that it holds no rule is one.
pub fn load_identities(file: &Path) -> Result<IdentityRules, ConfigError> {
    reader::load(file, |root| {
        let rules = read_identities(root)?;
        let given = rules != IdentityRules::default();
        if !given {
            let next_step = "write at least one table [identity.NAME], as in gateway.toml or sekisho.toml";
            root.refuse("identity", Fault::new("holds no rule", next_step));
        }
        given.then_some(rules)
    })
}

/// Reads `[identity.*]` of either file; without such a table the rule of the lab holds.
pub(crate) fn read_identities(root: &Section<'_>) -> Option<IdentityRules> {
    let meaning = "Who is who, told by certificates: one table for each way in which an authority names its holders. \
                   Without any, every certificate must hold one URI \
                   urn:sekisho:<environment>:<role>:<code>[+<code>…]. A certificate by which two rules name different \
                   holders is refused.";
    root.named_sections("identity", meaning, read_rule).map(IdentityRules::new)
}

/// Everything that may stand in the table of one rule.
struct Written {
    environment: Option<Environment>,
    role: Option<Role>,
    pattern: Option<Pattern>,
    also: Vec<(String, Pattern)>,
    code: Option<CodeTemplate>,
    codes: Option<String>,
    separator: Option<Separator>,
    codes_of: Vec<(String, Vec<Code>)>,
}

fn read_rule(name: &str, section: &Section<'_>) -> Option<IdentityRule> {
    let issuer = read_issuer(section);
    let stands_in = section.required(&Key::<StandsIn>::new(
        "stands_in",
        "Where the name stands: a kind of subject alternative name, an attribute of the subject, the whole subject \
         (C=JP, O=…, OU=…, with a backslash before every comma, plus and equals sign within a value), or \"urn\" for the \
         URI of the lab.",
        "\"subject:CN\"",
    ));
    let written = Written::read(section);
    let (issuer, stands_in, written) = (issuer?, stands_in?, written?);
    match stands_in {
        StandsIn::Urn => written.urn(name, issuer, section),
        StandsIn::Place(place) => written.patterns(name, issuer, place, section),
    }
}

fn read_issuer(section: &Section<'_>) -> Option<IssuerCondition> {
    let anchor_key = section.optional(&Key::new(
        "anchor_key",
        "For certificates below the root with this key only: SHA-256 over its SubjectPublicKeyInfo. With more than one \
         root name it: a name alone may be taken by any authority below any of them.",
        "\"6a09…\"",
    ));
    let anchor_name = section.optional(&Key::new(
        "anchor_name",
        "For certificates below the root with this distinguished name only.",
        "\"C=JP, O=…, CN=…\"",
    ));
    let issuer_name = section.optional(&Key::new(
        "issuer_name",
        "For certificates signed by the authority with this distinguished name only.",
        "\"C=JP, O=…, CN=…\"",
    ));
    Some(IssuerCondition { anchor_key: anchor_key?, anchor_name: anchor_name?, issuer_name: issuer_name? })
}

impl Written {
    fn read(section: &Section<'_>) -> Option<Self> {
        let pattern = section.optional(&Key::new(
            "pattern",
            "The regular expression that the whole name must match. Its groups, (?<code>…), go into the codes.",
            r"'(?<code>\d{10})'",
        ));
        let also = section.free_values(&Key::new(
            "also",
            "Further places, as in stands_in, and the pattern of each: all must match. Their groups count too.",
            "'医療機関'",
        ));
        let environment = section.optional(&Key::new(
            "environment",
            "The environment of its holders. With \"urn\": it may name holders of this environment only.",
            "\"production\"",
        ));
        let role = section.optional(&Key::new(
            "role",
            "The role of its holders. With \"urn\": it may name holders of this role only.",
            "\"institution\"",
        ));
        let code = section.optional(&Key::new(
            "code",
            "The holder's one code, put together from groups and constants. Without code, codes and codes_of it is \
             \"{code}\".",
            "\"{prefecture}1{number}\"",
        ));
        let codes = section.optional(&Key::new("codes", "The group that holds several codes.", "\"codes\""));
        let separator =
            section.optional(&Key::new("separator", "What stands between two codes in that group.", "\"+\""));
        let codes_of = section.free_lists(&Key::new(
            "codes_of",
            "The codes that each holder acts for, by the text of the group `key`, or of the whole name in stands_in if \
             no pattern has that group. For billing agents and vendors.",
            "[\"1310000018\"]",
        ));
        Some(Written {
            environment: environment?,
            role: role?,
            pattern: pattern?,
            also: also?,
            code: code?,
            codes: codes?,
            separator: separator?,
            codes_of: codes_of?,
        })
    }

    fn urn(self, name: &str, issuer: IssuerCondition, section: &Section<'_>) -> Option<IdentityRule> {
        let unwanted = [
            ("pattern", self.pattern.is_some()),
            ("also", !self.also.is_empty()),
            ("code", self.code.is_some()),
            ("codes", self.codes.is_some()),
            ("separator", self.separator.is_some()),
            ("codes_of", !self.codes_of.is_empty()),
        ];
        for (key, _) in unwanted.iter().filter(|(_, there)| *there) {
            section
                .refuse(key, Fault::new("says what the URI says itself", "remove it, or change stands_in"));
        }
        let clean = unwanted.iter().all(|(_, there)| !there);
        clean.then(|| IdentityRule::urn(name, issuer, self.environment, self.role))
    }

    fn patterns(
        self,
        name: &str,
        issuer: IssuerCondition,
        place: Place,
        section: &Section<'_>,
    ) -> Option<IdentityRule> {
        let needed = |key, there: bool, example: &str| {
            if !there {
                section.refuse(key, Fault::new("is missing", format!("add: {key} = {example}")));
            }
        };
        needed("pattern", self.pattern.is_some(), r"'(?<code>\d{10})'");
        needed("environment", self.environment.is_some(), "\"production\"");
        needed("role", self.role.is_some(), "\"institution\"");
        let codes = codes_from(self.code, self.codes, self.separator, self.codes_of, section);
        let also = looks_from(self.also, section);
        let first = Look { place, pattern: self.pattern? };
        let (environment, role) = (self.environment?, self.role?);
        IdentityRule::patterns(name, issuer, (first, also?), environment, role, codes?)
            .map_err(|error| section.refuse(key_of(&error), contradiction(&error)))
            .ok()
    }
}

fn codes_from(
    code: Option<CodeTemplate>,
    group: Option<String>,
    separator: Option<Separator>,
    codes_of: Vec<(String, Vec<Code>)>,
    section: &Section<'_>,
) -> Option<Codes> {
    let refuse = |key, reason: &str, next_step: &str| {
        section.refuse(key, Fault::new(reason, next_step));
        None
    };
    match (code, group, separator, codes_of.is_empty()) {
        (code, None, None, true) => Some(Codes::Joined(code.unwrap_or_default())),
        (None, Some(group), Some(separator), true) => {
            Some(Codes::Separated { group, separator: separator.0 })
        }
        (None, None, None, false) => Some(Codes::Listed(codes_of.into_iter().collect::<BTreeMap<_, _>>())),
        (None, Some(_), None, true) => refuse("separator", "is missing", "add: separator = \"+\""),
        (None, None, Some(_), true) => refuse("codes", "is missing", "add: codes = \"codes\""),
        _ => refuse("codes_of", "the codes are told in two ways", "keep one of code, codes and codes_of"),
    }
}

fn looks_from(also: Vec<(String, Pattern)>, section: &Section<'_>) -> Option<Vec<Look>> {
    let looks = also.into_iter().map(|(place, pattern)| match place.parse() {
        Ok(place) => Some(Look { place, pattern }),
        Err(error) => {
            let reason = format!("{place:?} is no place: {error}");
            section.refuse("also", Fault::new(reason, "write it as in stands_in"));
            None
        }
    });
    // All of them before any is given up.
    looks.collect::<Vec<_>>().into_iter().collect()
}

/// The key where a contradiction is mended.
fn key_of(error: &RuleError) -> &'static str {
    match error {
        RuleError::Template => "code",
        RuleError::NoSuchGroup { .. } | RuleError::GroupTwice { .. } => "pattern",
        RuleError::Separator => "separator",
        RuleError::List { .. } | RuleError::NeverMatched { .. } => "codes_of",
    }
}

fn contradiction(error: &RuleError) -> Fault {
    let next_step = match error {
        RuleError::Template => "write it as \"{code}\" or \"{prefecture}1{number}\"",
        RuleError::NoSuchGroup { .. } => "put the group into a pattern, or name another one in code or codes",
        RuleError::GroupTwice { .. } => "give one of the two another name",
        RuleError::Separator => "write at least one character",
        RuleError::List { .. } => "correct the list",
        RuleError::NeverMatched { .. } => "correct the pattern or the name",
    };
    Fault::new(error.to_string(), next_step)
}

/// Where a name stands, or the URI of the lab.
enum StandsIn {
    Urn,
    Place(Place),
}

impl Value for StandsIn {
    fn form() -> String {
        "\"san:uri\", \"san:dns\", \"san:other:1.2.3\" with an OID, \"subject:CN\" with an attribute or an OID, \
         \"subject\", or \"urn\""
            .to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        if text == "urn" {
            return Ok(StandsIn::Urn);
        }
        text.parse().map(StandsIn::Place).map_err(|error| {
            Fault::new(format!("{} is no place: {error}", given.shown()), format!("write {}", Self::form()))
        })
    }
    fn show(&self) -> String {
        match self {
            StandsIn::Urn => "\"urn\"".to_owned(),
            StandsIn::Place(place) => format!("\"{place}\""),
        }
    }
}

/// What stands between two codes.
struct Separator(String);

impl Value for Separator {
    fn form() -> String {
        "one to three characters that no code has, such as \"+\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        let text = given.text_for::<Self>()?;
        let in_code = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if (1..=3).contains(&text.chars().count()) && !text.contains(in_code) {
            Ok(Separator(text.to_owned()))
        } else {
            Err(given.is_not::<Self>())
        }
    }
    fn show(&self) -> String {
        format!("{:?}", self.0)
    }
}

impl Value for Pattern {
    fn form() -> String {
        r"a regular expression in single quotes such as '(?<code>\d{10})'".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        Pattern::new(given.text_for::<Self>()?).map_err(|error| {
            let reason = format!("{} is not taken: {error}", given.shown());
            Fault::new(reason, format!("write {}", Self::form()))
        })
    }
    fn show(&self) -> String {
        format!("'{}'", self.as_str())
    }
}

impl Value for CodeTemplate {
    fn form() -> String {
        "a code with groups in braces such as \"{code}\" or \"{prefecture}1{number}\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        Self::form()
    }
}

impl Value for Code {
    fn form() -> String {
        "a code such as \"1310000018\"".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Value for Sha256 {
    fn form() -> String {
        "64 hexadecimal digits in lower case, in quotes".to_owned()
    }
    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        given.text_for::<Self>()?.parse().map_err(|_| given.is_not::<Self>())
    }
    fn show(&self) -> String {
        format!("\"{self}\"")
    }
}

impl Word for Role {
    const WORDS: &[(&str, Self)] = &[
        (Role::Institution.name(), Role::Institution),
        (Role::ReviewAgency.name(), Role::ReviewAgency),
        (Role::Insurer.name(), Role::Insurer),
        (Role::HealthInsuranceSociety.name(), Role::HealthInsuranceSociety),
        (Role::SocietyVendor.name(), Role::SocietyVendor),
        (Role::ImplementingBody.name(), Role::ImplementingBody),
        (Role::BillingAgent.name(), Role::BillingAgent),
    ];
}
