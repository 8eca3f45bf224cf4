//! The searches of the check: records of one id, the end of a line, records past their limit.

use memchr::{memchr, memmem, memrchr};

/// Longest record in bytes, its line end included. The longest the 記録条件仕様 allows is an SJ record with 2400 bytes of
/// text; more than three times that is no claims file any more.
pub const RECORD_LENGTH_MAX: usize = 8 * 1024;

const LF: u8 = b'\n';

/// RE: one claim of one patient.
pub(super) const CLAIM: &[u8; 3] = b"RE,";
/// GO: the total.
pub(super) const TOTAL: &[u8; 3] = b"GO,";
/// BU: 診断群分類, which only DPC files have.
pub(super) const DPC: &[u8; 3] = b"BU,";

/// The records that are told apart, each with its prepared search.
#[derive(Clone)]
pub(super) struct RecordIds {
    pub(super) claim: RecordId,
    pub(super) total: RecordId,
    pub(super) dpc: RecordId,
}

impl RecordIds {
    pub(super) fn new() -> Self {
        RecordIds {
            claim: RecordId { id: CLAIM, after_line_end: memmem::Finder::new(b"\nRE,") },
            total: RecordId { id: TOTAL, after_line_end: memmem::Finder::new(b"\nGO,") },
            dpc: RecordId { id: DPC, after_line_end: memmem::Finder::new(b"\nBU,") },
        }
    }
}

/// Finds records of one id in bytes that begin where a record begins.
#[derive(Clone)]
pub(super) struct RecordId {
    id: &'static [u8; 3],
    after_line_end: memmem::Finder<'static>,
}

impl RecordId {
    /// Where the first one begins.
    pub(super) fn first(&self, records: &[u8]) -> Option<usize> {
        if records.starts_with(self.id) {
            return Some(0);
        }
        self.after_line_end.find(records).map(|line_end| line_end + 1)
    }

    /// How many there are.
    pub(super) fn count(&self, records: &[u8]) -> u64 {
        let first = u64::from(records.starts_with(self.id));
        first + self.after_line_end.find_iter(records).count() as u64
    }
}

/// Up to the first LF, which belongs to neither part, and from there on.
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(memchr(LF, bytes)?)?;
    Some((line, rest.get(1..)?))
}

/// Is any of these whole records too long? Leaps from the last line end within reach to the next, so it reads little.
pub(super) fn has_long_record(mut records: &[u8]) -> bool {
    while let Some((reach, _)) = records.split_at_checked(RECORD_LENGTH_MAX) {
        match memrchr(LF, reach).and_then(|at| records.get(at + 1..)) {
            Some(rest) => records = rest,
            None => return true,
        }
    }
    false
}
