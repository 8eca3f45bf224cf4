//! What an operator does to a running centre: renews, revokes, changes settings, and asks it to take that up.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Output,
};

use certs_tool::{Profile, Reason, Validity, revocation::serial_in};
use lab::site::{CentreSite, SenderSite};
use pki::clock;
use protocol::party::Identity;
use tokio::process::Command;

use crate::{centre::program, lab::TestLab, patience::patiently};

impl TestLab {
    /// Revokes what a sender shows on the line, and publishes new lists; nobody has them yet.
    pub fn revoke(&self, sender: &SenderSite) {
        let serial = serial_in(&sender.directory.join("tls/certificate.pem")).unwrap();
        self.sites.authority().revoke(&serial, Reason::KeyCompromise, clock::now()).unwrap();
    }

    /// Publishes new lists that name nobody new; nobody has them yet.
    pub fn new_lists(&self, life: &str) {
        self.sites.authority().crl(life.parse().unwrap(), clock::now()).unwrap();
    }

    /// Brings the authority's newest lists to a centre.
    pub fn deliver_lists(&self, centre: &CentreSite) {
        for section in ["tls", "evidence"] {
            for name in ["root", "issuing"] {
                let list = self.sites.authority().dir().join(format!("crls/{name}.pem"));
                put(&centre.directory.join(section).join(format!("{name}.crl")), &fs::read(list).unwrap());
            }
        }
    }

    /// A new certificate and key for a centre, in a place of their own: (certificate, key).
    pub fn renewed(&self, name: &str) -> (PathBuf, PathBuf) {
        let identity = Identity::from_uri("urn:sekisho:test:review-agency:113").unwrap();
        self.issued(name, Profile::Centre, &identity, &["127.0.0.1", "localhost"])
    }

    /// A certificate and key, in a place of their own: (certificate, key).
    pub fn issued(
        &self,
        name: &str,
        profile: Profile,
        identity: &Identity,
        host_names: &[&str],
    ) -> (PathBuf, PathBuf) {
        let validity = Validity::usual(clock::now()).unwrap();
        let out = self.path().join(name);
        let issued = self.sites.authority().issue(profile, identity, host_names, &out, validity).unwrap();
        (issued.cert_path, issued.key_path)
    }
}

/// Puts a file in the place of another, at once, as installers do; the mode stays.
pub fn put(path: &Path, bytes: &[u8]) {
    let mode = fs::metadata(path).map_or(0o600, |facts| facts.permissions().mode());
    let beside = path.with_extension("new");
    write(&beside, bytes);
    fs::set_permissions(&beside, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Writes into the file that is there, as people do with an editor or `>`.
pub fn write(path: &Path, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).open(path);
    std::io::Write::write_all(&mut file.unwrap(), bytes).unwrap();
}

/// Runs `sekisho-gateway` with these arguments on a centre's configuration.
pub async fn gateway(site: &CentreSite, arguments: &[&str]) -> Output {
    let mut command = Command::new(program("sekisho-gateway"));
    command.arg("--config").arg(&site.config).args(arguments);
    patiently(&format!("the end of {arguments:?}"), command.output()).await.unwrap()
}

/// Runs it, and it must do what it was asked for.
pub async fn gateway_does(site: &CentreSite, arguments: &[&str]) -> String {
    let output = gateway(site, arguments).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs it, and it must say no with this exit code; what it says is returned.
pub async fn gateway_refuses(site: &CentreSite, arguments: &[&str], code: i32) -> String {
    let output = gateway(site, arguments).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}
