//! The demo's lab: sites, files, a running centre, and the line between.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::ExitStatus,
};

use anyhow::Context as _;
use durable::Access;
use protocol::{
    kind::{ClaimMonth, Kind},
    party::{Party, Role},
};

use super::account::Account;
use crate::{
    command::this_month,
    generate::{Order, synthetic_institution, write_claims_file},
    program::Process,
    proxy::{FaultProxy, Plan},
    site::{CentreSite, SenderSite, Sites},
};

/// One file and who sends it.
pub struct Staged {
    /// What is in it.
    pub kind: Kind,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Who sends it.
    pub site: SenderSite,
}

/// Everything that is needed, set up and running.
pub struct Stage {
    /// The centre's directories.
    pub centre: CentreSite,
    /// The centre.
    pub process: Process,
    /// The line between hospital and centre.
    pub proxy: FaultProxy,
    /// 医科, 3 MB.
    pub medical: Staged,
    /// 調剤, 1 MB.
    pub pharmacy: Staged,
    /// DPC, 300 MB.
    pub dpc: Staged,
    /// The root of all evidence.
    pub evidence_root: PathBuf,
}

/// A sender whose line was cut waits this long before it tries again, at least half of it: time to look around.
const FIRST_WAIT: &str = "\"4s\"";

impl Stage {
    /// Sets it.
    pub async fn set(directory: &Path, account: &Account) -> anyhow::Result<Self> {
        let sites = Sites::create(directory)?;
        let centre = sites.centre("centre", &[("link.stall_max", "\"2s\"")])?;
        let evidence_root = sites.authority().root_pem();
        let arguments = ["run".as_ref(), "--config".as_ref(), centre.config.as_os_str()];
        let process = Process::start("sekisho-gateway", arguments)?;
        let address = process.says("where it listens", listening).await?;
        account.says(format!("the centre listens on {address}, its data in {}", centre.data.display()));

        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let proxy = FaultProxy::start(own, address, |_| Plan::clean()).await.context("the line")?;
        let party = |kind: Kind| Party::new(Role::Institution, synthetic_institution(13, kind.table(), 1));
        let waits = [
            ("link.stall_max", "\"2s\""),
            ("retry.first_wait", FIRST_WAIT),
            ("retry.longest_wait", FIRST_WAIT),
        ];
        let hospital = sites.sender("hospital", &party(Kind::Medical)?, proxy.address(), &waits)?;
        let chemist = sites.sender("pharmacy", &party(Kind::Pharmacy)?, address, &waits)?;

        let month = this_month()?;
        let medical = stage_file(Kind::Medical, &hospital, month, 3_000_000).await?;
        let pharmacy = stage_file(Kind::Pharmacy, &chemist, month, 1_000_000).await?;
        let dpc = stage_file(Kind::Dpc, &hospital, month, 300_000_000).await?;
        for file in [&medical, &pharmacy, &dpc] {
            account.says(format!("{} file of {} bytes, synthetic", file.kind.japanese(), file.bytes));
        }
        Ok(Stage { centre, process, proxy, medical, pharmacy, dpc, evidence_root })
    }

    /// The files, in the order in which they are sent.
    pub fn files(&self) -> impl Iterator<Item = &Staged> {
        [&self.medical, &self.pharmacy, &self.dpc].into_iter()
    }

    /// Tells the centre to stop, and waits until it has.
    pub async fn stop_centre(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate().await?;
        Ok(self.process.ended().await?)
    }
}

fn listening(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on ")?.parse().ok()
}

async fn stage_file(kind: Kind, site: &SenderSite, month: ClaimMonth, bytes: u64) -> anyhow::Result<Staged> {
    let code = site.identity.codes().first().context("a sender has a code")?.clone();
    let order = Order {
        kind,
        institution: code,
        payer: 1,
        claim_month: month,
        target_bytes: bytes,
        seed: bytes,
        planted: None,
    };
    let path = site.directory.join("outbox").join(kind.usual_file_name());
    let written = {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            if let Some(outbox) = path.parent() {
                durable::create_directory(outbox, Access::Private)?;
            }
            write_claims_file(&order, &mut durable::new_file(Access::Private).open(&path)?)
        })
    };
    let written = written.await?.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Staged { kind, path, bytes: written.bytes, site: site.clone() })
}
