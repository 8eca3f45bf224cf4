//! Who takes part: roles, codes, parties, and the identity a certificate proves.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};

/// What a party is to the three systems (guideline I.1, I.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 医療機関等: hospital, clinic, pharmacy, visiting-nurse station.
    Institution,
    /// 審査支払機関: 支払基金 and the 国保連合会.
    ReviewAgency,
    /// 医療保険者等.
    Insurer,
    /// 健康保険組合: an insurer that also exchanges filings.
    HealthInsuranceSociety,
    /// A cloud vendor linked by API, bound to named societies.
    SocietyVendor,
    /// 実施機関.
    ImplementingBody,
    /// 請求事務代行者: sends for a set of institutions.
    BillingAgent,
}

impl Role {
    /// Every role, in the order of the permission table.
    pub const ALL: [Role; 7] = [
        Role::Institution,
        Role::ReviewAgency,
        Role::Insurer,
        Role::HealthInsuranceSociety,
        Role::SocietyVendor,
        Role::ImplementingBody,
        Role::BillingAgent,
    ];

    /// The name used in identities, addresses and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Institution => "institution",
            Role::ReviewAgency => "review-agency",
            Role::Insurer => "insurer",
            Role::HealthInsuranceSociety => "health-insurance-society",
            Role::SocietyVendor => "society-vendor",
            Role::ImplementingBody => "implementing-body",
            Role::BillingAgent => "billing-agent",
        }
    }

    /// The role whose code a party of this role signs claims with: a billing agent's codes are those of the
    /// institutions it acts for, a vendor's those of its societies; every other role speaks for itself.
    pub const fn speaks_for(self) -> Role {
        match self {
            Role::BillingAgent => Role::Institution,
            Role::SocietyVendor => Role::HealthInsuranceSociety,
            own => own,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or(PartyError::UnknownRole)
    }
}

/// Production and test never mix: the environment stands in every identity, signed statement and store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Real claims of real people.
    Production,
    /// Labs and rehearsals; everything signed says so.
    Test,
}

impl Environment {
    /// The name used in identities and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Environment::Production => "production",
            Environment::Test => "test",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Environment {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "production" => Ok(Environment::Production),
            "test" => Ok(Environment::Test),
            _ => Err(PartyError::UnknownEnvironment),
        }
    }
}

/// A party's code within its role: for an institution 都道府県 2 + 点数表 1 + 医療機関コード 7 digits, for an insurer the
/// 保険者番号 of 8 digits, for a review agency 審査支払機関 1 + 都道府県 2 digits, otherwise a configured name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Code(String);

/// The longest configured name, in characters: it becomes part of addresses and directory names.
pub const CODE_LENGTH_MAX: usize = 40;

impl Code {
    /// The code as text: ASCII letters, digits and `-` only, never empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shape that `role` asks of its codes.
    pub fn fits(&self, role: Role) -> bool {
        let digits = self.0.bytes().all(|b| b.is_ascii_digit());
        match role {
            Role::Institution | Role::BillingAgent => digits && self.0.len() == 10,
            Role::Insurer | Role::HealthInsuranceSociety | Role::SocietyVendor => digits && self.0.len() == 8,
            Role::ReviewAgency => digits && self.0.len() == 3,
            Role::ImplementingBody => true,
        }
    }
}

impl FromStr for Code {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if text.is_empty() || text.len() > CODE_LENGTH_MAX || !text.bytes().all(allowed) {
            return Err(PartyError::BadCode);
        }
        Ok(Code(text.to_owned()))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// One sender or receiver: a role and one code of it. Written `role:code`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Party {
    role: Role,
    code: Code,
}

impl Party {
    /// A party, if the code has the shape its role asks for.
    pub fn new(role: Role, code: Code) -> Result<Self, PartyError> {
        if code.fits(role) { Ok(Party { role, code }) } else { Err(PartyError::CodeDoesNotFitRole) }
    }

    /// What the party is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Which one of its role.
    pub fn code(&self) -> &Code {
        &self.code
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.code)
    }
}

impl FromStr for Party {
    type Err = PartyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (role, code) = text.split_once(':').ok_or(PartyError::NotRoleAndCode)?;
        Party::new(role.parse()?, code.parse()?)
    }
}

impl Serialize for Party {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Party {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// How many codes one certificate may name: a hospital has two or three, a billing agent some hundreds.
pub const IDENTITY_CODES_MAX: usize = 1000;

/// What a certificate proves: environment, role, and the codes its holder may act for.
///
/// Rights, quotas and resumption belong to the identity and not to one certificate. In the lab it is one SAN URI
/// `urn:sekisho:<environment>:<role>:<code>[+<code>…]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    environment: Environment,
    role: Role,
    codes: Vec<Code>,
}

impl Identity {
    /// The scheme of an identity written as a URI.
    pub const URI_PREFIX: &'static str = "urn:sekisho:";

    /// An identity with at least one code; the codes are kept sorted, so that equal sets are equal identities.
    pub fn new(environment: Environment, role: Role, mut codes: Vec<Code>) -> Result<Self, PartyError> {
        codes.sort();
        let before = codes.len();
        codes.dedup();
        if codes.is_empty() || codes.len() > IDENTITY_CODES_MAX {
            return Err(PartyError::CodeCount);
        }
        if codes.len() != before {
            return Err(PartyError::CodeTwice);
        }
        if !codes.iter().all(|code| code.fits(role)) {
            return Err(PartyError::CodeDoesNotFitRole);
        }
        Ok(Identity { environment, role, codes })
    }

    /// Reads `urn:sekisho:<environment>:<role>:<code>[+<code>…]`.
    pub fn from_uri(uri: &str) -> Result<Self, PartyError> {
        let rest = uri.strip_prefix(Self::URI_PREFIX).ok_or(PartyError::NotAnIdentityUri)?;
        let mut parts = rest.splitn(3, ':');
        let (Some(environment), Some(role), Some(codes)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(PartyError::NotAnIdentityUri);
        };
        let codes = codes.split('+').map(str::parse).collect::<Result<Vec<Code>, _>>()?;
        Identity::new(environment.parse()?, role.parse()?, codes)
    }

    /// The identity as a URI; the inverse of [`Identity::from_uri`].
    pub fn to_uri(&self) -> String {
        let codes: Vec<&str> = self.codes.iter().map(Code::as_str).collect();
        format!("{}{}:{}:{}", Self::URI_PREFIX, self.environment, self.role, codes.join("+"))
    }

    /// Where the certificate is valid.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// What its holder is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The codes it may act for, sorted.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// May the holder send and sign as this party?
    pub fn acts_for(&self, party: &Party) -> bool {
        self.role.speaks_for() == party.role && self.codes.binary_search(&party.code).is_ok()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_uri())
    }
}

impl Serialize for Identity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Identity::from_uri(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a text names no party or identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartyError {
    /// Not one of [`Role::ALL`].
    #[error("unknown role")]
    UnknownRole,
    /// Neither `production` nor `test`.
    #[error("environment is neither `production` nor `test`")]
    UnknownEnvironment,
    /// Empty, too long, or with characters beyond letters, digits and `-`.
    #[error("a code is 1 to {CODE_LENGTH_MAX} letters, digits or `-`")]
    BadCode,
    /// The role asks for another number of digits.
    #[error("the code has not the shape its role asks for")]
    CodeDoesNotFitRole,
    /// The same code twice in one identity.
    #[error("a code stands twice")]
    CodeTwice,
    /// No code, or more than [`IDENTITY_CODES_MAX`].
    #[error("an identity has 1 to {IDENTITY_CODES_MAX} codes")]
    CodeCount,
    /// Not `role:code`.
    #[error("a party is written role:code")]
    NotRoleAndCode,
    /// Not `urn:sekisho:<environment>:<role>:<code>…`.
    #[error("not an identity of the form urn:sekisho:<environment>:<role>:<code>[+<code>…]")]
    NotAnIdentityUri,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_uri_reads_back_as_itself() {
        let uri = "urn:sekisho:test:institution:1310000018+1330000018";
        assert_eq!(Identity::from_uri(uri).unwrap().to_uri(), uri);
    }

    #[test]
    fn malformed_identities_are_refused() {
        for bad in [
            "",
            "urn:sekisho:",
            "urn:sekisho:test",
            "urn:sekisho:test:institution",
            "urn:sekisho:test:institution:",
            "urn:sekisho:test:institution:131000001",
            "urn:sekisho:test:institution:1310000018+",
            "urn:sekisho:test:institution:1310000018+1310000018",
            "urn:sekisho:Test:institution:1310000018",
            "urn:sekisho:test:doctor:1310000018",
            "urn:sekisho:test:institution:1310000018:x",
            "urn:sekisho:test:institution:13100000１8",
            "URN:sekisho:test:institution:1310000018",
        ] {
            assert!(Identity::from_uri(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn an_agent_acts_for_its_institutions_and_nobody_else() {
        let agent = Identity::from_uri("urn:sekisho:test:billing-agent:1310000018").unwrap();
        assert!(agent.acts_for(&"institution:1310000018".parse().unwrap()));
        assert!(!agent.acts_for(&"institution:1310000026".parse().unwrap()));
        assert!(!agent.acts_for(&"billing-agent:1310000018".parse().unwrap()));
    }
}
