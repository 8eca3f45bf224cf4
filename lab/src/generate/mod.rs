//! Synthetic claims files: true to the format, of any size, and nobody's.
//!
//! 医科, DPC and 調剤 files in Shift_JIS with CR LF and the end mark, one head, consistent totals and valid check digits.
//! The same order gives the same bytes, on any machine. Files are written as they are made, in constant memory, some
//! hundreds of megabytes a second; ten gibibytes are no trouble. Codes, names and services come from made-up tables: a
//! file that escapes harms nobody.

mod claim;
mod codes;
mod dpc;
mod items;
mod medical;
mod pharmacy;
mod random;
mod records;
mod words;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use protocol::{
    kind::{ClaimMonth, Kind},
    party::{Code, Role},
};

pub use codes::synthetic_institution;

use claim::{Source, Visit};
use records::Records;
use words::{Words, invalid};

/// A claims file to be written.
#[derive(Clone, Debug)]
pub struct Order {
    /// Medical, Dpc or Pharmacy.
    pub kind: Kind,
    /// Who claims: ten digits whose third is the kind's 点数表. [`synthetic_institution`] makes them.
    pub institution: Code,
    /// 審査支払機関: 1 = 支払基金, 2 = 国保連合会.
    pub payer: u8,
    /// 請求年月, 1900 or later. Treatment was in the month before.
    pub claim_month: ClaimMonth,
    /// Length of the file in bytes, exceeded by less than one claim (at most 40 KB). One claim is always written.
    pub target_bytes: u64,
    /// Decides everything that is left to chance.
    pub seed: u64,
    /// Stands in the 氏名 field of every claim in place of a name, for tests that look for leaks. At most 40 bytes of
    /// Shift_JIS without comma, quote and control characters.
    pub planted: Option<String>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Length of the file.
    pub bytes: u64,
    /// RE records.
    pub claims: u64,
}

/// Bytes gathered before they are handed to the writer.
const WRITE_SIZE: usize = 256 * 1024;

/// Writes the file that was ordered. An order that cannot be carried out is an error of kind
/// [`io::ErrorKind::InvalidInput`], and then nothing was written.
pub fn write_claims_file(order: &Order, out: &mut impl Write) -> io::Result<Written> {
    let table = check(order)?;
    let mut source = Source::new(order.seed, order.payer, Words::new(order.planted.as_deref())?);
    let mut totals = Totals::default();
    let (mut ready, mut treatment) = (Records::default(), Records::default());
    let mut flushed = 0;

    head(&mut ready, order, &source);
    loop {
        totals.claims += 1;
        let inpatient = match order.kind {
            Kind::Dpc => true,
            Kind::Medical => source.random.percent(medical::INPATIENTS_PERCENT),
            _ => false,
        };
        let month = (order.claim_month.year(), order.claim_month.month());
        let visit = Visit::draw(&mut source.random, totals.claims, month, inpatient);
        treatment.clear();
        let points = match order.kind {
            Kind::Dpc => dpc::treatment(&mut treatment, &mut source, &visit),
            Kind::Pharmacy => pharmacy::treatment(&mut treatment, &mut source, &visit),
            _ => medical::treatment(&mut treatment, &mut source, &visit),
        };
        claim::begin(&mut ready, &mut source, &visit, table, points);
        ready.append(&treatment);
        totals.counted += 1 + u64::from(visit.publics);
        totals.points += points;

        if flushed + ready.as_bytes().len() as u64 + totals.record().len() as u64 >= order.target_bytes {
            break;
        }
        if ready.as_bytes().len() >= WRITE_SIZE {
            out.write_all(ready.as_bytes())?;
            flushed += ready.as_bytes().len() as u64;
            ready.clear();
        }
    }
    let end = totals.record();
    out.write_all(ready.as_bytes())?;
    out.write_all(&end)?;
    Ok(Written { bytes: flushed + (ready.as_bytes().len() + end.len()) as u64, claims: totals.claims })
}

/// Gives the 点数表 digit of an order that can be carried out.
fn check(order: &Order) -> io::Result<u8> {
    if !matches!(order.kind, Kind::Medical | Kind::Dpc | Kind::Pharmacy) {
        return Err(invalid("only medical, dpc and pharmacy claims files are generated"));
    }
    let table = order.kind.table();
    if !order.institution.fits(Role::Institution)
        || order.institution.as_str().as_bytes().get(2) != Some(&table)
    {
        return Err(invalid(
            "the institution code has not ten digits, or its third is not the kind's fee table",
        ));
    }
    if !matches!(order.payer, 1 | 2) {
        return Err(invalid("the payer is 1 or 2"));
    }
    if order.claim_month.year() < 1900 {
        return Err(invalid("the claim month is before 1900"));
    }
    Ok(table)
}

/// UK and IR, or YK.
fn head(out: &mut Records, order: &Order, source: &Source) {
    let code = order.institution.as_str().as_bytes();
    let (prefecture, rest) = code.split_at_checked(2).unwrap_or_default();
    let (table, own) = rest.split_at_checked(1).unwrap_or_default();
    let month = order.claim_month.to_string();
    let name = |index: usize| source.words.institutions.get(index).map(Vec::as_slice).unwrap_or_default();
    let mut begin = |id: &[u8; 2], before_name: usize, name: &[u8]| {
        let record = out.begin(id).number(order.payer).text(prefecture).text(table).text(own);
        let record = record.empty(before_name).text(name).text(month.as_bytes());
        match id {
            b"UK" => record.empty(1).text(b"00").end(),
            _ => record.text(b"00").text(b"000-000-0000").end(),
        }
    };
    if order.kind == Kind::Pharmacy {
        begin(b"YK", 0, name(2));
    } else {
        begin(b"UK", 1, name(0));
        begin(b"IR", 1, name(0));
    }
}

#[derive(Default)]
struct Totals {
    claims: u64,
    /// 総件数: 医保 and each 公費 counted apart.
    counted: u64,
    points: u64,
}

impl Totals {
    /// The GO record and the end mark.
    fn record(&self) -> Vec<u8> {
        let mut records = Records::default();
        records.begin(b"GO").number(self.counted).number(self.points).text(b"99").end();
        [records.as_bytes(), b"\x1A"].concat()
    }
}
