//! The streaming check: whole-block searches, and single records only where their content matters.
//!
//! Bytes are taken in blocks that fit the first-level cache, and each question is one vectorised search over the block:
//! end mark, line ends, claims, totals, DPC records. Only the first record, the GO record and a record cut by a block
//! border are looked at by themselves; of those the beginning is kept, so that memory stays constant.

use std::fmt;

use memchr::{memchr, memchr_iter, memrchr};

use super::{
    fault::{Fault, Warning},
    head::{Head, HeadRecord},
    search::{CLAIM, DPC, RECORD_LENGTH_MAX, RecordIds, TOTAL, has_long_record, split_line},
    summary::Summary,
    total::{self, Total},
};

/// How much of the beginning of a single record is kept, in bytes. The first record needs at most 120, GO 30.
const KEPT_MAX: usize = 512;

/// Bytes searched at a time: small enough that the second and every further search finds them in a 48 KiB L1 cache.
const BLOCK: usize = 32 * 1024;

/// EOF, the one byte after the last record.
const END_MARK: u8 = 0x1A;
const CR: u8 = b'\r';
const LF: u8 = b'\n';

/// What the file must bring next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaiting {
    /// The first record.
    Head,
    /// Any record.
    Record,
    /// The end mark: GO was the last record.
    EndMark,
    /// No byte: the end mark was seen.
    Nothing,
}

/// Checks a claims file while it arrives. Constant in size, indifferent to how the bytes are cut into chunks.
#[derive(Clone)]
pub struct ClaimsCheck {
    awaiting: Awaiting,
    open: OpenRecord,
    ids: RecordIds,
    /// The byte before the next one; at the start the file counts as following a line end.
    previous: u8,
    bytes: u64,
    records: u64,
    claims: u64,
    is_dpc: bool,
    odd_line_ends: bool,
    head: Option<Head>,
    total: Option<Total>,
    fault: Option<Fault>,
}

impl Default for ClaimsCheck {
    fn default() -> Self {
        ClaimsCheck::new()
    }
}

impl fmt::Debug for ClaimsCheck {
    /// Counts only: the kept beginning of a record may hold a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimsCheck")
            .field("bytes", &self.bytes)
            .field("records", &self.records)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

impl ClaimsCheck {
    /// A check before the first byte.
    pub fn new() -> Self {
        ClaimsCheck {
            awaiting: Awaiting::Head,
            open: OpenRecord { start: [0; KEPT_MAX], length: 0, last: LF },
            ids: RecordIds::new(),
            previous: LF,
            bytes: 0,
            records: 0,
            claims: 0,
            is_dpc: false,
            odd_line_ends: false,
            head: None,
            total: None,
            fault: None,
        }
    }

    /// Takes the next bytes. After a fault nothing more is looked at.
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK) {
            if self.fault.is_some() {
                return;
            }
            if let Err(fault) = self.block(block) {
                self.fault = Some(fault);
            }
        }
    }

    /// The first record, as soon as it was seen whole, so that a receiver can refuse before the rest arrives.
    pub fn head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    /// The fault that no further byte can mend, as soon as it is known. Only [`ClaimsCheck::finish`] can tell
    /// [`Fault::Empty`] and [`Fault::NoEndMark`].
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// The verdict, once every byte was given to [`ClaimsCheck::update`].
    pub fn finish(self) -> Result<Summary, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.bytes == 0 {
            return Err(Fault::Empty);
        }
        if self.awaiting != Awaiting::Nothing {
            return Err(Fault::NoEndMark);
        }
        let head = self.head.ok_or(Fault::NotAClaimsFile)?;
        let total = self.total.ok_or(Fault::NoTotal)?;
        let mut warnings: Vec<Warning> = head.warnings().collect();
        if self.claims > total.claims && !self.is_dpc {
            warnings.push(Warning::ClaimCountAboveTotal);
        }
        if self.odd_line_ends {
            warnings.push(Warning::LineEnds);
        }
        Ok(Summary {
            head,
            claims: self.claims,
            records: self.records,
            total_claims: total.claims,
            total_points: total.points,
            bytes: self.bytes,
            is_dpc: self.is_dpc,
            warnings,
        })
    }

    /// One block, in which the end mark may stand once.
    fn block(&mut self, block: &[u8]) -> Result<(), Fault> {
        self.bytes += block.len() as u64;
        if self.awaiting == Awaiting::Nothing {
            return Err(Fault::BytesAfterEnd);
        }
        let Some((records, after)) = memchr(END_MARK, block).and_then(|at| block.split_at_checked(at)) else {
            return self.records(block);
        };
        self.records(records)?;
        self.end_mark()?;
        if after.len() > 1 { Err(Fault::BytesAfterEnd) } else { Ok(()) }
    }

    fn end_mark(&mut self) -> Result<(), Fault> {
        if self.open.length > 0 {
            return Err(Fault::EndMarkInRecord);
        }
        match self.awaiting {
            Awaiting::Head => Err(Fault::NotAClaimsFile),
            Awaiting::Record => Err(Fault::NoTotal),
            Awaiting::EndMark | Awaiting::Nothing => {
                self.awaiting = Awaiting::Nothing;
                Ok(())
            }
        }
    }

    /// Part of a block without end mark: the rest of an open record, whole records, the beginning of the next.
    fn records(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.line_ends(bytes);
        let mut rest = bytes;
        if self.awaiting == Awaiting::Head || self.open.length > 0 {
            let Some((record, after)) = split_line(rest) else { return self.hold(rest) };
            self.single(record)?;
            rest = after;
        }
        if let Some((whole, after)) = memrchr(LF, rest).and_then(|at| rest.split_at_checked(at + 1)) {
            self.whole_records(whole)?;
            rest = after;
        }
        self.hold(rest)
    }

    /// Counts records, and notes a CR without LF behind it or an LF without CR before it.
    fn line_ends(&mut self, bytes: &[u8]) {
        let Some((&first, following)) = bytes.split_first() else { return };
        self.records += memchr_iter(LF, bytes).count() as u64;
        let apart = |before: u8, after: u8| (before == CR) ^ (after == LF);
        // No early exit: the plain loop over all pairs is what the compiler turns into vector instructions.
        self.odd_line_ends |=
            bytes.iter().zip(following).fold(apart(self.previous, first), |odd, (b, a)| odd | apart(*b, *a));
        self.previous = bytes.last().copied().unwrap_or(first);
    }

    /// Records that begin and end within the bytes. Any of them may be GO, and then it must be the last.
    fn whole_records(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.awaiting == Awaiting::EndMark && !bytes.is_empty() {
            return Err(Fault::TotalNotLast);
        }
        let (body, from_total) = match self.ids.total.first(bytes) {
            Some(at) => bytes.split_at_checked(at).unwrap_or((bytes, &[])),
            None => (bytes, &[][..]),
        };
        if has_long_record(body) {
            return Err(Fault::LineTooLong);
        }
        self.claims += self.ids.claim.count(body);
        self.is_dpc = self.is_dpc || self.ids.dpc.first(body).is_some();
        match split_line(from_total) {
            None => Ok(()),
            Some((record, after)) => {
                self.single(record)?;
                if after.is_empty() { Ok(()) } else { Err(Fault::TotalNotLast) }
            }
        }
    }

    /// Bytes of a record whose end is not there yet.
    fn hold(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.awaiting == Awaiting::EndMark {
            return Err(Fault::TotalNotLast);
        }
        self.open.push(bytes);
        if self.awaiting == Awaiting::Head && !HeadRecord::may_begin_with(self.open.start()) {
            return Err(Fault::NotAClaimsFile);
        }
        if self.open.length >= RECORD_LENGTH_MAX { Err(Fault::LineTooLong) } else { Ok(()) }
    }

    /// The end of a single record, given without its LF; what came of it before is open.
    fn single(&mut self, ending: &[u8]) -> Result<(), Fault> {
        self.hold(ending)?;
        let record = self.open.start();
        let record = record.strip_suffix(&[CR]).unwrap_or(record);
        match (self.awaiting, record.first_chunk::<3>()) {
            (Awaiting::Head, _) => {
                self.head = Some(Head::parse(record)?);
                self.awaiting = Awaiting::Record;
            }
            (_, Some(TOTAL)) => {
                if self.open.last != CR {
                    return Err(Fault::LineEnd);
                }
                self.total = Some(total::parse(record)?);
                self.awaiting = Awaiting::EndMark;
            }
            (_, Some(CLAIM)) => self.claims += 1,
            (_, Some(DPC)) => self.is_dpc = true,
            _ => {}
        }
        self.open.length = 0;
        Ok(())
    }
}

/// A record looked at by itself: its first bytes, and how long it is so far.
#[derive(Clone)]
struct OpenRecord {
    start: [u8; KEPT_MAX],
    /// Bytes so far, kept or not. Zero: no record is open.
    length: usize,
    /// The last of them.
    last: u8,
}

impl OpenRecord {
    fn push(&mut self, bytes: &[u8]) {
        if let Some(free) = self.start.get_mut(self.length..) {
            for (place, byte) in free.iter_mut().zip(bytes) {
                *place = *byte;
            }
        }
        self.length += bytes.len();
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    fn start(&self) -> &[u8] {
        self.start.get(..self.length).unwrap_or(&self.start)
    }
}
