//! The demo (being written).

use std::path::PathBuf;

/// Runs it.
pub async fn run(_keep: Option<PathBuf>, _json: bool) -> anyhow::Result<()> {
    Ok(())
}
