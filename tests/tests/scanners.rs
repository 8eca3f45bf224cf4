//! What scanners find at a centre, and what our own probe finds, is what is written down in `tests/expected/` with a reason
//! each. Anything new or missing fails: whoever changes what is spoken on the line says so there.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::path::Path;

use serde::Deserialize;
use tests::{
    expected::Expected,
    hello::{Hello, Reply},
    lenient::Lenient,
    patience::patiently,
    setting::Setting,
    strangers::clinic,
    tools::skip,
};
use tokio::process::Command;
use tokio_rustls::rustls::{
    ALL_VERSIONS, SignatureScheme,
    crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS},
};

/// What a tool prints; nothing, and a word about it, if it is not there in the version that a list was written for.
async fn output_of(tool: &str, package: &str, version: (&str, &str), arguments: &[&str]) -> Option<String> {
    let (version_argument, version) = version;
    let asked = Command::new(tool).arg(version_argument).output().await;
    let Ok(asked) = asked else {
        skip(&format!("no {tool}: sudo apt-get install --no-install-recommends {package}"));
        return None;
    };
    let own = String::from_utf8_lossy(&asked.stdout).into_owned();
    if !own.split_whitespace().any(|word| word == version) {
        skip(&format!("{tool} is not of version {version}, for which tests/expected was written"));
        return None;
    }
    let mut command = Command::new(tool);
    let running = command.args(arguments).kill_on_drop(true).output();
    Some(String::from_utf8_lossy(&running.await.unwrap().stdout).into_owned())
}

#[tokio::test]
async fn sslscan_finds_what_is_expected_and_nothing_else() {
    let setting = Setting::new(20_000, &[]).await;
    let to = setting.centre.address.to_string();
    let arguments =
        ["--show-sigs", "--show-client-cas", "--no-colour", "--sni-name=localhost", "--xml=-", &to];
    let scan = output_of("sslscan", "sslscan", ("--version", "2.0.7"), &arguments);
    let Some(xml) = patiently("sslscan", scan).await else { return };
    // One element a line; those that only hold others say nothing.
    let only_holds =
        |line: &str| line.trim_matches(['<', '>', '/']).bytes().all(|byte| byte.is_ascii_alphabetic());
    let found: Vec<String> =
        xml.lines().map(str::trim).filter(|line| !only_holds(line)).map(str::to_owned).collect();
    Expected::load("sslscan.txt").compare(&found);
}

/// One finding of testssl.
#[derive(Deserialize)]
struct Finding {
    id: String,
    severity: String,
    finding: String,
}

#[tokio::test]
#[ignore = "takes minutes; `cargo verify --full` runs it"]
async fn testssl_finds_what_is_expected_and_nothing_else() {
    let setting = Setting::new(20_000, &[]).await;
    // The scanner knows no client certificates, and takes a centre that asks for one for broken: its own tool is told.
    let (clinic, directory) = (clinic(&setting), setting.lab.path());
    let (chain, key) = (clinic.chain.display(), clinic.key.display());
    let tool = format!(
        "#!/bin/sh\n[ \"$1\" = s_client ] || exec openssl \"$@\"\nshift\n\
         exec openssl s_client -cert {chain} -key {key} -cert_chain {chain} \"$@\"\n"
    );
    let tool = executable(directory, &tool);
    let root = setting.lab.sites.authority().root_pem();
    let (findings, to) = (directory.join("findings.json"), setting.centre.address.to_string());
    let [tool, root, json] = [&tool, &root, &findings].map(|path| path.to_str().unwrap());
    let quiet = ["--quiet", "--warnings", "batch", "--color", "0", "--nodns", "none"];
    let arguments = [&quiet[..], &["--openssl", tool, "--add-ca", root, "--jsonfile", json, &to]].concat();
    let Some(_) = output_of("testssl", "testssl.sh", ("--version", "3.0.8"), &arguments).await else {
        return;
    };
    let findings: Vec<Finding> = serde_json::from_slice(&std::fs::read(&findings).unwrap()).unwrap();
    let line =
        |Finding { id, severity, finding }: &Finding| format!("{id} | {severity} | {}", finding.trim());
    Expected::load("testssl.txt").compare(&findings.iter().map(line).collect::<Vec<_>>());
}

fn executable(directory: &Path, script: &str) -> std::path::PathBuf {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = directory.join("openssl-with-certificate");
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path);
    std::io::Write::write_all(&mut file.unwrap(), script.as_bytes()).unwrap();
    path
}

#[tokio::test]
async fn what_the_centre_takes_when_each_thing_is_offered_alone_is_what_is_written_down() {
    let setting = Setting::new(20_000, &[]).await;
    let mut found = by_number(&setting).await;
    found.extend(by_name(&setting).await);
    Expected::load("handshake.txt").compare(&found);
}

/// Suites that servers of TLS 1.2 and below are likely to have, with a key on a curve or of RSA.
const OLD: [u16; 8] = [0xc02b, 0xc02c, 0xcca9, 0xc023, 0xc009, 0xc00a, 0x002f, 0x000a];

/// Hellos that offer one number: whether anything of that number exists or not.
async fn by_number(setting: &Setting) -> Vec<String> {
    let mut found = Vec::new();
    let mut ask = async |what: String, hello: Hello| {
        if let Reply::Takes { .. } = hello.ask(setting.centre.address).await {
            found.push(what);
        }
    };
    // Everything that was ever registered lies here, and drafts of it.
    for group in (0..=0x02ff).chain(0x11e0..=0x11ff).chain(0x6390..=0x63a0).chain([0xff01, 0xff02]) {
        ask(format!("group {group:#06x}"), Hello { groups: vec![group], ..Hello::default() }).await;
    }
    let suites = [0..=0x00ff, 0x1300..=0x13ff, 0xc000..=0xc0ff, 0xcca0..=0xccaf, 0xd000..=0xd00f];
    for suite in suites.into_iter().flatten() {
        let new = Hello { suites: vec![suite], ..Hello::default() };
        let old = Hello { versions: vec![], ..new.clone() };
        ask(format!("suite {suite:#06x}"), new).await;
        ask(format!("suite {suite:#06x} in TLS 1.2"), old).await;
    }
    for version in [0x0002].into_iter().chain(0x0300..=0x0305).chain(0x7f00..=0x7f1c).chain(0xfefc..=0xfeff) {
        ask(format!("version {version:#06x}"), Hello { versions: vec![version], ..Hello::default() }).await;
        let old =
            Hello { legacy_version: version, versions: vec![], suites: OLD.to_vec(), ..Hello::default() };
        ask(format!("version {version:#06x} in the old place"), old).await;
    }
    // The smallest numbers first, which is not the order that the centre prefers.
    let all = Hello {
        suites: vec![0x1301, 0x1302, 0x1303],
        groups: vec![0x0017, 0x0018, 0x001d, 0x11ec],
        ..Hello::default()
    };
    if let Reply::Takes { version, suite, group: Some(group) } = all.ask(setting.centre.address).await {
        found.push(format!("of all: version {version:#06x}, suite {suite:#06x}, group {group:#06x}"));
    }
    found
}

/// Whole handshakes of a client that offers one thing, of those that its library has.
async fn by_name(setting: &Setting) -> Vec<String> {
    let mut found = Vec::new();
    let mut ask = async |what: String, change: &dyn Fn(&mut Lenient)| {
        let mut client = Lenient::new(Some(clinic(setting)));
        change(&mut client);
        if client.ask(setting.centre.address).await.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            found.push(what);
        }
        client.asked_for.lock().unwrap().clone()
    };
    for group in ALL_KX_GROUPS {
        ask(format!("group {:?}", group.name()), &|client| client.provider.kx_groups = vec![*group]).await;
    }
    for suite in ALL_CIPHER_SUITES {
        let alone = |client: &mut Lenient| {
            client.provider.cipher_suites = vec![*suite];
            client.versions.retain(|version| suite.version().version == version.version);
        };
        ask(format!("suite {:?}", suite.suite()), &alone).await;
    }
    for version in ALL_VERSIONS {
        ask(format!("version {:?}", version.version), &|client| client.versions = vec![version]).await;
    }
    let schemes = Lenient::new(None).schemes;
    for scheme in
        [&schemes[..], &[SignatureScheme::ECDSA_SHA1_Legacy, SignatureScheme::RSA_PKCS1_SHA1]].concat()
    {
        ask(format!("the centre signs with {scheme:?}"), &|client| client.schemes = vec![scheme]).await;
    }
    let asked_for = ask("everything".to_owned(), &|_| ()).await;
    found.extend(asked_for.iter().map(|scheme| format!("a client may sign with {scheme:?}")));
    found
}
