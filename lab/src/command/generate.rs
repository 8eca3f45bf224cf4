//! `sekisho-lab generate`.

use std::path::PathBuf;

use anyhow::Context as _;
use durable::Access;
use protocol::{
    kind::{ClaimMonth, Kind},
    party::Code,
};

use super::size::Size;
use crate::generate::{Order, synthetic_institution, write_claims_file};

/// Options of `generate`.
#[derive(clap::Args)]
pub struct Generate {
    /// medical (医科), dpc (DPC) or pharmacy (調剤).
    #[arg(long)]
    kind: Kind,
    /// Who claims: ten digits, the third that of the kind's fee table [default: one in 東京 that nobody has].
    #[arg(long)]
    institution: Option<Code>,
    /// 審査支払機関: 1 = 支払基金, 2 = 国保連合会.
    #[arg(long, default_value_t = 1)]
    payer: u8,
    /// 請求年月, YYYYMM [default: this month].
    #[arg(long)]
    month: Option<ClaimMonth>,
    /// Length of the file, as 300MB or 3MiB; exceeded by less than one claim.
    #[arg(long, default_value = "1MB")]
    size: Size,
    /// The same seed gives the same file.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The file; must not exist yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Generate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let order = Order {
            kind: self.kind,
            institution: self.institution.unwrap_or_else(|| synthetic_institution(13, self.kind.table(), 1)),
            payer: self.payer,
            claim_month: self.month.map_or_else(this_month, Ok)?,
            target_bytes: self.size.0,
            seed: self.seed,
            planted: None,
        };
        let place = || format!("cannot write {}", self.out.display());
        let mut file = durable::new_file(Access::Private).open(&self.out).with_context(place)?;
        let written = write_claims_file(&order, &mut file).with_context(place)?;
        println!("{}: {} bytes, {} claims", self.out.display(), written.bytes, written.claims);
        Ok(())
    }
}

/// The month it is, in UTC.
pub(crate) fn this_month() -> anyhow::Result<ClaimMonth> {
    let today = pki::clock::now().to_string();
    let digits = format!("{}{}", today.get(..4).unwrap_or_default(), today.get(5..7).unwrap_or_default());
    digits.parse().with_context(|| format!("{today} is no claim month"))
}
