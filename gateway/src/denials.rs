//! Refusals after authentication have one audit entry each, but no identity can fill the log with them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use protocol::{moment::Moment, party::Identity};

use crate::limits::{DENIALS_PER_MINUTE_MAX, DENIED_IDENTITIES_MAX};

const MINUTE_MS: i64 = 60_000;

/// Remembers who caused how many entries in the current minute.
#[derive(Default)]
pub struct Denials {
    minute: Mutex<(i64, HashMap<Identity, u32>)>,
}

impl Denials {
    /// Counts a refusal; may it have an entry of its own?
    pub fn may_record(&self, identity: &Identity, now: Moment) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        let current = now.unix_ms() / MINUTE_MS;
        if minute.0 != current || minute.1.len() >= DENIED_IDENTITIES_MAX {
            *minute = (current, HashMap::new());
        }
        let count = minute.1.entry(identity.clone()).or_default();
        *count = count.saturating_add(1);
        *count <= DENIALS_PER_MINUTE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identity_cannot_fill_the_log_and_the_next_minute_is_a_new_one() {
        let denials = Denials::default();
        let greedy = Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap();
        let other = Identity::from_uri("urn:sekisho:test:institution:1310000026").unwrap();
        let now = Moment::from_unix_ms(0);
        let recorded = (0..1000).filter(|_| denials.may_record(&greedy, now)).count();
        assert_eq!(recorded, DENIALS_PER_MINUTE_MAX as usize);
        assert!(denials.may_record(&other, now));
        assert!(denials.may_record(&greedy, Moment::from_unix_ms(MINUTE_MS)));
    }
}
