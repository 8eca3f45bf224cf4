//! The first record of a claims file: who claims, from whom, for which month.

use crate::{
    kind::{ClaimMonth, Kind},
    party::Code,
};

use super::{
    check_digit,
    fault::{Fault, HeadField, Warning},
    summary::Mismatch,
};

/// Records a claims file may begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeadRecord {
    /// 受付情報, the head of a file for online claiming.
    Uk,
    /// 医療機関情報, the head where no UK record precedes it.
    Ir,
    /// 薬局情報, the head of a 調剤 file.
    Yk,
    /// The head of a 訪問看護 file.
    Hm,
}

impl HeadRecord {
    const ALL: [(HeadRecord, &'static [u8; 3]); 4] = [
        (HeadRecord::Uk, b"UK,"),
        (HeadRecord::Ir, b"IR,"),
        (HeadRecord::Yk, b"YK,"),
        (HeadRecord::Hm, b"HM,"),
    ];

    fn of(record: &[u8]) -> Option<HeadRecord> {
        HeadRecord::ALL.into_iter().find(|(_, id)| record.starts_with(*id)).map(|(head, _)| head)
    }

    /// Can a file that begins with these bytes still become a claims file?
    pub(super) fn may_begin_with(start: &[u8]) -> bool {
        HeadRecord::ALL.into_iter().any(|(_, id)| start.iter().zip(id).all(|(is, want)| is == want))
    }
}

/// What the first record says. No name is kept of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    record: HeadRecord,
    payer: u8,
    prefecture: u8,
    table: u8,
    institution: Code,
    review_agency: Code,
    claim_month: ClaimMonth,
    old_month_form: bool,
}

/// 請求年月 is the eighth field where 予備 and a name precede it (UK, IR), the seventh where one of them is left out (YK,
/// HM, IR of 歯科). A name is no month, so the first of the two that reads as one is it, whatever the edition.
const CLAIM_MONTH_FIELDS: [usize; 2] = [6, 7];

impl Head {
    /// Reads the first record, given without its line end.
    pub(super) fn parse(record: &[u8]) -> Result<Head, Fault> {
        let head_record = HeadRecord::of(record).ok_or(Fault::NotAClaimsFile)?;
        let field = |index: usize| record.split(|byte| *byte == b',').nth(index).unwrap_or_default();
        let bad = |field: HeadField| Fault::BadHead(field);

        let payer = match field(1) {
            b"1" => 1,
            b"2" => 2,
            _ => return Err(bad(HeadField::Payer)),
        };
        let prefecture_text = digits(field(2), 2).ok_or(bad(HeadField::Prefecture))?;
        let prefecture = match prefecture_text.parse() {
            Ok(number @ 1..=47) => number,
            _ => return Err(bad(HeadField::Prefecture)),
        };
        let table_text = digits(field(3), 1).ok_or(bad(HeadField::Table))?;
        let table = table_text.bytes().next().ok_or(bad(HeadField::Table))?;
        let code = digits(field(4), 7).ok_or(bad(HeadField::Institution))?;
        let (claim_month, old_month_form) = CLAIM_MONTH_FIELDS
            .into_iter()
            .find_map(|index| claim_month(field(index)))
            .ok_or(bad(HeadField::ClaimMonth))?;

        let code_of = |text: String, field: HeadField| text.parse::<Code>().map_err(|_| bad(field));
        Ok(Head {
            record: head_record,
            payer,
            prefecture,
            table,
            institution: code_of(format!("{prefecture_text}{table_text}{code}"), HeadField::Institution)?,
            review_agency: code_of(format!("{payer}{prefecture_text}"), HeadField::Payer)?,
            claim_month,
            old_month_form,
        })
    }

    /// Which record it is.
    pub fn record(&self) -> HeadRecord {
        self.record
    }

    /// 審査支払機関: 1 = 支払基金, 2 = 国保連合会.
    pub fn payer(&self) -> u8 {
        self.payer
    }

    /// 都道府県, 1 to 47.
    pub fn prefecture(&self) -> u8 {
        self.prefecture
    }

    /// 点数表 as an ASCII digit, comparable with [`Kind::table`].
    pub fn table(&self) -> u8 {
        self.table
    }

    /// The claiming institution: 都道府県 2 + 点数表 1 + 医療機関コード 7 digits.
    pub fn institution(&self) -> &Code {
        &self.institution
    }

    /// The review agency the file is meant for: 審査支払機関 1 + 都道府県 2 digits.
    pub fn review_agency_code(&self) -> &Code {
        &self.review_agency
    }

    /// 請求年月, normalised to the western calendar.
    pub fn claim_month(&self) -> ClaimMonth {
        self.claim_month
    }

    /// Does the first record fit a file declared as this kind? 医科 and DPC look alike here: what tells them apart comes
    /// later in the file, see [`Summary::matches_kind`](super::Summary::matches_kind).
    pub fn matches_kind(&self, kind: Kind) -> Result<(), Mismatch> {
        let own_record = match kind {
            Kind::Medical | Kind::Dpc | Kind::Dental => HeadRecord::Ir,
            Kind::Pharmacy => HeadRecord::Yk,
            Kind::HomeNursing => HeadRecord::Hm,
        };
        if self.record != HeadRecord::Uk && self.record != own_record {
            return Err(Mismatch::HeadRecord);
        }
        if self.table != kind.table() {
            return Err(Mismatch::Table);
        }
        Ok(())
    }

    /// What is odd about the first record.
    pub(super) fn warnings(&self) -> impl Iterator<Item = Warning> {
        [
            (self.record == HeadRecord::Ir).then_some(Warning::HeadWithoutUk),
            (!check_digit::institution_holds(&self.institution)).then_some(Warning::CheckDigit),
            self.old_month_form.then_some(Warning::OldClaimMonthForm),
        ]
        .into_iter()
        .flatten()
    }
}

/// The field as text, if it is exactly so many ASCII digits.
fn digits(field: &[u8], count: usize) -> Option<&str> {
    if field.len() != count || !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()
}

/// `YYYYMM`, or `GYYMM` with the era digit G; the flag says that it was the latter.
fn claim_month(field: &[u8]) -> Option<(ClaimMonth, bool)> {
    if let Some(western) = digits(field, 6) {
        return Some((western.parse().ok()?, false));
    }
    let (era, rest) = digits(field, 5)?.split_at_checked(1)?;
    let (year, month) = rest.split_at_checked(2)?;
    let year_zero = match era {
        "1" => 1867, // 明治
        "2" => 1911, // 大正
        "3" => 1925, // 昭和
        "4" => 1988, // 平成
        "5" => 2018, // 令和
        _ => return None,
    };
    let year: u16 = year.parse().ok().filter(|year| *year > 0)?;
    Some((ClaimMonth::new(year_zero + year, month.parse().ok()?)?, true))
}
