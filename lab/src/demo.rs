//! The demo: three claims files (レセプト) go from two senders to a centre on this machine, all of them the real programs,
//! and the largest over a line that stalls in the middle. Everything that both sides then keep is verified.
//!
//! It claims nothing that it has not looked at: each step ends with what it checked, and the first thing that does not
//! hold ends the demo with an error.

mod account;
mod cut;
mod proof;
mod report;
mod stage;
mod tools;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tokio::signal::unix::{SignalKind, signal};

use account::Account;
use report::Report;
use stage::{Stage, Staged};

/// Runs it in `keep`, or in a directory that goes with it; prints an account for people, or one JSON object.
///
/// # Errors
/// With the first thing that failed or did not hold.
pub async fn run(keep: Option<PathBuf>, json: bool) -> anyhow::Result<()> {
    let temporary = match &keep {
        Some(directory) => {
            make_empty(directory)?;
            None
        }
        None => Some(tempfile::Builder::new().prefix("sekisho-demo-").tempdir()?),
    };
    let directory = match (&keep, &temporary) {
        (Some(directory), _) => directory.as_path(),
        (None, Some(temporary)) => temporary.path(),
        (None, None) => bail!("no directory"),
    };
    let directory = directory.canonicalize().context("the demo's directory")?;
    let account = Account::new(!json);
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    // A story that is dropped ends its processes with it.
    let report = tokio::select! {
        report = story(&directory, &account) => report?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("interrupted"),
    };
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        account.end(&report, keep.is_some());
    }
    Ok(())
}

fn make_empty(directory: &Path) -> anyhow::Result<()> {
    durable::create_directory(directory, durable::Access::Private)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    let mut listed = directory.read_dir().with_context(|| format!("cannot read {}", directory.display()))?;
    if listed.next().is_some() {
        bail!("{} is not empty; name a new directory, nothing is overwritten", directory.display());
    }
    Ok(())
}

async fn story(directory: &Path, account: &Account) -> anyhow::Result<Report> {
    account.step("A lab: certificate authority, a centre, a hospital and a pharmacy");
    let mut stage = Stage::set(directory, account).await?;
    match play(&mut stage, account).await {
        Ok(report) => Ok(report),
        Err(error) => {
            let last_words = stage.process.err.last_lines(20);
            bail!("{error:#}\nthe centre's last words:\n{last_words}")
        }
    }
}

async fn play(stage: &mut Stage, account: &Account) -> anyhow::Result<Report> {
    account.step("Two files over a line that holds");
    for file in [&stage.medical, &stage.pharmacy] {
        let sent = tools::send(file).await?;
        account.says(format!("{} arrived, {} bytes: 到達確認 in hand", file.kind.japanese(), sent.bytes));
    }

    account.step("A large file over a line that stalls in the middle");
    let cut = cut::send_over_a_stalling_line(stage, account).await?;

    account.step("Delivered, each file once and whole");
    let transfers = proof::transfers(stage).await?;
    proof::inbox_holds_exactly(stage, &transfers).await?;
    account.says(format!(
        "{} directories in the inbox, each with the file, manifest and receipt",
        transfers.len()
    ));

    account.step("All evidence verified, offline, with nothing but the root certificate");
    for (file, transfer) in stage.files().zip(&transfers) {
        tools::verify(transfer, file, &stage.evidence_root).await?;
        account.says(format!(
            "{}: manifest, receipt, both logs' proofs and the file belong together",
            file.kind.japanese()
        ));
    }
    for Staged { site, .. } in stage.files() {
        tools::verify_send_log(site).await?;
    }
    account.says("the send logs of hospital and pharmacy are as they were written");
    let centre_stopped = stage.stop_centre().await?;
    anyhow::ensure!(centre_stopped.success(), "the centre did not stop in good order: {centre_stopped}");
    let entries = tools::verify_audit(&stage.centre).await?;
    account.says(format!("the centre's log of {entries} entries is as it was written"));

    Ok(Report {
        transfers,
        cut,
        audit: report::Audit { entries, verified: true },
        inbox: stage.centre.inbox.clone(),
        evidence_root: stage.evidence_root.clone(),
    })
}
