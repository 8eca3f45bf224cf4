//! Is this machine's clock behind? A receipt that is kept here and is dated later than now says so: a centre signed it
//! before now. A machine whose battery ran out finds every certificate not yet valid, and this is the only thing on it that
//! knows better.

use std::path::Path;

use protocol::{jws::Unverified, moment::Moment, statement::Receipt};

use crate::{
    limits::CLOCK_REMARK_MS,
    store::{RECEIPT, StoreFault, transfers_in},
};

/// The latest time at which a centre stored anything, by receipts in this state directory.
fn latest_receipt(data: &Path) -> Result<Option<Moment>, StoreFault> {
    let mut latest = None;
    for transfer in transfers_in(data)? {
        let Some(text) = transfer.text(RECEIPT)? else { continue };
        // It was verified before it was kept.
        let stored_at = Unverified::<Receipt>::parse(&text).ok().map(|receipt| receipt.claimed().stored_at);
        latest = latest.max(stored_at);
    }
    Ok(latest)
}

/// Milliseconds that the clock is behind a centre's, at least, as it stands `now`; nothing if that is not worth a remark,
/// or not known.
pub fn behind_ms(data: &Path, now: Moment) -> Option<i64> {
    let latest = latest_receipt(data).ok()??;
    Some(latest.ms_since(now)).filter(|behind| *behind >= CLOCK_REMARK_MS)
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        Filing, Unwatched,
        testing::{
            centre::FakeCentre,
            desk::{client, file_in},
        },
    };

    #[tokio::test]
    async fn a_clock_that_stands_before_a_receipt_that_is_kept_is_behind() {
        let directory = tempfile::tempdir().unwrap();
        let (data, file) = (directory.path().join("data"), file_in(directory.path(), 2));
        assert_eq!(behind_ms(&data, Moment::from_unix_ms(0)), None, "nothing is known yet");
        let centre = FakeCentre::start().await;
        let client = client(&data, centre.address);
        client.send(&file, Filing::default(), &Unwatched, &CancellationToken::new()).await.unwrap();
        let stored = latest_receipt(&data).unwrap().unwrap();
        let before = |ms| Moment::from_unix_ms(stored.unix_ms() - ms);
        assert_eq!(behind_ms(&data, before(3_600_000)), Some(3_600_000));
        assert_eq!(behind_ms(&data, before(CLOCK_REMARK_MS - 1)), None);
    }
}
