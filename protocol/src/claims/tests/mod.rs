//! Claims of the claims check, one per test, and the small files they are made on.

mod chunks;
mod facts;
mod faults;
mod warnings;

use super::{ClaimsCheck, Fault, Summary};

/// 架空病院, 東京, 医科, to 支払基金, for 2026-10.
const HEAD: &str = "UK,1,13,1,0000018,,X,202610,,00";

/// Records with CR LF and the end mark.
fn file(records: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> =
        records.iter().flat_map(|record| [record.as_bytes(), b"\r\n"].concat()).collect();
    bytes.push(0x1A);
    bytes
}

/// A small complete file with two claims and one line of Shift_JIS text (架空　太郎).
fn complete() -> Vec<u8> {
    let mut bytes =
        b"UK,1,13,1,0000018,,X,202610,,00\r\nIR,1,13,1,0000018,,X,202610,00,\r\nRE,1,1112,202609,".to_vec();
    bytes.extend_from_slice(b"\x89\xCB\x8B\xF3\x81\x40\x91\xBE\x98\x59");
    bytes.extend_from_slice(
        b",1\r\nHO,06132013\r\nRE,2,1112\r\nHO,01130012\r\nZZ,new\r\nGO,3,1234,99\r\n\x1A",
    );
    bytes
}

fn check(bytes: &[u8]) -> Result<Summary, Fault> {
    check_in_chunks([bytes])
}

fn check_in_chunks<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Summary, Fault> {
    let mut check = ClaimsCheck::new();
    chunks.into_iter().for_each(|chunk| check.update(chunk));
    check.finish()
}
