//! What a complete claims file says about itself, and whether that is what its sender declared.

use serde::{Deserialize, Serialize};

use crate::{
    kind::{ClaimMonth, Kind},
    party::Code,
};

use super::{fault::Warning, head::Head};

/// A claims file that was seen whole. Only [`ClaimsCheck::finish`](super::ClaimsCheck::finish) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The first record.
    pub head: Head,
    /// RE records.
    pub claims: u64,
    /// Records of any id, the first and the last included.
    pub records: u64,
    /// 総件数 of the GO record: claims to 医保 and to each 公費 counted apart, so usually more than `claims`.
    pub total_claims: u64,
    /// 総合計点数 of the GO record, in points.
    pub total_points: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
    /// BU records (診断群分類) occur.
    pub is_dpc: bool,
    /// What is odd about the file, each once, in the order of [`Warning::ALL`].
    pub warnings: Vec<Warning>,
}

impl Summary {
    /// Is this a file of the kind it was declared as? A DPC file may by chance hold no DPC claim, so its absence is only
    /// a warning ([`Summary::facts`]); DPC records in a 医科 file are a mismatch.
    pub fn matches_kind(&self, kind: Kind) -> Result<(), Mismatch> {
        self.head.matches_kind(kind)?;
        if self.is_dpc && kind != Kind::Dpc { Err(Mismatch::DpcRecords) } else { Ok(()) }
    }

    /// The facts for the receipt, if the file is of the kind it was declared as.
    pub fn facts(&self, declared: Kind) -> Result<ClaimsFacts, Mismatch> {
        self.matches_kind(declared)?;
        let mut warnings = self.warnings.clone();
        if declared == Kind::Dpc && !self.is_dpc {
            warnings.push(Warning::NoDpcRecord);
        }
        Ok(ClaimsFacts {
            kind: declared,
            institution: self.head.institution().clone(),
            payer: self.head.payer(),
            claim_month: self.head.claim_month(),
            claims: self.claims,
            total_claims: self.total_claims,
            total_points: self.total_points,
            warnings,
        })
    }
}

/// What a signed receipt says about a claims file: results of the check, no name and no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsFacts {
    /// What the file was declared as, and fits.
    pub kind: Kind,
    /// The claiming institution: 都道府県 2 + 点数表 1 + 医療機関コード 7 digits.
    pub institution: Code,
    /// 審査支払機関: 1 = 支払基金, 2 = 国保連合会.
    pub payer: u8,
    /// 請求年月.
    pub claim_month: ClaimMonth,
    /// RE records counted.
    pub claims: u64,
    /// 総件数 as the claims software wrote it.
    pub total_claims: u64,
    /// 総合計点数 as the claims software wrote it, in points.
    pub total_points: u64,
    /// What is odd about the file, each once.
    pub warnings: Vec<Warning>,
}

/// How a claims file differs from the kind it was declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Mismatch {
    /// The first record belongs to another kind.
    #[error("the first record belongs to another kind of claims file")]
    HeadRecord,
    /// 点数表 belongs to another kind.
    #[error("the fee table (点数表) belongs to another kind of claims file")]
    Table,
    /// DPC records (BU) in a file not declared as DPC.
    #[error("the file holds DPC records (BU) and was not declared as DPC")]
    DpcRecords,
}

impl Mismatch {
    /// The stable name that stands in refusals, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Mismatch::HeadRecord => "kind_mismatch_head_record",
            Mismatch::Table => "kind_mismatch_table",
            Mismatch::DpcRecords => "kind_mismatch_dpc_records",
        }
    }
}
