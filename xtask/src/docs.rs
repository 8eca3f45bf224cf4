//! The pages in docs/ that are made from code. A test in the crate that makes a page compares it, or writes it if told.

use crate::workspace::{Workspace, run};

/// The test of each generated page: package and test file.
const PAGES: [(&str, &str); 4] = [
    ("config", "reference"),
    ("protocol", "errors_page"),
    ("protocol", "permissions_page"),
    ("gateway", "refusals_page"),
];

/// Writes every generated page anew.
pub fn write(workspace: &Workspace) -> anyhow::Result<()> {
    for (package, test) in PAGES {
        let mut command = workspace.cargo(&["test", "--quiet", "--package", package, "--test", test]);
        run(command.env("SEKISHO_WRITE_DOCS", "1"))?;
    }
    Ok(())
}
