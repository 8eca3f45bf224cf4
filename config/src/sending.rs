//! `[sending]`: how much a sender does at once, and how fast.

use std::{num::NonZeroU64, str::FromStr};

use crate::{
    limits::{MIN_RATE, PARALLEL},
    reader::{Fault, Given, Key, Section, Size, Value},
};

/// The least `rate_max`, bytes in a second: as many transfers as may run side by side each keep twice the rate below which a
/// centre with its usual settings gives a transfer up as too slow.
pub const RATE_LOW: u64 = 2 * PARALLEL.high as u64 * MIN_RATE.default.0;

/// `[sending]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Files sent at the same time; at least one.
    pub parallel: u32,
    /// How fast content leaves, of all transfers together.
    pub rate_max: Option<Rate>,
}

/// Bytes in a second, at least [`RATE_LOW`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// So many.
    pub const fn bytes_per_second(self) -> NonZeroU64 {
        self.0
    }

    fn of(size: Size) -> Result<Self, Fault> {
        match NonZeroU64::new(size.0) {
            Some(rate) if size.0 >= RATE_LOW => Ok(Rate(rate)),
            _ => Err(Fault::new(
                format!("{} in a second is so slow that a centre would give the transfers up", size.show()),
                format!("write at least {}", Size(RATE_LOW).show()),
            )),
        }
    }
}

impl Value for Rate {
    fn form() -> String {
        format!("bytes in a second, a size such as \"2MiB\", at least {}", Size(RATE_LOW).show())
    }

    fn read(given: &Given<'_>) -> Result<Self, Fault> {
        Rate::of(Size::read(given)?)
    }

    fn show(&self) -> String {
        Size(self.0.get()).show()
    }
}

impl FromStr for Rate {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Rate::of(text.parse()?)
    }
}

impl Sending {
    pub(crate) fn read(root: &Section<'_>) -> Option<Self> {
        let section = root.section("sending", "How much is sent at the same time, and how fast.");
        let parallel = section.limit(&PARALLEL);
        let rate_max = section.optional(&Key::new(
            "rate_max",
            "How many bytes of content leave in a second at most, of all transfers of one run together. The centre gives a \
             transfer up that stays below its own link.min_rate_bytes_per_second: where that is raised, leave each of \
             parallel transfers more.",
            "\"2MiB\"",
        ));
        Some(Sending { parallel: parallel?, rate_max: rate_max? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_sizes_are() {
        for (text, bytes) in [("2MiB", 2 << 20), ("32KiB", 32 << 10), ("100000B", 100_000)] {
            assert_eq!(text.parse::<Rate>().unwrap().bytes_per_second().get(), bytes);
        }
    }

    #[test]
    fn a_rate_that_a_centre_would_not_wait_for_is_refused_with_the_least_one() {
        for text in ["0B", "1B", "31KiB"] {
            let fault = text.parse::<Rate>().unwrap_err();
            assert!(fault.to_string().contains("at least \"32KiB\""), "{fault}");
        }
        for text in ["", "fast", "2MB", "-1MiB", "2 MiB"] {
            text.parse::<Rate>().unwrap_err();
        }
    }
}
