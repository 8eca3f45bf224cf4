//! 調剤 claims of about 2 KB: SH 処方基本, CZ 調剤情報, IY 医薬品, TO 特定器材, CO コメント, TK 摘要欄, KI 基本料. As with
//! DPC, ids and order are those of the specification, the fields follow its public descriptions.

use super::{
    claim::{Source, Visit},
    records::Records,
};

/// Writes the prescriptions. Gives the sum of their points.
pub(super) fn treatment(out: &mut Records, source: &mut Source, visit: &Visit) -> u64 {
    let mut points = 0;
    for prescription in 1..=source.random.between(1, 4) {
        points += prescribed(out, source, visit, prescription);
    }
    if source.random.percent(30) {
        let Source { random, words, .. } = source;
        out.begin(b"TK")
            .number(1u32)
            .master_code(8, random.between(1, 300))
            .text(random.pick(&words.remarks))
            .end();
    }
    points + basic_fees(out, source, visit)
}

fn prescribed(out: &mut Records, source: &mut Source, visit: &Visit, number: u32) -> u64 {
    let Source { random, words, .. } = source;
    let date = visit.date(visit.days.first());
    let supply = random.between(1, 8) * 7;
    let record = out.begin(b"SH").padded(number, 2).number(random.between(1, 5)).text(b"999");
    record.text(random.pick(&words.remarks)).end();

    let (making, drugs, managing) = (random.between(10, 90), random.between(5, 900), random.between(4, 60));
    let record = out.begin(b"CZ").number(1u32).number(date).number(date).number(1u32).number(supply);
    let record =
        record.number(1u32).number(1u32).text(b"01").master_code(4, random.between(1, 90)).number(making);
    let record = record.empty(2).number(drugs).empty(42).number(1u32).number(1u32).text(b"01");
    record.master_code(4, random.between(100, 190)).number(managing).empty(9).end();

    for _ in 0..random.between(1, 5) {
        let amount = random.between(1, 9);
        out.begin(b"IY").number(1u32).master_code(6, random.between(1, 900)).number(amount).empty(6).end();
    }
    if random.percent(5) {
        let record = out.begin(b"TO").number(1u32).master_code(7, random.between(1, 700)).number(1u32);
        let record = record.padded(random.between(1, 60), 3).number(random.between(50, 900)).empty(1);
        record.text(random.pick(&words.products)).end();
    }
    if random.percent(20) {
        let record = out.begin(b"CO").number(1u32).master_code(8, random.between(1, 300));
        record.text(random.pick(&words.remarks)).end();
    }
    u64::from(making + drugs + managing)
}

/// KI 基本料・薬学管理料: count, code and points of up to twenty fees.
fn basic_fees(out: &mut Records, source: &mut Source, visit: &Visit) -> u64 {
    let random = &mut source.random;
    let mut record = out.begin(b"KI").number(visit.date(visit.days.first())).number(1u32).number(1u32);
    let fees = random.between(2, 6);
    let mut points = 0;
    for _ in 0..fees {
        let fee = random.between(3, 80);
        record = record.number(1u32).master_code(4, random.between(200, 290)).number(fee);
        points += u64::from(fee);
    }
    record.empty(3 * (20 - fees as usize) + 1).end();
    points
}
