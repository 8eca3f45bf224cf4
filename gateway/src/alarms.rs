//! Ends that come nearer: revocation lists and our own certificates. Each threshold is said once, loudly, before the day
//! on which it keeps everybody out.

use std::collections::HashMap;

use protocol::moment::Moment;

use crate::in_force::InForce;

const HOUR_MS: i64 = 60 * 60 * 1000;

/// Hours before the end of a revocation list at which somebody is told.
const CRL_HOURS: [i64; 3] = [72, 24, 6];

/// Hours before the end of our own certificate: a renewal takes people and letters, so the first comes two months early.
const CERTIFICATE_HOURS: [i64; 4] = [60 * 24, 14 * 24, 3 * 24, 24];

/// What was said last of each end: how many of its thresholds had passed.
#[derive(Default)]
pub struct Alarms {
    said: HashMap<(String, String, Moment), usize>,
}

/// One end that is near.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// `crl` or `certificate`.
    pub what: &'static str,
    /// Of which section of the configuration.
    pub section: String,
    /// Whose list; empty for a certificate.
    pub issuer: String,
    /// When it ends.
    pub ends: Moment,
    /// Whole hours until then; negative once it is over.
    pub hours_left: i64,
}

impl Alarms {
    /// What has to be said now and was not said before.
    pub fn due(&mut self, in_force: &InForce, now: Moment) -> Vec<Alarm> {
        let lists = in_force.trusts().into_iter().flat_map(|(section, trust)| {
            let of = move |issuer: &str, ends| {
                ("crl", section.to_owned(), issuer.to_owned(), ends, &CRL_HOURS[..])
            };
            trust.crls().by_end().into_iter().map(move |list| of(list.issuer(), list.next_update()))
        });
        let own = in_force.ends().into_iter().map(|(section, ends)| {
            ("certificate", section.to_owned(), String::new(), ends, &CERTIFICATE_HOURS[..])
        });
        let ends: Vec<_> = lists.chain(own).collect();
        // What was replaced is forgotten.
        self.said.retain(|(section, issuer, at), _| {
            ends.iter().any(|(_, s, i, ends, _)| s == section && i == issuer && ends == at)
        });
        ends.into_iter()
            .filter_map(|(what, section, issuer, ends, thresholds)| {
                let left = ends.ms_since(now);
                // The end itself is the last threshold.
                let passed = thresholds.iter().chain(&[0]).filter(|hours| left <= *hours * HOUR_MS).count();
                let said = self.said.entry((section.clone(), issuer.clone(), ends)).or_default();
                let due = passed > *said;
                *said = passed;
                due.then(|| Alarm { what, section, issuer, ends, hours_left: left.div_euclid(HOUR_MS) })
            })
            .collect()
    }
}

/// Says them in the log.
pub fn say(alarms: &[Alarm]) {
    for Alarm { what, section, issuer, ends, hours_left } in alarms {
        match (*what, *hours_left < 0) {
            ("crl", false) => tracing::warn!(
                section, issuer, %ends, hours_left,
                "a revocation list ends soon; without a newer one nobody of its issuer is let in"
            ),
            ("crl", true) => tracing::error!(
                section, issuer, %ends,
                "a revocation list has ended; nobody of its issuer is let in until a newer one is here"
            ),
            (_, false) => {
                tracing::warn!(section, %ends, hours_left, "our own certificate ends soon; renew it")
            }
            (_, true) => tracing::error!(section, %ends, "our own certificate has ended"),
        }
    }
}
