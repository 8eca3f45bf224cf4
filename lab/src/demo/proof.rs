//! What arrived, compared byte by byte with what was sent.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use anyhow::{Context as _, ensure};
use protocol::{
    digest::{Hasher, Sha256},
    transfer_id::TransferKey,
};

use super::{
    report::Transfer,
    stage::{Stage, Staged},
    tools,
};

/// The three transfers, by their senders' word.
pub async fn transfers(stage: &Stage) -> anyhow::Result<Vec<Transfer>> {
    let mut transfers = Vec::new();
    for file in stage.files() {
        let told = tools::status(file).await?;
        ensure!(told.state == "received", "{} is {}", told.id, told.state);
        let bundle = told.bundle.with_context(|| format!("{} has no bundle", told.id))?;
        let bundle = bundle.canonicalize()?;
        let receipt = bundle.with_file_name("receipt.jws");
        ensure!(receipt.is_file(), "{} has no receipt", told.id);
        transfers.push(Transfer {
            id: told.id,
            kind: told.kind,
            bytes: told.bytes,
            sha256: told.sha256,
            state: told.state,
            attempts: told.attempts.len(),
            receipt,
            bundle,
        });
    }
    Ok(transfers)
}

/// Waits until everything is delivered; then the inbox must hold these files with their receipts, and nothing else.
pub async fn inbox_holds_exactly(stage: &Stage, transfers: &[Transfer]) -> anyhow::Result<()> {
    for (file, transfer) in stage.files().zip(transfers) {
        let key = key(file, transfer)?;
        let said = key.to_string();
        let delivered = |line: &str| (line.contains("delivered") && line.contains(&said)).then_some(());
        stage.process.err.wait_for(delivered).await.context("the centre ended before it delivered")?;
        let directory = stage.centre.inbox.join(key.file_stem());
        let content = {
            let (delivered, sent) = (directory.join("content"), file.path.clone());
            tokio::task::spawn_blocking(move || Ok::<_, io::Error>((digest(&delivered)?, digest(&sent)?)))
        };
        let (delivered, sent) = content.await?.with_context(|| directory.display().to_string())?;
        ensure!(delivered == sent && sent == transfer.sha256, "{key} was delivered with other bytes");
        let receipts = (std::fs::read(directory.join("receipt.jws"))?, std::fs::read(&transfer.receipt)?);
        ensure!(receipts.0 == receipts.1, "{key} was delivered with another receipt");
    }
    let count = stage.centre.inbox.read_dir()?.count();
    ensure!(count == transfers.len(), "{count} directories stand in the inbox");
    Ok(())
}

fn key(file: &Staged, transfer: &Transfer) -> anyhow::Result<TransferKey> {
    let code = file.site.identity.codes().first().context("a sender has a code")?;
    let sender = protocol::party::Party::new(file.site.identity.role(), code.clone())?;
    Ok(TransferKey { sender, id: transfer.id })
}

fn digest(path: &Path) -> io::Result<Sha256> {
    let (mut file, mut hasher) = (File::open(path)?, Hasher::new());
    let mut piece = vec![0; 1024 * 1024];
    loop {
        let count = file.read(&mut piece)?;
        match piece.get(..count) {
            Some([]) | None => return Ok(hasher.finish()),
            Some(bytes) => hasher.update(bytes),
        }
    }
}
