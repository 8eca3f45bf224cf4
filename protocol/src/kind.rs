//! What is carried: systems, kinds of file, classes of information, and the claim month.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de::Error as _};

/// One of the three systems the guideline speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// オンライン資格確認等.
    Eligibility,
    /// オンライン請求.
    Claims,
    /// 健保組合電子申請.
    Filing,
}

impl System {
    /// Every system.
    pub const ALL: [System; 3] = [System::Eligibility, System::Claims, System::Filing];

    /// The name used in manifests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            System::Eligibility => "eligibility",
            System::Claims => "claims",
            System::Filing => "filing",
        }
    }

    /// The name a clerk knows it by.
    pub const fn japanese(self) -> &'static str {
        match self {
            System::Eligibility => "オンライン資格確認等",
            System::Claims => "オンライン請求",
            System::Filing => "健保組合電子申請",
        }
    }
}

/// Kinds of file. Each belongs to one system; more kinds come with more systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 医科 claims file, RECEIPTC.UKE.
    Medical,
    /// DPC claims file, RECEIPTD.UKE.
    Dpc,
    /// 歯科 claims file, RECEIPTS.UKE.
    Dental,
    /// 調剤 claims file, RECEIPTY.CYO.
    Pharmacy,
    /// 訪問看護 claims file, RECEIPTH.UKE.
    HomeNursing,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 5] = [Kind::Medical, Kind::Dpc, Kind::Dental, Kind::Pharmacy, Kind::HomeNursing];

    /// The name used in manifests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Medical => "medical",
            Kind::Dpc => "dpc",
            Kind::Dental => "dental",
            Kind::Pharmacy => "pharmacy",
            Kind::HomeNursing => "home-nursing",
        }
    }

    /// The name a clerk knows it by.
    pub const fn japanese(self) -> &'static str {
        match self {
            Kind::Medical => "医科",
            Kind::Dpc => "DPC",
            Kind::Dental => "歯科",
            Kind::Pharmacy => "調剤",
            Kind::HomeNursing => "訪問看護",
        }
    }

    /// The system it is carried for.
    pub const fn system(self) -> System {
        System::Claims
    }

    /// The name its file has by the 記録条件仕様. It repeats every month and identifies nothing.
    pub const fn usual_file_name(self) -> &'static str {
        match self {
            Kind::Medical => "RECEIPTC.UKE",
            Kind::Dpc => "RECEIPTD.UKE",
            Kind::Dental => "RECEIPTS.UKE",
            Kind::Pharmacy => "RECEIPTY.CYO",
            Kind::HomeNursing => "RECEIPTH.UKE",
        }
    }

    /// 点数表: the third digit of the institution code of whoever claims with this kind.
    pub const fn table(self) -> u8 {
        match self {
            Kind::Medical | Kind::Dpc => b'1',
            Kind::Dental => b'3',
            Kind::Pharmacy => b'4',
            Kind::HomeNursing => b'6',
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Kind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(UnknownKind)
    }
}

/// Not one of [`Kind::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of file; known are medical, dpc, dental, pharmacy and home-nursing")]
pub struct UnknownKind;

/// Class of information (guideline II.2(2)). Ordered: it may go up on its way, never down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// 公開.
    Public,
    /// 秘密.
    Confidential,
    /// 厳秘: claims files are named as an example of it.
    StrictlyConfidential,
}

impl Class {
    /// The name used in manifests and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Public => "public",
            Class::Confidential => "confidential",
            Class::StrictlyConfidential => "strictly-confidential",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// 請求年月, written `YYYYMM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClaimMonth {
    year: u16,
    month: u8,
}

impl ClaimMonth {
    /// A month of the years 1868 to 9999.
    pub fn new(year: u16, month: u8) -> Option<Self> {
        ((1868..=9999).contains(&year) && (1..=12).contains(&month)).then_some(ClaimMonth { year, month })
    }

    /// Western year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Display for ClaimMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}{:02}", self.year, self.month)
    }
}

impl FromStr for ClaimMonth {
    type Err = NotAClaimMonth;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAClaimMonth);
        }
        let (year, month) = text.split_at(4);
        match (year.parse(), month.parse()) {
            (Ok(year), Ok(month)) => ClaimMonth::new(year, month).ok_or(NotAClaimMonth),
            _ => Err(NotAClaimMonth),
        }
    }
}

impl Serialize for ClaimMonth {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClaimMonth {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Not six digits `YYYYMM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a claim month (請求年月) is written YYYYMM")]
pub struct NotAClaimMonth;
