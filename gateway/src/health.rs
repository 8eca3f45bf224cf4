//! Is the gateway alive, and can it do its work? `/ready` means that a good sender would get through now.

use pki::trust::Trust;
use protocol::moment::Moment;
use serde::{Deserialize, Serialize};

use crate::{
    centre::Centre,
    in_force::{InForce, sections},
};

/// Whether the gateway takes work, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// It does.
    pub ready: bool,
    /// Stable words for what stands in the way.
    pub reasons: Vec<String>,
    /// Settings that weaken the gateway while they stand; it takes work all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dangers: Option<String>,
    /// The authorities without a revocation list, each with what stands in the way and the next step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_lists: Vec<String>,
}

/// Is the process in a state in which waiting helps? If not it should be restarted.
pub fn is_live(centre: &Centre) -> bool {
    !centre.broken.is_cancelled()
}

/// Looks at everything that a transfer needs.
pub fn ready(centre: &Centre, now: Moment) -> Ready {
    let in_force = centre.in_force();
    let closed = closed(&in_force, now);
    let missing_lists = missing_lists(centre, &in_force);
    let own_ended = in_force.ends().into_iter().any(|(_, ends)| ends <= now);
    let reasons = [
        ("broken", centre.broken.is_cancelled()),
        ("draining", centre.stopping.is_cancelled()),
        ("ledger_failed", centre.ledger.is_poisoned()),
        ("spool_failed", centre.spool.is_poisoned()),
        ("inbox_failed", centre.inbox.is_poisoned()),
        ("revocation_lists_ended", closed.iter().any(|trust| trust.missing().is_empty())),
        ("revocation_list_missing", closed.iter().any(|trust| !trust.missing().is_empty())),
        ("own_certificate_ended", own_ended),
        ("disk_full", centre.room.is_short(&in_force.config.limits)),
    ];
    let reasons: Vec<String> =
        reasons.into_iter().filter(|(_, true_now)| *true_now).map(|(reason, _)| reason.to_owned()).collect();
    Ready { ready: reasons.is_empty(), reasons, dangers: in_force.dangers(), missing_lists }
}

/// What keeps every sender out for want of lists: that of all listeners, if none of them can let anybody in, and that of
/// evidence. One listener that is closed keeps nobody from the others.
fn closed(in_force: &InForce, now: Moment) -> Vec<&Trust> {
    let is_closed = |trust: &&Trust| !trust.can_let_in(now);
    let mut listeners: Vec<&Trust> = in_force.listeners().iter().map(|listener| listener.trust()).collect();
    if !listeners.iter().all(is_closed) {
        listeners.clear();
    }
    listeners.extend(Some(in_force.evidence_trust()).filter(is_closed));
    listeners
}

/// One text for each authority without a list.
fn missing_lists(centre: &Centre, in_force: &InForce) -> Vec<String> {
    let config = &in_force.config;
    let sources = centre.crl_sources.all();
    let of = |(section, trust): (&str, &Trust)| {
        let files = sections(config).find(|(name, _)| name == section);
        let urls = files.map(|(_, files)| files.crl_urls.as_slice()).unwrap_or_default();
        let why = |url| {
            let (_, text) = sources.get(url)?.failing.as_ref()?;
            Some(format!("{url}: {text}"))
        };
        let why: Vec<String> = urls.iter().filter_map(why).collect();
        let why = if why.is_empty() {
            "next: name the address of its list under crl_urls".to_owned()
        } else {
            why.join("; ")
        };
        let text = |issuer| format!("[{section}] {issuer}: {why}");
        trust.missing().into_iter().map(text).collect::<Vec<_>>()
    };
    in_force.trusts().into_iter().flat_map(of).collect()
}
