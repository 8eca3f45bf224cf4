//! What `check` says of revocation lists: how old each is, when it ends, and which are not here yet. Without the network:
//! of those that are fetched, what was kept.

use std::fmt::Write as _;

use protocol::moment::Moment;

use crate::{chain::chain, in_force::InForce};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// What there is to say.
pub struct Lists {
    /// One line for each list, and for each that is missing or was left out.
    pub text: String,
    /// Those that are missing or have ended.
    pub lacking: Vec<String>,
}

/// Looks at the lists of every section.
pub fn look(in_force: &InForce, now: Moment) -> Lists {
    let (mut text, mut lacking) = (String::new(), Vec::new());
    for (section, trust) in in_force.trusts() {
        for list in trust.crls().by_end() {
            let (made, ends) = (now.ms_since(list.this_update()), list.next_update().ms_since(now));
            if ends <= 0 {
                lacking.push(format!("that of {} under [{section}] has ended", list.issuer()));
            }
            let ends = if ends > 0 { format!("ends in {}", span(ends)) } else { "HAS ENDED".to_owned() };
            // Writing into a String does not fail.
            let _ = writeln!(
                text,
                "  the list of {} under [{section}]: number {}, made {} ago, {ends}",
                list.issuer(),
                list.number(),
                span(made)
            );
        }
        for fault in trust.left_out() {
            let _ = writeln!(
                text,
                "× a list that was fetched under [{section}] cannot be used: {}",
                chain(fault)
            );
        }
        for issuer in trust.missing() {
            lacking.push(format!("that of {issuer} under [{section}] is missing"));
            let _ = writeln!(
                text,
                "× the list of {issuer} under [{section}] is not here yet: nobody of this issuer is let in until it is \
                 fetched; `sekisho-gateway status` says what stands in the way"
            );
        }
    }
    Lists { text, lacking }
}

/// In hours, and days where there are many.
fn span(ms: i64) -> String {
    let hours = ms.div_euclid(HOUR_MS);
    if hours < 48 { format!("{hours} h") } else { format!("{} days", hours / 24) }
}
