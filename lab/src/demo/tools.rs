//! The commands that the demo runs, as a person would, and what they print.

use std::{ffi::OsStr, path::Path};

use anyhow::{Context as _, ensure};
use protocol::{
    cause::Cause, digest::Sha256, entry::Entry, kind::Kind, moment::Moment, transfer_id::TransferId,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{report::Transfer, stage::Staged};
use crate::{
    program::Process,
    site::{CentreSite, SenderSite},
};

/// What `sekisho status --json` says of a transfer, as far as it is needed here.
#[derive(Debug, Deserialize)]
pub struct Told {
    /// Its name.
    #[serde(rename = "transfer")]
    pub id: TransferId,
    /// What is in it.
    pub kind: Kind,
    /// Its length.
    pub bytes: u64,
    /// Of its content.
    pub sha256: Sha256,
    /// Where it stands.
    #[serde(rename = "phase")]
    pub state: String,
    /// Every attempt.
    pub attempts: Vec<Attempt>,
    /// All evidence, once it arrived.
    pub bundle: Option<std::path::PathBuf>,
}

/// One attempt, by the sender's word.
#[derive(Debug, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// Its first byte.
    pub offset: u64,
    /// When it ended.
    pub ended: Option<Moment>,
    /// Why it ended early.
    pub cause: Option<Cause>,
}

#[derive(Deserialize)]
struct Transfers {
    transfers: Vec<Told>,
}

/// `sekisho send`, for a file that arrives.
pub async fn send(file: &Staged) -> anyhow::Result<Told> {
    let settings = &file.site.settings;
    let arguments = [
        "send".as_ref(),
        "--json".as_ref(),
        "--settings".as_ref(),
        settings.as_os_str(),
        file.path.as_os_str(),
    ];
    output("sekisho", arguments).await?;
    status(file).await
}

/// `sekisho send`, still running.
pub fn begin_to_send(file: &Staged) -> anyhow::Result<Process> {
    let settings = &file.site.settings;
    let arguments = ["send".as_ref(), "--settings".as_ref(), settings.as_os_str(), file.path.as_os_str()];
    Ok(Process::start("sekisho", arguments)?)
}

/// What `sekisho status` says of this file's transfer.
pub async fn status(file: &Staged) -> anyhow::Result<Told> {
    let arguments = ["status", "--json", "--settings"].map(OsStr::new);
    let known: Transfers =
        json("sekisho", arguments.into_iter().chain([file.site.settings.as_os_str()])).await?;
    let own = |transfer: &Told| transfer.kind == file.kind;
    known.transfers.into_iter().find(own).context("`sekisho status` does not know of the transfer")
}

/// `sekisho verify` with the file.
pub async fn verify(transfer: &Transfer, file: &Staged, root: &Path) -> anyhow::Result<()> {
    let arguments = [
        "verify".as_ref(),
        "--json".as_ref(),
        transfer.bundle.as_os_str(),
        file.path.as_os_str(),
        "--anchors".as_ref(),
        root.as_os_str(),
    ];
    #[derive(Deserialize)]
    struct Verdict {
        ok: bool,
        verified: Evidence,
    }
    #[derive(Deserialize)]
    struct Evidence {
        transfer_id: TransferId,
        sha256: Sha256,
        file_checked: bool,
        acknowledged: bool,
    }
    let Verdict { ok, verified: evidence } = json("sekisho", arguments).await?;
    ensure!(ok && evidence.file_checked, "the evidence of {} was not verified with its file", transfer.id);
    ensure!(evidence.acknowledged, "the receipt of {} was not acknowledged", transfer.id);
    ensure!(
        (evidence.transfer_id, evidence.sha256) == (transfer.id, transfer.sha256),
        "the evidence of {} speaks of something else",
        transfer.id
    );
    Ok(())
}

/// `sekisho log verify`.
pub async fn verify_send_log(site: &SenderSite) -> anyhow::Result<()> {
    let arguments = [
        "log".as_ref(),
        "verify".as_ref(),
        "--json".as_ref(),
        "--settings".as_ref(),
        site.settings.as_os_str(),
    ];
    #[derive(Deserialize)]
    struct Verdict {
        ok: bool,
        unsigned: u64,
    }
    let Verdict { ok, unsigned } = json("sekisho", arguments).await?;
    ensure!(ok && unsigned == 0, "the send log in {} was not verified", site.data.display());
    Ok(())
}

/// `sekisho-gateway audit verify`: how many entries there are.
pub async fn verify_audit(site: &CentreSite) -> anyhow::Result<u64> {
    let arguments = [
        "audit".as_ref(),
        "verify".as_ref(),
        "--json".as_ref(),
        "--config".as_ref(),
        site.config.as_os_str(),
    ];
    #[derive(Deserialize)]
    struct Verdict {
        verified: bool,
        entries: u64,
    }
    let Verdict { verified, entries } = json("sekisho-gateway", arguments).await?;
    ensure!(verified, "the centre's log was not verified");
    Ok(entries)
}

/// `sekisho-gateway audit entries`.
pub async fn entries(site: &CentreSite) -> anyhow::Result<Vec<Entry>> {
    let arguments = ["audit".as_ref(), "entries".as_ref(), "--config".as_ref(), site.config.as_os_str()];
    let text = output("sekisho-gateway", arguments).await?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

async fn json<'a, T: DeserializeOwned>(
    program: &str,
    arguments: impl IntoIterator<Item = &'a OsStr>,
) -> anyhow::Result<T> {
    let text = output(program, arguments).await?;
    serde_json::from_str(&text).with_context(|| format!("{program} said something unexpected: {text}"))
}

/// What a program prints that ends well.
async fn output<'a>(program: &str, arguments: impl IntoIterator<Item = &'a OsStr>) -> anyhow::Result<String> {
    let mut process = Process::start(program, arguments)?;
    let status = process.ended().await?;
    ensure!(status.success(), "{program}: {status}\n{}\n{}", process.out.text(), process.err.text());
    Ok(process.out.text())
}
