//! A claims file: the verdict does not depend on how it was cut on its way. The first two bytes say how it is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::{claims::ClaimsCheck, kind::Kind};

fuzz_target!(|bytes: &[u8]| {
    let [first, second, content @ ..] = bytes else { return };
    let mut whole = ClaimsCheck::new();
    whole.update(content);
    let mut cut = ClaimsCheck::new();
    let (step, mut rest) = (usize::from(*first) + 1, content);
    let begin = usize::from(*second).min(rest.len());
    cut.update(&rest[..begin]);
    rest = &rest[begin..];
    for piece in rest.chunks(step) {
        cut.update(piece);
    }
    assert_eq!(whole.head(), cut.head());
    assert_eq!(whole.fault(), cut.fault());
    let (whole, cut) = (whole.finish(), cut.finish());
    assert_eq!(whole, cut);
    if let Ok(summary) = whole {
        assert_eq!(summary.bytes, content.len() as u64);
        assert!(summary.claims < summary.records);
        for kind in Kind::ALL {
            let _ = summary.facts(kind);
        }
    }
});
