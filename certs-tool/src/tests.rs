//! A lab in a directory of its own, judged by what a gateway would say of its products.

mod command;
mod issuing;
mod lists;
mod other_tools;

use std::path::PathBuf;

use pki::{fault::PeerFault, leaf::Purpose, pem, platform::now, policy::Policy, trust::Trust};
use protocol::party::{Environment, Identity};
use tempfile::TempDir;

use crate::{
    fault::LabFault,
    issue::{Issued, Validity},
    lab::Lab,
    profile::Profile,
};

const INSTITUTION: &str = "urn:sekisho:test:institution:1310000018";
const CENTRE: &str = "urn:sekisho:test:review-agency:113";

struct Place {
    lab: Lab,
    directory: TempDir,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::init(&directory.path().join("lab"), Environment::Test, now()).unwrap();
    Place { lab, directory }
}

impl Place {
    fn out(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn issue(&self, profile: Profile, name: &str) -> Result<Issued, LabFault> {
        let (identity, names): (&str, &[&str]) = match profile {
            Profile::Centre => (CENTRE, &["localhost", "127.0.0.1", "::1"]),
            _ => (INSTITUTION, &[]),
        };
        self.lab.issue(
            profile,
            &identity_of(identity),
            names,
            &self.out(name),
            Validity::usual(now()).unwrap(),
        )
    }

    fn judge(&self, issued: &Issued, purpose: Purpose) -> Result<Identity, PeerFault> {
        let trust = Trust::load(&self.lab.trust_files(), Policy::default(), now()).unwrap();
        let chain = pem::certificates(&issued.cert_path).unwrap();
        trust.verify(&chain, purpose, now()).map(|peer| peer.identity().clone())
    }
}

fn identity_of(uri: &str) -> Identity {
    Identity::from_uri(uri).unwrap()
}
