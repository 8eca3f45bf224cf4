//! `cargo deny` on what the lock file names: bans, licences and sources always, advisories where their database is given.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, bail};

use crate::{
    tools,
    verify::{CHECK_DATA, check_data},
    workspace::{Workspace, run},
};

/// Bans, licences and sources, by deny.toml.
pub fn check_tree(workspace: &Workspace) -> anyhow::Result<()> {
    run(cargo_deny(workspace)?.args(["bans", "licenses", "sources"]))
}

/// Known vulnerabilities, by the database under [`CHECK_DATA`]; says what it did.
pub fn check_advisories(workspace: &Workspace) -> anyhow::Result<String> {
    let Some(archive) =
        check_data().map(|data| data.join("advisory-db.tar.zst")).filter(|path| path.is_file())
    else {
        return Ok(format!("no advisory database: name its directory in {CHECK_DATA}"));
    };
    // Where deny.toml looks for it. Unpacked anew each time: a mixture of two states would pass as either.
    let unpacked: PathBuf = workspace.root.join("target/advisory-db");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("{} cannot be removed", unpacked.display()))?;
    }
    fs::create_dir_all(&unpacked).with_context(|| format!("{} cannot be made", unpacked.display()))?;
    run(Command::new("tar").arg("--zstd").arg("-xf").arg(&archive).arg("-C").arg(&unpacked))?;
    run(cargo_deny(workspace)?.arg("advisories"))?;
    Ok("checked against the database given".to_owned())
}

fn cargo_deny(workspace: &Workspace) -> anyhow::Result<Command> {
    let Some(program) = tools::cargo_deny(workspace) else {
        bail!("cargo-deny is not there: `cargo xtask tools` installs it");
    };
    // It reads every crate of the lock file, those for other systems too, which no build of ours has fetched.
    run(&mut workspace.cargo(&["fetch", "--locked", "--quiet"]))?;
    let mut command = Command::new(program);
    command.current_dir(&workspace.root).args(["--offline", "check", "--hide-inclusion-graph"]);
    Ok(command)
}
