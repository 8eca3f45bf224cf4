//! Claims files in memory.

use lab::generate::{Order, write_claims_file};
use protocol::{kind::Kind, party::Party};

/// 請求年月 of every file here.
pub const CLAIM_MONTH: &str = "202610";

/// A claims file of this sender, of about this many bytes.
pub fn claims_file(kind: Kind, sender: &Party, bytes: u64, seed: u64) -> Vec<u8> {
    written(&order(kind, sender, bytes, seed))
}

/// As [`claims_file`], with this text in every claim where a patient's name stands.
pub fn claims_file_about(kind: Kind, sender: &Party, bytes: u64, name: &str) -> Vec<u8> {
    written(&Order { planted: Some(name.to_owned()), ..order(kind, sender, bytes, 1) })
}

/// What to write.
pub fn order(kind: Kind, sender: &Party, bytes: u64, seed: u64) -> Order {
    Order {
        kind,
        institution: sender.code().clone(),
        payer: 1,
        claim_month: CLAIM_MONTH.parse().unwrap(),
        target_bytes: bytes,
        seed,
        planted: None,
    }
}

fn written(order: &Order) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_claims_file(order, &mut bytes).unwrap();
    bytes
}
