//! Is the gateway alive, and can it do its work? `/ready` means that a good sender would get through now.

use protocol::moment::Moment;
use serde::{Deserialize, Serialize};

use crate::centre::Centre;

/// Whether the gateway takes work, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// It does.
    pub ready: bool,
    /// Stable words for what stands in the way.
    pub reasons: Vec<String>,
    /// Settings that weaken the gateway while they stand; it takes work all the same.
    pub dangers: Option<String>,
}

/// Is the process in a state in which waiting helps? If not it should be restarted.
pub fn is_live(centre: &Centre) -> bool {
    !centre.broken.is_cancelled()
}

/// Looks at everything that a transfer needs.
pub fn ready(centre: &Centre, now: Moment) -> Ready {
    let in_force = centre.in_force();
    let every_list_ended = in_force
        .trusts()
        .into_iter()
        .any(|(_, trust)| trust.crls().by_end().into_iter().all(|list| list.next_update() <= now));
    let own_ended = in_force.ends().into_iter().any(|(_, ends)| ends <= now);
    let reasons = [
        ("broken", centre.broken.is_cancelled()),
        ("draining", centre.stopping.is_cancelled()),
        ("ledger_failed", centre.ledger.is_poisoned()),
        ("spool_failed", centre.spool.is_poisoned()),
        ("inbox_failed", centre.inbox.is_poisoned()),
        ("revocation_lists_ended", every_list_ended),
        ("own_certificate_ended", own_ended),
        ("disk_full", centre.room.is_short(&in_force.config.limits)),
    ];
    let reasons: Vec<String> =
        reasons.into_iter().filter(|(_, true_now)| *true_now).map(|(reason, _)| reason.to_owned()).collect();
    Ready { ready: reasons.is_empty(), reasons, dangers: in_force.dangers() }
}
