//! Numbers for a monitoring system, in Prometheus' text format. All of them are read when they are asked for; labels come
//! from words of this program or from the configuration, so that nobody outside can make more of them.

use std::{collections::BTreeMap, fmt};

use crate::{admin::Status, centre::Centre, counters::Reason, reload::Reloader};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

/// One metric: its name with its unit, what it says, and the names of its labels. Counters get `_total` when written.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Stable.
    pub name: &'static str,
    /// For people.
    pub help: &'static str,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    counts: bool,
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, help, labels, counts: false }
}

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric { name, help, labels, counts: true }
}

impl Metric {
    /// As it is written out.
    pub fn full_name(&self) -> String {
        if self.counts { format!("{}_total", self.name) } else { self.name.to_owned() }
    }
}

const INFO: Metric = gauge(
    "sekisho_info",
    "Always 1; version and environment stand in the labels",
    &["version", "environment"],
);
const READY: Metric = gauge("sekisho_ready", "1 if a good sender would get through now", &[]);
const CONNECTIONS: Metric =
    gauge("sekisho_connections_open", "Connections open, those in their handshake included", &[]);
const HANDSHAKES: Metric = gauge("sekisho_handshakes_running", "Handshakes under way", &[]);
const AUTHENTICATED: Metric = gauge("sekisho_connections_authenticated", "Connections of judged peers", &[]);
const ATTEMPTS: Metric = gauge("sekisho_attempts_running", "Attempts that bring content now", &[]);
const TURNED_DOWN: Metric = counter(
    "sekisho_turned_down",
    "What was turned down since the start, by where and why (docs/refusals.md)",
    &["stage", "reason"],
);
const TRANSFERS: Metric = gauge("sekisho_transfers", "Transfers in the ledger, by phase", &["phase"]);
const UNDELIVERED: Metric =
    gauge("sekisho_transfers_undelivered", "Transfers committed and not yet handed over", &[]);
const HELD: Metric = gauge("sekisho_delivery_held", "1 if nothing is handed over, by the operator", &[]);
const UNACKNOWLEDGED: Metric =
    gauge("sekisho_transfers_unacknowledged", "Transfers committed and not yet acknowledged", &[]);
const LOG_ENTRIES: Metric = gauge("sekisho_log_entries", "Entries in the centre's log", &[]);
const CERTIFICATE_END: Metric = gauge(
    "sekisho_certificate_not_after_timestamp_seconds",
    "When our own certificate ends, in seconds since 1970",
    &["section"],
);
const CRL_UPDATE: Metric = gauge(
    "sekisho_crl_this_update_timestamp_seconds",
    "When the revocation list in force was made, in seconds since 1970",
    &["section", "issuer"],
);
const CRL_END: Metric = gauge(
    "sekisho_crl_next_update_timestamp_seconds",
    "When the revocation list in force ends, in seconds since 1970",
    &["section", "issuer"],
);
const CRL_REVOKED: Metric = gauge(
    "sekisho_crl_revoked_certificates",
    "Certificates that the revocation list in force names",
    &["section", "issuer"],
);
const CRL_MISSING: Metric = gauge(
    "sekisho_crl_missing",
    "Authorities without a revocation list; nobody of theirs is let in",
    &["section"],
);
const CRL_FETCHES: Metric = counter(
    "sekisho_crl_fetches",
    "Fetches of revocation lists since the start, by what came of them",
    &["result"],
);
const RELOADS: Metric =
    counter("sekisho_reloads", "Reloads that took effect, and those that were refused", &["result"]);
const GENERATION: Metric = gauge(
    "sekisho_generation",
    "Number of what is in force; one more with each reload and each list that was fetched",
    &[],
);
const BLOCKED: Metric = gauge("sekisho_blocked", "Peers that are kept out by hand", &[]);
const DISK_FREE: Metric =
    gauge("sekisho_disk_free_bytes", "Bytes free on the disk that holds the data directory", &[]);

/// Every metric there is.
pub const ALL: &[Metric] = &[
    INFO,
    READY,
    CONNECTIONS,
    HANDSHAKES,
    AUTHENTICATED,
    ATTEMPTS,
    TURNED_DOWN,
    TRANSFERS,
    UNDELIVERED,
    HELD,
    UNACKNOWLEDGED,
    LOG_ENTRIES,
    CERTIFICATE_END,
    CRL_UPDATE,
    CRL_END,
    CRL_REVOKED,
    CRL_MISSING,
    CRL_FETCHES,
    RELOADS,
    GENERATION,
    BLOCKED,
    DISK_FREE,
];

/// One value of a metric, with the values of its labels.
struct Sample {
    metric: Metric,
    labels: Vec<String>,
    value: u64,
}

/// Everything, as it was when it was asked for.
#[derive(Default)]
struct Snapshot {
    samples: Vec<Sample>,
}

impl Snapshot {
    fn add(&mut self, metric: Metric, labels: &[&str], value: u64) {
        self.samples.push(Sample {
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            value,
        });
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("samples", &self.samples.len()).finish()
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in ALL {
            let kind = if metric.counts { MetricType::Counter } else { MetricType::Gauge };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, kind)?;
            for sample in self.samples.iter().filter(|sample| sample.metric.name == metric.name) {
                let labels = Labels { names: metric.labels, values: &sample.labels };
                if metric.counts {
                    ConstCounter::new(sample.value).encode(family.encode_family(&labels)?)?;
                } else {
                    let value = i64::try_from(sample.value).unwrap_or(i64::MAX);
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Labels<'s> {
    names: &'static [&'static str],
    values: &'s [String],
}

impl EncodeLabelSet for Labels<'_> {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelSetEncoder<'_>,
    ) -> Result<(), fmt::Error> {
        use prometheus_client::encoding::EncodeLabel as _;
        for (name, value) in self.names.iter().zip(self.values) {
            (*name, value.as_str()).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// All metrics as text. `status` is what the ledger says; without it those numbers are missing.
pub fn text(
    centre: &Centre,
    reloader: &Reloader,
    status: Option<&Status>,
    ready: bool,
) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot(centre, reloader, status, ready)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn snapshot(centre: &Centre, reloader: &Reloader, status: Option<&Status>, ready: bool) -> Snapshot {
    let in_force = centre.in_force();
    let mut all = Snapshot::default();
    all.add(INFO, &[env!("CARGO_PKG_VERSION"), centre.environment.name()], 1);
    all.add(READY, &[], u64::from(ready));
    all.add(CONNECTIONS, &[], u64::from(centre.gate.open()));
    all.add(HANDSHAKES, &[], centre.gate.handshakes() as u64);
    all.add(AUTHENTICATED, &[], centre.live.count() as u64);
    all.add(ATTEMPTS, &[], centre.attempts.count() as u64);
    for (stage, reason, count) in
        centre.counters.each(|(stage, reason): Reason, count| (stage, reason, count))
    {
        all.add(TURNED_DOWN, &[stage.name(), reason], count);
    }
    if let Some(status) = status {
        let phases: &BTreeMap<String, u64> = &status.transfers;
        for (phase, count) in phases {
            all.add(TRANSFERS, &[phase], *count);
        }
        all.add(UNDELIVERED, &[], status.undelivered);
        all.add(HELD, &[], u64::from(status.held));
        all.add(UNACKNOWLEDGED, &[], status.unacknowledged);
        all.add(LOG_ENTRIES, &[], status.log_entries);
    }
    for (section, ends) in in_force.ends() {
        all.add(CERTIFICATE_END, &[section], ends.unix_seconds());
    }
    for (result, count) in centre.crl_sources.counts() {
        all.add(CRL_FETCHES, &[result], count);
    }
    for (section, trust) in in_force.trusts() {
        all.add(CRL_MISSING, &[section], trust.missing().len() as u64);
        for list in trust.crls().by_end() {
            let labels = [section, list.issuer()];
            all.add(CRL_UPDATE, &labels, list.this_update().unix_seconds());
            all.add(CRL_END, &labels, list.next_update().unix_seconds());
            all.add(CRL_REVOKED, &labels, list.revoked_count() as u64);
        }
    }
    let (done, refused) = reloader.counts();
    all.add(RELOADS, &["done"], done);
    all.add(RELOADS, &["refused"], refused);
    all.add(GENERATION, &[], in_force.generation);
    all.add(BLOCKED, &[], centre.blocked.all().len() as u64);
    if let Some(free) = centre.room.free() {
        all.add(DISK_FREE, &[], free);
    }
    all
}
