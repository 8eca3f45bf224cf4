//! Codes with valid check digits that belong to nobody.
//!
//! Institutions use 郡市区 `00` and `99`, insurers and 公費 the body number `000`: none of these is given out.

use protocol::{claims::check_digit::luhn_digit, party::Code};

use super::random::Random;

/// Prefectures whose institution codes carry a check digit over their last seven digits alone: 埼玉 千葉 東京 神奈川.
const SEVEN_DIGIT_FORM: [u8; 4] = [11, 12, 13, 14];

/// An institution code with a valid check digit that belongs to no institution.
///
/// `prefecture` is 1 to 47; `table` is the digit of 点数表, as [`Kind::table`](protocol::kind::Kind::table) gives it or
/// as a plain number. Serials 0 to 9,999 have 郡市区 `00`, 10,000 to 19,999 have `99`; beyond, codes repeat.
pub fn synthetic_institution(prefecture: u8, table: u8, serial: u32) -> Code {
    let table = if table.is_ascii_digit() { table - b'0' } else { table % 10 };
    let serial = serial % 20_000;
    let (district, number) = if serial < 10_000 { ("00", serial) } else { ("99", serial - 10_000) };
    let mut digits = format!("{:02}{table}{district}{number:04}", prefecture % 100);
    let checked =
        if SEVEN_DIGIT_FORM.contains(&prefecture) { digits.get(3..) } else { Some(digits.as_str()) };
    let check = checked.and_then(|text| luhn_digit(text.as_bytes())).unwrap_or(b'0');
    digits.push(char::from(check));
    code(&digits)
}

#[expect(clippy::expect_used, reason = "ten digits made above; a code takes any 40 letters or digits")]
fn code(digits: &str) -> Code {
    digits.parse().expect("digits are a code")
}

/// 保険者番号 and 公費負担者番号 of eight digits: 法別 2 + 都道府県 2 + `000` + check digit, one per law and prefecture.
pub(super) fn payer_numbers(laws: &[&str]) -> Vec<Vec<u8>> {
    let body = |law: &&str, prefecture: u8| format!("{law}{prefecture:02}000").into_bytes();
    laws.iter()
        .flat_map(|law| (1..=47).map(move |prefecture| with_check_digit(body(law, prefecture))))
        .collect()
}

/// 受給者番号: six digits and their check digit.
pub(super) fn recipient_number(random: &mut Random) -> Vec<u8> {
    with_check_digit(format!("{:06}", random.between(1, 999_999)).into_bytes())
}

fn with_check_digit(mut digits: Vec<u8>) -> Vec<u8> {
    digits.extend(luhn_digit(&digits));
    digits
}

#[cfg(test)]
mod tests {
    use protocol::{claims::check_digit, kind::Kind};

    use super::*;

    #[test]
    fn known_synthetic_codes_come_out() {
        for (prefecture, serial, code) in [
            (1, 1, "0110000015"),
            (1, 10_001, "0119900017"),
            (27, 1, "2710000015"),
            (13, 1, "1310000018"),
            (13, 10_001, "1319900010"),
        ] {
            assert_eq!(synthetic_institution(prefecture, Kind::Medical.table(), serial).as_str(), code);
            assert_eq!(synthetic_institution(prefecture, 1, serial).as_str(), code);
        }
    }

    #[test]
    fn every_institution_code_is_distinct_and_holds() {
        let mut seen = std::collections::BTreeSet::new();
        for prefecture in 1..=47 {
            for serial in (0..20_000).step_by(97) {
                let code = synthetic_institution(prefecture, b'4', serial);
                assert!(check_digit::institution_holds(&code), "{code}");
                assert!(seen.insert(code));
            }
        }
    }

    #[test]
    fn every_insurer_number_holds() {
        let numbers = payer_numbers(&["01", "39", "54"]);
        assert_eq!(numbers.len(), 3 * 47);
        for number in numbers {
            let code = String::from_utf8(number).unwrap().parse().unwrap();
            assert!(check_digit::insurer_holds(&code), "{code}");
        }
    }
}
