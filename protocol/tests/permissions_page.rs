//! docs/permissions.md is the whole permission table as the code has it: whoever changes a right changes this page, and
//! sees every cell that changes with it.

#![expect(
    clippy::disallowed_methods,
    reason = "the page lies in version control, which keeps the last good one"
)]

use std::{env, fs, path::Path};

use protocol::{
    kind::System,
    party::Role,
    permission::{Action, Standing, standing},
};

/// Set by `cargo xtask docs`: write the page instead of comparing it.
const WRITE: &str = "SEKISHO_WRITE_DOCS";

const HEAD: &str = "# Who may do what

This page is made from the code by `cargo xtask docs`. A row is a caller's role at a centre of the role above the table.
`●` is allowed, `○` only where the centre's configuration grants it (`permissions.grant`), and an empty cell never, whatever
any configuration says. `permissions.withdraw` takes away; nothing adds a cell. Every right is for the caller's own codes
only: another party's transfer answers like one that does not exist. Institutions never reach each other (guideline 別表 8).
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for to in Role::ALL {
        for system in System::ALL {
            if !Role::ALL.into_iter().any(|from| is_in_table(from, to, system)) {
                continue;
            }
            page += &format!("\n## At a {to}: {} ({})\n\n| from |", system.japanese(), system.name());
            for action in Action::ALL {
                page += &format!(" {} |", action.name());
            }
            page += &format!("\n|---|{}\n", "---|".repeat(Action::ALL.len()));
            for from in Role::ALL {
                page += &format!("| {from} |");
                for action in Action::ALL {
                    page += match standing(from, to, system, action) {
                        Standing::Never => "  |",
                        Standing::IfGranted => " ○ |",
                        Standing::Always => " ● |",
                    };
                }
                page.push('\n');
            }
        }
    }
    page += "\nAt every other role, and in every other system, nobody may do anything.\n";
    page
}

fn is_in_table(from: Role, to: Role, system: System) -> bool {
    Action::ALL.into_iter().any(|action| standing(from, to, system, action) != Standing::Never)
}

#[test]
fn the_permissions_page_shows_every_cell_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/permissions.md");
    let made = page();
    if env::var_os(WRITE).is_some() {
        fs::write(&file, &made).unwrap();
    }
    let kept = fs::read_to_string(&file).unwrap_or_default();
    assert!(kept == made, "docs/permissions.md is not what the code says: run `cargo xtask docs`");
}
