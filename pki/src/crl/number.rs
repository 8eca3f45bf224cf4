//! The number of a revocation list (RFC 5280 section 5.2.3).

use std::{cmp::Ordering, fmt};

use crate::names::hex;

/// Octets of a number.
const NUMBER_OCTETS_MAX: usize = 20;

/// A list's number: only grows, up to 20 octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CrlNumber(Vec<u8>);

impl CrlNumber {
    pub(super) fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
        (digits.len() <= NUMBER_OCTETS_MAX).then_some(CrlNumber(digits))
    }

    /// The number if it fits, for metrics.
    pub fn as_u64(&self) -> Option<u64> {
        (self.0.len() <= 8).then(|| self.0.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

impl Ord for CrlNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for CrlNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_u64() {
            Some(number) => number.fmt(f),
            None => write!(f, "0x{}", hex(&self.0)),
        }
    }
}

impl fmt::Debug for CrlNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers_of_any_length() {
        let number = |bytes: &[u8]| CrlNumber::from_be_bytes(bytes).unwrap();
        assert!(number(&[2]) < number(&[1, 0]));
        assert!(number(&[0, 0, 9]) == number(&[9]));
        assert!(number(&[0xff; 20]) > number(&[0xff; 19]));
        assert_eq!(number(&[1, 0]).to_string(), "256");
    }
}
