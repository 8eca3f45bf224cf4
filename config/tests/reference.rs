//! The reference page in docs/ is the one the code makes.

#![expect(
    clippy::disallowed_methods,
    reason = "the page lies in version control, which keeps the last good one"
)]

use std::{env, fs, path::Path};

/// Set by `cargo xtask docs`: write the page instead of comparing it.
const WRITE: &str = "SEKISHO_WRITE_DOCS";

#[test]
fn the_reference_page_names_every_key_as_the_code_reads_it() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let made = config::reference_page();
    if env::var_os(WRITE).is_some() {
        fs::write(&page, &made).unwrap();
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    assert!(kept == made, "docs/configuration.md is not what the code says: run `cargo xtask docs`");
}
