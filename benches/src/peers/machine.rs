//! On what it was measured: figures without it say little.

use std::{fs, path::Path, process::Command};

use super::kit::Kit;

/// One line for each thing that matters.
pub fn describe(kit: &Kit) -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    vec![
        ("CPU", format!("{cores} x {}", field("/proc/cpuinfo", "model name"))),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("kernel", says("uname", &["-sr"], &["Linux"])),
        ("Sekisho", ours()),
        ("nginx", says("/usr/sbin/nginx", &["-V"], &["version", "OpenSSL"])),
        ("HAProxy", says("/usr/sbin/haproxy", &["-vv"], &["HAProxy version", "Running on OpenSSL"])),
        ("stunnel", says("/usr/bin/stunnel4", &["-version"], &["stunnel 5", "Running"])),
        ("Envoy", kit.envoy.as_deref().map_or("not found".to_owned(), envoy)),
    ]
}

/// Our version and those of the libraries that encrypt for us, as this program was built with them.
fn ours() -> String {
    let locked = include_str!("../../../Cargo.lock");
    let version = |library: &str| {
        let after = locked.split_once(&format!("name = \"{library}\"\nversion = \""));
        after.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("of an unknown version")
    };
    let own = env!("CARGO_PKG_VERSION");
    format!("{own}, rustls {} with aws-lc-rs {}", version("rustls"), version("aws-lc-rs"))
}

fn envoy(program: &Path) -> String {
    let said = says(&program.to_string_lossy(), &["--version"], &["version: "]);
    said.rsplit("version: ").next().unwrap_or_default().to_owned()
}

/// The value of the first line that begins so.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.map_or("unknown", |line| line.trim_start_matches([':', ' ', '\t'])).to_owned()
}

/// The lines in which a program says one of these words about itself.
fn says(program: &str, arguments: &[&str], words: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return "not found".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines = text.lines().map(str::trim).filter(|line| words.iter().any(|word| line.contains(word)));
    lines.take(2).collect::<Vec<_>>().join(", ")
}
