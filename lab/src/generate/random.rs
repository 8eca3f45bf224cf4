//! The generator's randomness: SplitMix64, a counter stepped by the golden ratio and mixed twice.
//!
//! It passes the usual statistical suites, needs eight bytes of state, and gives the same numbers on every machine and
//! in every version of this program, which no library promises. It is no source of secrets.

/// A stream of numbers that depends on its seed and on nothing else.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included; `low` if they are the wrong way round.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let count = u64::from(high.saturating_sub(low)) + 1;
        // Scaling the upper half down to `count` is uneven by less than one in a million, which nobody can see here.
        let scaled = ((self.next() >> 32) * count) >> 32;
        low.saturating_add(u32::try_from(scaled).unwrap_or(0))
    }

    /// `true` in so many of a hundred cases.
    pub(super) fn percent(&mut self, cases: u32) -> bool {
        self.between(1, 100) <= cases
    }

    /// One of the choices, or nothing of an empty table.
    pub(super) fn pick<'a>(&mut self, choices: &'a [Vec<u8>]) -> &'a [u8] {
        let last = u32::try_from(choices.len()).unwrap_or(u32::MAX).saturating_sub(1);
        choices.get(self.between(0, last) as usize).map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as given by its reference implementation.
        let mut random = Random::new(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_reach_both_ends_and_stay_between_them() {
        let mut random = Random::new(1);
        let drawn: std::collections::BTreeSet<u32> = (0..1000).map(|_| random.between(3, 7)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
    }
}
