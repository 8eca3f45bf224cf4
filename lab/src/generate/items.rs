//! Records of single services, shared by 医科 and DPC: SY, SI, IY, TO, CO and SJ.

use super::{
    claim::{Source, Visit},
    records::{Days, Records},
};

/// 傷病名 records; the first is the main one. Half are uncoded (`0000999`) and spelt out, as the specification asks.
pub(super) fn diseases(out: &mut Records, source: &mut Source, visit: &Visit, most: u32) {
    let Source { random, words, .. } = source;
    for index in 0..random.between(1, most) {
        let years_ago = u64::from(random.between(0, 2));
        let began = visit.date(random.between(1, 28)) - years_ago * 10_000;
        let record = out.begin(b"SY");
        let record = if random.percent(50) {
            record.text(b"0000999").number(began).number(1u32).empty(1).text(random.pick(&words.diseases))
        } else {
            record.padded(9_990_000 + random.between(1, 900), 7).number(began).number(1u32).empty(2)
        };
        record.text(if index == 0 { b"01" } else { b"" }).empty(1).end();
    }
}

/// A day on which something was done: one of the days of treatment, as a set.
fn one_day(source: &mut Source, visit: &Visit) -> Days {
    let mut day = Days::default();
    day.insert(if visit.inpatient {
        visit.days.first() + source.random.between(0, 4)
    } else {
        visit.days.first()
    });
    day
}

/// 診療行為 of a section (診療識別), on all days of treatment or on one. Gives its points.
pub(super) fn procedure(
    out: &mut Records,
    source: &mut Source,
    visit: &Visit,
    section: &[u8],
    most: u32,
) -> u64 {
    let days = if source.random.percent(40) { visit.days } else { one_day(source, visit) };
    let random = &mut source.random;
    let (points, count) = (random.between(8, most), days.count());
    let record = out.begin(b"SI").text(section).number(1u32).master_code(1, random.between(1, 800)).empty(1);
    record.number(points).number(count).empty(6).days(days, b"1").end();
    u64::from(points) * u64::from(count)
}

/// 医薬品 of a section. Gives its points.
pub(super) fn drug(out: &mut Records, source: &mut Source, visit: &Visit, section: &[u8]) -> u64 {
    let days = one_day(source, visit);
    let random = &mut source.random;
    let (points, count) = (random.between(1, 90), random.between(1, 28));
    let record = out.begin(b"IY").text(section).number(1u32).master_code(6, random.between(1, 900));
    let mut amount = Vec::from(*b"0.0");
    if let [units, _, tenths] = amount.as_mut_slice() {
        *units += u8::try_from(random.between(1, 9)).unwrap_or(1);
        *tenths += u8::try_from(random.between(0, 9)).unwrap_or(0);
    }
    record.text(&amount).number(points).number(count).empty(6).days(days, b"1").end();
    u64::from(points) * u64::from(count)
}

/// 特定器材 of a section. Gives its points.
pub(super) fn device(out: &mut Records, source: &mut Source, visit: &Visit, section: &[u8]) -> u64 {
    let days = one_day(source, visit);
    let Source { random, words, .. } = source;
    let points = random.between(5, 3000);
    let record = out.begin(b"TO").text(section).number(1u32).master_code(7, random.between(1, 700));
    let record = record.number(1u32).number(points).number(1u32).padded(random.between(1, 60), 3);
    let record = record.number(points * 10).empty(1).text(random.pick(&words.products));
    record.empty(6).days(days, b"1").end();
    u64::from(points)
}

/// コメント on a section.
pub(super) fn remark(out: &mut Records, source: &mut Source, section: &[u8]) {
    let Source { random, words, .. } = source;
    let record = out.begin(b"CO").text(section).number(1u32).master_code(8, random.between(1, 300));
    record.text(random.pick(&words.remarks)).end();
}

/// 症状詳記 of some sentences; 2400 bytes hold thirteen of them.
pub(super) fn narrative(out: &mut Records, source: &mut Source) {
    let Source { random, words, .. } = source;
    let record = out.begin(b"SJ").padded(random.between(1, 9), 2);
    record.repeated(&words.narrative, random.between(1, 13)).end();
}
