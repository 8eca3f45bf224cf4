//! What benchmarks share: a centre in release, load for it, what its process costs, and how figures are shown.

pub mod flood;
pub mod load;
pub mod peers;
pub mod rows;
pub mod server;

use std::{fs, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use lab::{
    program::Process,
    site::{CentreSite, SenderSite},
};
use pki::{
    clock,
    credential::Credential,
    policy::Policy,
    tls::{TlsPolicy, client_config},
    trust::{Trust, TrustFiles},
};
use protocol::party::{Environment, Party};
use tokio_rustls::rustls::ClientConfig;

/// The kernel's unit of CPU time in /proc, the same on every Linux that Debian runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A centre that runs.
pub struct Centre {
    /// Its process.
    pub process: Process,
    /// Its number.
    pub id: u32,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Centre {
    /// Starts one and waits until it listens.
    pub async fn start(site: &CentreSite) -> anyhow::Result<Self> {
        let config = site.config.to_string_lossy().into_owned();
        let process = Process::start("sekisho-gateway", ["run", "--config", &config])?;
        let found = |line: &str| line.rsplit("listening on ").next()?.trim().parse().ok();
        let address = process.says("where it listens", found).await?;
        let id = process.id().context("the centre runs")?;
        Ok(Centre { process, id, address })
    }

    /// Tells it to stop, and waits until it has.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.terminate().await?;
        self.process.ended().await?;
        Ok(())
    }
}

/// What connections with a sender's certificate are made with.
pub fn sender_config(
    site: &SenderSite,
    centre: &Party,
    policy: TlsPolicy,
) -> anyhow::Result<Arc<ClientConfig>> {
    let tls = site.directory.join("tls");
    let own = Credential::load(&tls.join("certificate.pem"), &tls.join("key.pem"), &Policy::default())?;
    let files = TrustFiles {
        anchors: vec![tls.join("root.pem")],
        issuers: vec![tls.join("issuing.pem")],
        crls: vec![tls.join("root.crl"), tls.join("issuing.crl")],
        fetched: vec![],
    };
    let trust = Trust::load(&files, Policy::default(), clock::now())?;
    Ok(client_config(&own, Arc::new(trust), centre.clone(), Environment::Test, policy)?)
}

/// User and system time of a process (proc(5), /proc/PID/stat fields 14 and 15).
pub fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("a stat line")?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (times.next().context("utime")??, times.next().context("stime")??);
    Ok((user + system) / TICKS_PER_SECOND)
}

/// The same of this process: of a load, and of the backend that runs in it.
pub fn own_cpu_seconds() -> anyhow::Result<f64> {
    cpu_seconds(std::process::id())
}

/// Memory of a process in MiB: now, and at most so far.
pub fn memory_mib(id: u32) -> anyhow::Result<(f64, f64)> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let field = |name: &str| -> anyhow::Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a field of status")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

/// Prints median, least and most of what was measured.
pub fn line(what: &str, values: impl IntoIterator<Item = f64>) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    if let (Some(least), Some(median), Some(most)) =
        (values.first(), values.get(values.len() / 2), values.last())
    {
        println!("{what:<58} {median:.2} ({least:.2}-{most:.2})");
    }
}
