//! DPC claims of about 9 KB. Record ids and their order are those of the DPC specification; the fields inside BU to CD
//! follow its descriptions as far as they are public, and no receiver of these files looks at them.

use super::{
    claim::{Source, Visit},
    items,
    records::Records,
};

/// Writes the DPC records and what was done besides. Gives the sum of the points.
pub(super) fn treatment(out: &mut Records, source: &mut Source, visit: &Visit) -> u64 {
    diagnosis(out, source, visit);
    let mut points = flat_rate(out, source, visit);
    for _ in 0..source.random.between(1, 8) {
        points += items::procedure(out, source, visit, b"50", 9000);
        points += items::drug(out, source, visit, b"50");
        if source.random.percent(40) {
            points += items::device(out, source, visit, b"50");
        }
    }
    for _ in 0..source.random.between(1, 6) {
        items::remark(out, source, b"92");
    }
    for _ in 0..source.random.between(0, 2) {
        items::narrative(out, source);
    }
    coding(out, source, visit);
    points
}

/// BU 診断群分類, SB 傷病, KK 患者基礎, SK 診療関連, and now and then GA 外泊.
fn diagnosis(out: &mut Records, source: &mut Source, visit: &Visit) {
    let Source { random, words, .. } = source;
    let admitted = visit.date(visit.days.first());
    let discharged = admitted + u64::from(visit.days.count()) - 1;
    // Group 99 of the fourteen characters is none of the eighteen main groups.
    let group = [b"99".as_slice(), b"0010xx9900xx"].concat();
    out.begin(b"BU").text(&group).number(admitted).number(discharged).number(1u32).empty(1).end();
    for place in 1..=random.between(2, 8) {
        let record = out.begin(b"SB").padded(place.min(21), 2).text(b"0000999").empty(1);
        record.text(random.pick(&words.diseases)).text(b"Z999").empty(1).end();
    }
    for place in 1..=random.between(1, 3) {
        out.begin(b"KK").padded(place, 2).number(random.between(0, 300)).empty(2).end();
    }
    for _ in 0..random.between(1, 6) {
        let record = out.begin(b"SK").padded(random.between(1, 20), 2).number(visit.date(visit.days.first()));
        record.master_code(1, random.between(1, 800)).text(random.pick(&words.remarks)).end();
    }
    if random.percent(10) {
        out.begin(b"GA").number(visit.month).number(0u32).days(Default::default(), b"").end();
    }
}

/// HH 包括評価 for each period of the stay and GT 合計調整. Gives the points.
fn flat_rate(out: &mut Records, source: &mut Source, visit: &Visit) -> u64 {
    let random = &mut source.random;
    let (mut left, mut sum) = (visit.days.count(), 0);
    for period in 1..=3u32 {
        let days = if period == 3 { left } else { left.min(random.between(2, 7)) };
        let rate = random.between(1500, 3500);
        if days > 0 {
            let record = out.begin(b"HH").number(visit.month).number(0u32).number(1u32).number(1u32);
            record.number(period).number(rate).number(days).number(rate * days).end();
        }
        left -= days;
        sum += u64::from(rate) * u64::from(days);
    }
    let record = out.begin(b"GT").number(visit.month).number(0u32).number(1u32).number(1u32);
    record.number(sum).number(sum).number(0u32).number(sum).number(93u32).empty(3).end();
    sum
}

/// CD コーディングデータ: what was done and is covered by the flat rate, day by day.
fn coding(out: &mut Records, source: &mut Source, visit: &Visit) {
    let random = &mut source.random;
    for order in 1..=random.between(40, 150) {
        let date = visit.date(visit.days.first() + random.between(0, 4));
        let record = out.begin(b"CD").number(date).padded(random.between(21, 80), 2).padded(order, 4);
        let record = record.padded(1u32, 3).master_code(random.between(0, 1) * 5 + 1, random.between(1, 900));
        record.number(random.between(1, 30)).empty(2).number(1u32).empty(2).end();
    }
}
