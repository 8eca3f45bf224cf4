//! Claims files that are all different and share their memory.

use std::sync::Arc;

use anyhow::Context as _;
use lab::generate::{Order, write_claims_file};
use protocol::{
    digest::{Hasher, Sha256},
    kind::{ClaimMonth, Kind},
    party::Code,
};

/// The telephone number in the head of a generated file: no check looks at its digits, so they tell files apart.
const TELEPHONE: &[u8] = b"000-000-0000";

/// The claim month of every file here: year and month.
const CLAIM_MONTH: (u16, u8) = (2026, 10);

/// The kind of every file here.
pub const KIND: Kind = Kind::Dpc;

/// The claim month of every file here.
pub fn claim_month() -> anyhow::Result<ClaimMonth> {
    ClaimMonth::new(CLAIM_MONTH.0, CLAIM_MONTH.1).context("a month")
}

/// A valid claims file, of which others are made that differ in one field.
#[derive(Clone)]
pub struct Base {
    bytes: Arc<[u8]>,
    telephone_at: usize,
}

/// One of these files.
#[derive(Clone)]
pub struct Content {
    base: Base,
    telephone: [u8; TELEPHONE.len()],
}

impl Base {
    /// A file of this institution, of this many bytes and less than one claim more.
    pub fn new(institution: Code, target_bytes: u64) -> anyhow::Result<Self> {
        let order = Order {
            kind: KIND,
            institution,
            payer: 1,
            claim_month: claim_month()?,
            target_bytes,
            seed: 1,
            planted: None,
        };
        let mut bytes = Vec::with_capacity(usize::try_from(target_bytes)? + 64 * 1024);
        write_claims_file(&order, &mut bytes)?;
        let telephone_at =
            memchr::memmem::find(&bytes, TELEPHONE).context("a telephone number in the head")?;
        Ok(Base { bytes: bytes.into(), telephone_at })
    }

    /// The file of this number.
    pub fn number(&self, number: u32) -> Content {
        let digits =
            format!("{:03}-{:03}-{:04}", number / 10_000_000, number / 10_000 % 1000, number % 10_000);
        let mut telephone = [b'0'; TELEPHONE.len()];
        telephone.iter_mut().zip(digits.bytes()).for_each(|(to, from)| *to = from);
        Content { base: self.clone(), telephone }
    }
}

impl Content {
    /// Its bytes, in order.
    pub fn parts(&self) -> [&[u8]; 3] {
        let (head, rest) = self.base.bytes.split_at_checked(self.base.telephone_at).unwrap_or_default();
        [head, &self.telephone, rest.get(TELEPHONE.len()..).unwrap_or_default()]
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.base.bytes.len() as u64
    }

    /// Its hash.
    pub fn sha256(&self) -> Sha256 {
        let mut hasher = Hasher::new();
        self.parts().iter().for_each(|part| hasher.update(part));
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use lab::generate::synthetic_institution;

    use super::*;

    #[test]
    fn files_of_different_numbers_differ_and_keep_their_length() {
        let base = Base::new(synthetic_institution(13, b'1', 1), 20_000).unwrap();
        let (one, other) = (base.number(1), base.number(4_294_967_295));
        assert_ne!(one.sha256(), other.sha256());
        assert_eq!(one.parts().concat().len() as u64, one.length());
        assert_eq!(one.sha256(), Sha256::of(&one.parts().concat()));
        assert_eq!(other.parts()[1], b"429-496-7295");
    }
}
