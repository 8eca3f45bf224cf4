//! Sizes as people write them on a command line: `300MB`, `3MiB`, `1000`.

use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

const UNITS: [(&str, u64); 7] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("", 1),
];

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let with_unit = |(unit, bytes): &(&str, u64)| Some((text.strip_suffix(unit)?, *bytes));
        let (digits, unit) = UNITS.iter().find_map(with_unit).unwrap_or((text, 1));
        let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        number.map(Size).ok_or("a size is a whole number with kB, MB, GB, KiB, MiB, GiB or no unit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_kinds_of_units_and_nonsense_is_refused() {
        assert_eq!("300MB".parse(), Ok(Size(300_000_000)));
        assert_eq!("3MiB".parse(), Ok(Size(3 << 20)));
        assert_eq!("17".parse(), Ok(Size(17)));
        for bad in ["", "MB", "1.5MB", "-1", "1 MB", "99999999999GiB", "1TB"] {
            assert!(bad.parse::<Size>().is_err(), "{bad} was accepted");
        }
    }
}
