//! Check digits of institution, insurer and 公費負担者 numbers.
//!
//! All use the Luhn formula: from the right, digits count once and twice in turn, a product above nine counts as the
//! sum of its digits, and the sum ends in zero. For institutions two forms are in use: most prefectures compute over
//! all ten digits, 埼玉 千葉 東京 神奈川 over the last seven. Neither is published as a rule, and some real codes break
//! both, so a check digit may warn and never refuse.

use crate::party::Code;

/// Does the Luhn sum over these ASCII digits end in zero? `false` for anything but one or more digits.
pub fn luhn_holds(digits: &[u8]) -> bool {
    !digits.is_empty() && luhn_sum(digits.iter().rev(), 1).is_some_and(|sum| sum % 10 == 0)
}

/// The ASCII digit that completes these ASCII digits. `None` if one of them is no digit.
pub fn luhn_digit(digits: &[u8]) -> Option<u8> {
    let sum = luhn_sum(digits.iter().rev(), 2)?;
    u8::try_from((10 - sum % 10) % 10).ok().map(|digit| b'0' + digit)
}

/// Does the check digit of an institution code (都道府県 2 + 点数表 1 + 医療機関コード 7) hold in either form in use?
pub fn institution_holds(code: &Code) -> bool {
    let digits = code.as_str().as_bytes();
    digits.len() == 10 && (luhn_holds(digits) || digits.get(3..).is_some_and(luhn_holds))
}

/// Does the check digit of a 保険者番号 or 公費負担者番号 of eight digits hold?
pub fn insurer_holds(code: &Code) -> bool {
    let digits = code.as_str().as_bytes();
    digits.len() == 8 && luhn_holds(digits)
}

fn luhn_sum<'a>(from_the_right: impl Iterator<Item = &'a u8>, first_weight: u32) -> Option<u32> {
    let mut weight = first_weight;
    let mut sum = 0;
    for byte in from_the_right {
        let product = weight * char::from(*byte).to_digit(10)?;
        sum += product / 10 + product % 10;
        weight = 3 - weight;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        text.parse().unwrap()
    }

    #[test]
    fn codes_of_the_ten_digit_form_hold() {
        for valid in ["0110000015", "0119900017", "2710000015"] {
            assert!(institution_holds(&code(valid)), "{valid}");
        }
    }

    #[test]
    fn codes_of_the_seven_digit_form_hold() {
        for valid in ["1310000018", "1319900010", "1319999913"] {
            assert!(institution_holds(&code(valid)), "{valid}");
        }
    }

    #[test]
    fn the_dummy_code_of_official_samples_holds_in_neither_form() {
        for table in ["1", "3", "4", "6"] {
            assert!(!institution_holds(&code(&format!("13{table}1234567"))));
        }
    }

    #[test]
    fn insurer_numbers_hold() {
        for valid in ["06132013", "01130012", "19136019", "80137045"] {
            assert!(insurer_holds(&code(valid)), "{valid}");
        }
    }

    #[test]
    fn one_wrong_digit_never_holds() {
        for at in 0..8 {
            let mut digits = *b"06132013";
            digits[at] = b'0' + (digits[at] - b'0' + 1) % 10;
            assert!(!luhn_holds(&digits), "at {at}");
        }
    }

    #[test]
    fn the_computed_digit_completes_any_number() {
        for number in 0..2000u32 {
            let mut digits = format!("{number:07}").into_bytes();
            digits.push(luhn_digit(&digits).unwrap());
            assert!(luhn_holds(&digits), "{number}");
        }
    }

    #[test]
    fn what_is_not_a_number_does_not_hold() {
        for bad in [&b""[..], b"06132O13", b" 6132013", b"0613201\xFF"] {
            assert!(!luhn_holds(bad));
        }
        assert_eq!(luhn_digit(b"12a"), None);
        assert!(!institution_holds(&code("06132013")));
        assert!(!insurer_holds(&code("0110000015")));
    }
}
