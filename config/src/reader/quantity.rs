//! Durations and sizes as people write them: a whole number and a unit, `"10s"`, `"64MiB"`.

use std::{str::FromStr, time::Duration};

use super::value::{Fault, Given, Value};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Milliseconds in each unit, the largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// Bytes in each unit, the largest first.
const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Value for Duration {
    fn form() -> String {
        "a duration such as \"500ms\", \"10s\", \"5m\", \"2h\" or \"3d\"".to_owned()
    }

    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        if let Some(number) = given.whole() {
            return Err(Fault::new(
                format!("{number} has no unit"),
                format!("write \"{number}s\" if seconds are meant"),
            ));
        }
        with_unit(given.text_for::<Self>()?, &DURATION_UNITS)
            .map(Duration::from_millis)
            .ok_or_else(|| given.is_not::<Self>())
    }

    fn show(&self) -> String {
        let milliseconds = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        format!("\"{}\"", in_largest_unit(milliseconds, &DURATION_UNITS))
    }
}

impl Value for Size {
    fn form() -> String {
        "a size such as \"64KiB\", \"16MiB\" or \"10GiB\", or a number of bytes".to_owned()
    }

    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        if let Some(number) = given.whole() {
            return u64::try_from(number).map(Size).map_err(|_| given.is_not::<Self>());
        }
        let text = given.text_for::<Self>()?;
        refuse_decimal_unit(text)?;
        with_unit(text, &SIZE_UNITS).map(Size).ok_or_else(|| given.is_not::<Self>())
    }

    fn show(&self) -> String {
        format!("\"{}\"", in_largest_unit(self.0, &SIZE_UNITS))
    }
}

impl FromStr for Size {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        refuse_decimal_unit(text)?;
        let is_none = || Fault::new(format!("{text:?} is not understood"), format!("write {}", Self::form()));
        with_unit(text, &SIZE_UNITS).or_else(|| text.parse().ok()).map(Size).ok_or_else(is_none)
    }
}

fn refuse_decimal_unit(text: &str) -> Result<(), Fault> {
    let Some(binary) = decimal_unit_as_binary(text) else { return Ok(()) };
    Err(Fault::new(
        format!("\"{text}\" leaves open whether a thousand or 1024 is meant"),
        format!("write \"{binary}\""),
    ))
}

/// A whole number directly before one of the units; nothing else, and nothing that overflows.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// `"64MB"` and `"64M"` as what was likely meant.
fn decimal_unit_as_binary(text: &str) -> Option<String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let letter = unit.trim_end_matches(['b', 'B']);
    let known = SIZE_UNITS
        .iter()
        .find(|(name, _)| name.strip_suffix("iB").is_some_and(|n| n.eq_ignore_ascii_case(letter)));
    known.filter(|_| !number.is_empty()).map(|(name, _)| format!("{number}{name}"))
}

fn in_largest_unit(value: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    let (name, factor) = fitting.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{name}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_understood_and_shown_again() {
        for text in ["250ms", "10s", "5m", "2h", "3d"] {
            let value = with_unit(text, &DURATION_UNITS).unwrap();
            assert_eq!(in_largest_unit(value, &DURATION_UNITS), text);
        }
        for text in ["1B", "64KiB", "16MiB", "10GiB", "1TiB"] {
            let value = with_unit(text, &SIZE_UNITS).unwrap();
            assert_eq!(in_largest_unit(value, &SIZE_UNITS), text);
        }
    }

    #[test]
    fn anything_but_number_and_unit_is_refused() {
        for bad in
            ["", "s", "10", "10 s", "1.5s", "-1s", "10S", "10s ", "1m30s", "１0s", "99999999999999999999s"]
        {
            assert_eq!(with_unit(bad, &DURATION_UNITS), None, "{bad:?} was taken");
        }
        assert_eq!(with_unit("18446744073709551615d", &DURATION_UNITS), None, "overflow was taken");
    }

    #[test]
    fn a_decimal_unit_is_answered_with_the_binary_one() {
        assert_eq!(decimal_unit_as_binary("64MB").as_deref(), Some("64MiB"));
        assert_eq!(decimal_unit_as_binary("10G").as_deref(), Some("10GiB"));
        assert_eq!(decimal_unit_as_binary("64MiB"), None);
        assert_eq!(decimal_unit_as_binary("64"), None);
    }
}
