//! The GO record (診療報酬請求書): what the claims software says it wrote.

use super::fault::Fault;

/// Longest 総件数 or 総合計点数 that is read. The specification allows 6 and 10 digits; 15 leaves room for its next
/// edition and still fits every JSON reader's whole numbers (below 2^53).
const DIGITS_MAX: usize = 15;

/// マルチボリューム識別情報 of the last or only volume.
const LAST_VOLUME: &[u8] = b"99";

/// The totals of a last volume.
#[derive(Clone, Copy)]
pub(super) struct Total {
    /// 総件数: claims to 医保 and to each 公費 counted apart.
    pub(super) claims: u64,
    /// 総合計点数: points of the main insurance.
    pub(super) points: u64,
}

/// Reads `GO,総件数,総合計点数,99`, without its line end. Further fields are left alone.
pub(super) fn parse(record: &[u8]) -> Result<Total, Fault> {
    let mut fields = record.split(|byte| *byte == b',').skip(1);
    let claims = fields.next().and_then(number).ok_or(Fault::BadTotal)?;
    let points = fields.next().and_then(number).ok_or(Fault::BadTotal)?;
    match fields.next() {
        Some(LAST_VOLUME) => Ok(Total { claims, points }),
        _ => Err(Fault::VolumeIncomplete),
    }
}

fn number(field: &[u8]) -> Option<u64> {
    if field.is_empty() || field.len() > DIGITS_MAX {
        return None;
    }
    field.iter().try_fold(0u64, |sum, byte| Some(sum * 10 + u64::from(char::from(*byte).to_digit(10)?)))
}
