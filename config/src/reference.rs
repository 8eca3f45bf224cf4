//! The operator's reference, made from the calls that read the files: it cannot know other keys than they do.

use std::fmt::Write as _;

use crate::{
    ClientSettings, GatewayConfig,
    reader::{KnownKey, known_keys},
};

const HEAD: &str = "\
# Configuration reference

<!-- Made by `cargo xtask docs` from the code that reads the files. Do not edit by hand. -->

Both programs read one TOML file, in UTF-8. Paths are relative to the directory that file stands in. Durations are a
whole number and a unit, `\"500ms\"`, `\"10s\"`, `\"5m\"`, `\"2h\"`, `\"3d\"`; sizes likewise, `\"64KiB\"`, `\"16MiB\"`,
`\"10GiB\"`. Every mistake in a file is reported at once, with its line, its key, the reason and what to write instead;
the program then does not start. Commented examples stand in `config/examples/`.
";

/// `docs/configuration.md`: every key of both files with its form, default, range and reason, in Markdown.
pub fn reference_page() -> String {
    let mut page = HEAD.to_owned();
    add_file(&mut page, "The gateway: `gateway.toml`", &known_keys(GatewayConfig::read));
    add_file(&mut page, "The client: `sekisho.toml`", &known_keys(ClientSettings::read));
    page
}

fn add_file(page: &mut String, title: &str, known: &[KnownKey]) {
    let _ = write!(page, "\n## {title}\n"); // writing to a String cannot fail
    let mut table = None;
    for key in known {
        let of_table = table_of(key);
        if table != Some(of_table) {
            table = Some(of_table);
            add_heading(page, of_table, known);
        }
        add_row(page, of_table, key);
    }
}

/// The outermost table: `kinds` for `kinds.medical.class`, nothing for a key above the first table.
fn table_of(key: &KnownKey) -> &str {
    match (key.path.split_once('.'), &key.usage) {
        (Some((table, _)), _) => table,
        (None, None) => &key.path,
        (None, Some(_)) => "",
    }
}

fn add_heading(page: &mut String, table: &str, known: &[KnownKey]) {
    let meaning = known.iter().find(|key| key.path == table).map(|key| key.meaning);
    let _ = match meaning {
        Some(meaning) => write!(page, "\n### `[{table}]`\n\n{}\n", plain(meaning)),
        None => write!(page, "\n### Above the first table\n"),
    };
    page.push_str("\n| key | meaning | written as | default | range | why this default |\n");
    page.push_str("|---|---|---|---|---|---|\n");
}

fn add_row(page: &mut String, table: &str, key: &KnownKey) {
    let Some(usage) = &key.usage else {
        return;
    };
    let name = key.path.strip_prefix(table).unwrap_or(&key.path).trim_start_matches('.');
    let default = match usage.default.as_str() {
        word @ ("required" | "optional") => word.to_owned(),
        value => format!("`{value}`"),
    };
    let cells =
        [format!("`{name}`"), key.meaning.to_owned(), usage.form.clone(), default, usage.range.clone()];
    let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
    let _ = writeln!(page, "| {} | {} |", cells.join(" | "), plain(usage.reason));
}

/// Text that is neither the end of a cell nor the start of a tag.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<")
}
