//! Chance that can be had again: every test that uses it prints its seed, and takes it from `SEKISHO_SEED` if set.

use protocol::digest::Sha256;

/// A stream of numbers that its seed decides.
pub struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    /// A seed of its own, printed; or the one in `SEKISHO_SEED`.
    pub fn of_this_run(test: &str) -> Self {
        let given = std::env::var("SEKISHO_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from_be_bytes(pki::random::random_bytes().unwrap()));
        println!("{test}: SEKISHO_SEED={seed}");
        Chance { seed, drawn: 0 }
    }

    /// The next number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        let hash = Sha256::of_parts(&[&self.seed.to_be_bytes(), &self.drawn.to_be_bytes()]);
        let (first, _) = hash.as_bytes().split_at(8);
        u64::from_be_bytes(first.try_into().unwrap()) % end
    }
}
