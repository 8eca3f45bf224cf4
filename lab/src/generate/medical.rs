//! 医科 claims: five of six out-patients of 1 to 3 KB, the others in-patients of 5 to 15 KB.

use super::{
    claim::{Source, Visit},
    items,
    records::Records,
};

/// How many of a hundred claims are in-patients'.
pub(super) const INPATIENTS_PERCENT: u32 = 17;

/// 診療識別 in the order in which they follow each other, and the most points one of their services has.
const SECTIONS: [(&[u8], u32); 9] = [
    (b"12", 130),
    (b"13", 250),
    (b"14", 900),
    (b"21", 300),
    (b"33", 120),
    (b"40", 200),
    (b"50", 20_000),
    (b"60", 450),
    (b"70", 1500),
];

/// Writes what was treated and done. Gives the sum of its points.
pub(super) fn treatment(out: &mut Records, source: &mut Source, visit: &Visit) -> u64 {
    items::diseases(out, source, visit, if visit.inpatient { 9 } else { 5 });
    let mut points = items::procedure(out, source, visit, if visit.inpatient { b"90" } else { b"11" }, 1700);
    let often = if visit.inpatient { 6 } else { 1 };
    for (section, most) in SECTIONS {
        for _ in 0..source.random.between(0, often) {
            points += items::procedure(out, source, visit, section, most);
        }
        for _ in 0..source.random.between(0, often) {
            points += items::drug(out, source, visit, section);
        }
        if source.random.percent(if visit.inpatient { 35 } else { 4 }) {
            points += items::device(out, source, visit, section);
        }
        if source.random.percent(if visit.inpatient { 40 } else { 12 }) {
            items::remark(out, source, section);
        }
    }
    if source.random.percent(if visit.inpatient { 60 } else { 2 }) {
        items::narrative(out, source);
    }
    points
}
