//! What every claim begins with, whatever its kind: RE, HO, KO, SN, JD and MF, and the choices they rest on.

use super::{
    codes,
    random::Random,
    records::{Days, Records},
    words::Words,
};

/// What claims are made from; constant over one file but for the random stream.
pub(super) struct Source {
    pub(super) random: Random,
    pub(super) words: Words,
    /// 保険者番号 of the payer's kind.
    pub(super) insurers: Vec<Vec<u8>>,
    /// 公費負担者番号.
    pub(super) publics: Vec<Vec<u8>>,
    /// 後期高齢者医療: the insurers whose claims 国保連 handles here.
    pub(super) elderly: bool,
}

/// 法別番号 of insurers whose claims 支払基金 handles: 協会けんぽ, 組合, two 共済.
const INSURER_LAWS: [&str; 4] = ["01", "06", "31", "32"];
/// 法別番号 of 後期高齢者医療. 国保 itself has six-digit numbers, whose padding differs between editions.
const ELDERLY_LAWS: [&str; 1] = ["39"];
/// 法別番号 of 公費.
const PUBLIC_LAWS: [&str; 4] = ["15", "51", "54", "80"];

impl Source {
    pub(super) fn new(seed: u64, payer: u8, words: Words) -> Self {
        let elderly = payer == 2;
        Source {
            random: Random::new(seed),
            words,
            insurers: codes::payer_numbers(if elderly { &ELDERLY_LAWS } else { &INSURER_LAWS }),
            publics: codes::payer_numbers(&PUBLIC_LAWS),
            elderly,
        }
    }
}

/// When, how often and how somebody was treated.
pub(super) struct Visit {
    /// レセプト番号.
    pub(super) number: u64,
    /// 診療年月, `YYYYMM` as a number.
    pub(super) month: u64,
    /// Days of treatment.
    pub(super) days: Days,
    pub(super) inpatient: bool,
    /// Payers that share the claim: the insurer and none, one or two 公費.
    pub(super) publics: u32,
}

impl Visit {
    /// A visit in the month before the claim month, or now and then (月遅れ) the month before that.
    pub(super) fn draw(random: &mut Random, number: u64, claim_month: (u16, u8), inpatient: bool) -> Self {
        let months = u64::from(claim_month.0) * 12 + u64::from(claim_month.1) - 1;
        let months = months - if random.percent(4) { 2 } else { 1 };
        let mut days = Days::default();
        if inpatient {
            let first = random.between(1, 14);
            let last = first + random.between(4, 14);
            (first..=last).for_each(|day| days.insert(day));
        } else {
            (0..random.between(1, 4)).for_each(|_| days.insert(random.between(1, 28)));
        }
        let publics = if random.percent(12) { random.between(1, 2) } else { 0 };
        Visit { number, month: months / 12 * 100 + months % 12 + 1, days, inpatient, publics }
    }

    /// The date of a day of the month of treatment, `YYYYMMDD` as a number.
    pub(super) fn date(&self, day: u32) -> u64 {
        self.month * 100 + u64::from(day)
    }
}

/// Writes RE to MF. `table` is the first digit of レセプト種別.
pub(super) fn begin(out: &mut Records, source: &mut Source, visit: &Visit, table: u8, points: u64) {
    patient(out, source, visit, table);
    insurance(out, source, visit, points);
    qualification(out, source, visit);
}

fn patient(out: &mut Records, source: &mut Source, visit: &Visit, table: u8) {
    let Source { random, words, elderly, .. } = source;
    let last = u32::try_from(words.names.len()).unwrap_or(1).saturating_sub(1);
    let who = random.between(0, last) as usize;
    let name = words.names.get(who).map(Vec::as_slice).unwrap_or_default();
    let reading = words.readings.get(who).map(Vec::as_slice).unwrap_or_default();

    let born = if *elderly { random.between(1930, 1949) } else { random.between(1950, 2023) };
    let birth_date = born * 10_000 + random.between(1, 12) * 100 + random.between(1, 28);
    let shared = b'1' + u8::try_from(visit.publics).unwrap_or(0);
    let claim_type = match (*elderly, visit.inpatient) {
        (false, true) => [table, b'1', shared, b'1'],
        (false, false) => [table, b'1', shared, b'2'],
        (true, true) => [table, b'3', shared, b'7'],
        (true, false) => [table, b'3', shared, b'8'],
    };
    let record = out
        .begin(b"RE")
        // The field holds six digits; only files far beyond real ones begin again at 1.
        .number((visit.number - 1) % 999_999 + 1)
        .text(&claim_type)
        .number(visit.month)
        .text(name)
        .number(random.between(1, 2))
        .number(birth_date)
        .empty(1);
    let record = if visit.inpatient {
        record.number(visit.date(visit.days.first())).empty(3).number(random.between(20, 600))
    } else {
        record.empty(5)
    };
    record.padded(random.between(1, 9_999_999), 8).empty(22).text(reading).empty(1).end();
}

fn insurance(out: &mut Records, source: &mut Source, visit: &Visit, points: u64) {
    let Source { random, insurers, publics, .. } = source;
    let days = visit.days.count();
    out.begin(b"HO")
        .text(random.pick(insurers))
        .number(random.between(1000, 9999))
        .number(random.between(1, 99_999))
        .number(days)
        .number(points)
        .empty(9)
        .end();
    for _ in 0..visit.publics {
        let recipient = codes::recipient_number(random);
        let record = out.begin(b"KO").text(random.pick(publics)).text(&recipient).empty(1);
        record.number(days).number(points).empty(6).end();
    }
}

fn qualification(out: &mut Records, source: &mut Source, visit: &Visit) {
    out.begin(b"SN").text(b"1").text(b"01").empty(3).padded(source.random.between(0, 3), 2).empty(2).end();
    out.begin(b"JD").text(b"1").days(visit.days, b"1").end();
    out.begin(b"MF").text(b"00").empty(31).end();
}
