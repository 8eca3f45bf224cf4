//! Chance that can be repeated: SplitMix64 from a seed that is printed, and taken from `STORAGE_SEED` if that is set.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

/// A source of choices.
pub struct Dice(u64);

impl Dice {
    /// From the seed in the environment, or any other; which one is printed.
    pub fn from_seed() -> Self {
        let given = std::env::var("STORAGE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("repeat with STORAGE_SEED={seed}");
        Dice(seed)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
