//! What the claims check can find: faults refuse a file, warnings travel with it.
//!
//! Neither ever holds a byte of the file: they end up in logs, refusals and receipts.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::search::RECORD_LENGTH_MAX;

/// Why a file is not a complete claims file. The rules come from オンライン又は光ディスク等による請求に係る記録条件仕様.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Not one byte.
    #[error("the file is empty")]
    Empty,
    /// The first record is none of UK, IR, YK and HM.
    #[error("not a claims file: it does not begin with a UK, IR, YK or HM record")]
    NotAClaimsFile,
    /// The first record lacks what every later decision rests on.
    #[error("the first record has no valid {0}")]
    BadHead(HeadField),
    /// A record is longer than [`RECORD_LENGTH_MAX`].
    #[error("a record is longer than {RECORD_LENGTH_MAX} bytes")]
    LineTooLong,
    /// The file stops before its end mark: it was cut off.
    #[error("the end mark (1A) is missing: the file is cut off")]
    NoEndMark,
    /// The end mark stands inside a record.
    #[error("the end mark (1A) stands inside a record")]
    EndMarkInRecord,
    /// Something follows the end mark.
    #[error("bytes follow the end mark (1A)")]
    BytesAfterEnd,
    /// The end mark comes, and the record before it is not GO.
    #[error("the last record is not the total (GO): claims are missing")]
    NoTotal,
    /// A record, perhaps a second GO, follows the GO record.
    #[error("a record follows the total (GO)")]
    TotalNotLast,
    /// 総件数 or 総合計点数 of the GO record is not a number.
    #[error("the total (GO) has no readable number of claims or points")]
    BadTotal,
    /// マルチボリューム識別情報 of the GO record is not `99`: further volumes belong to this one.
    #[error("this is not the last volume (99) of the claims file: further volumes are missing")]
    VolumeIncomplete,
    /// The GO record does not end with CR LF.
    #[error("the last record does not end with CR LF")]
    LineEnd,
}

impl Fault {
    /// The stable name that stands in refusals, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Fault::Empty => "empty",
            Fault::NotAClaimsFile => "not_a_claims_file",
            Fault::BadHead(_) => "bad_head",
            Fault::LineTooLong => "line_too_long",
            Fault::NoEndMark => "no_end_mark",
            Fault::EndMarkInRecord => "end_mark_in_record",
            Fault::BytesAfterEnd => "bytes_after_end",
            Fault::NoTotal => "no_total",
            Fault::TotalNotLast => "total_not_last",
            Fault::BadTotal => "bad_total",
            Fault::VolumeIncomplete => "volume_incomplete",
            Fault::LineEnd => "line_end",
        }
    }
}

/// The fields of the first record that must be readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadField {
    /// 審査支払機関: `1` or `2`.
    Payer,
    /// 都道府県: `01` to `47`.
    Prefecture,
    /// 点数表: one digit.
    Table,
    /// 医療機関コード or 薬局コード: seven digits.
    Institution,
    /// 請求年月: `YYYYMM`, or `GYYMM` of older software.
    ClaimMonth,
}

impl fmt::Display for HeadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeadField::Payer => "payer (審査支払機関)",
            HeadField::Prefecture => "prefecture (都道府県)",
            HeadField::Table => "fee table (点数表)",
            HeadField::Institution => "institution code (医療機関コード)",
            HeadField::ClaimMonth => "claim month (請求年月)",
        })
    }
}

/// What is odd about a complete claims file. The name in JSON is [`Warning::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warning {
    /// The file begins with IR: files for online claiming carry a UK record before it.
    HeadWithoutUk,
    /// The institution code fails its check digit in both forms in use.
    CheckDigit,
    /// The claim month is written `GYYMM`, as before the western calendar came into use.
    OldClaimMonthForm,
    /// More RE records than the GO record counts. Not raised where DPC records occur: there one claim may have several.
    ClaimCountAboveTotal,
    /// CR and LF do not always stand together.
    LineEnds,
    /// Declared as a DPC file and without one DPC record (BU).
    NoDpcRecord,
}

impl Warning {
    /// Every warning.
    pub const ALL: [Warning; 6] = [
        Warning::HeadWithoutUk,
        Warning::CheckDigit,
        Warning::OldClaimMonthForm,
        Warning::ClaimCountAboveTotal,
        Warning::LineEnds,
        Warning::NoDpcRecord,
    ];

    /// The stable name that stands in receipts, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Warning::HeadWithoutUk => "head_without_uk",
            Warning::CheckDigit => "check_digit",
            Warning::OldClaimMonthForm => "old_claim_month_form",
            Warning::ClaimCountAboveTotal => "claim_count_above_total",
            Warning::LineEnds => "line_ends",
            Warning::NoDpcRecord => "no_dpc_record",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Warning::HeadWithoutUk => "the file begins with IR and has no UK record before it",
            Warning::CheckDigit => "the institution code does not match its check digit",
            Warning::OldClaimMonthForm => "the claim month is written in the old form GYYMM",
            Warning::ClaimCountAboveTotal => "the file holds more claims than its total (GO) counts",
            Warning::LineEnds => "some lines do not end with CR LF",
            Warning::NoDpcRecord => "declared as DPC, but without any DPC record (BU)",
        })
    }
}
