//! What trust refuses at load, and whom it refuses afterwards.

use rcgen::{CertificateParams, IsCa, KeyUsagePurpose};
use time::Duration;

use super::*;
use crate::{
    clock::now,
    crl::CrlFault,
    oid,
    testing::{
        self, Authority, Leaf, authority_params, certificates_pem, client_params, crl_params, crls_pem,
        leaf_params, moment, today,
    },
};

/// Judges a client of `root` with this certificate.
fn judge(params: &CertificateParams) -> Result<PeerIdentity, PeerFault> {
    let root = Authority::root("root");
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    trust.verify(&[root.leaf(params).der], Purpose::TlsClient, now())
}

fn fault_of(edit: impl FnOnce(&mut CertificateParams)) -> PeerFault {
    let mut params = client_params();
    edit(&mut params);
    judge(&params).unwrap_err()
}

mod at_load;
mod fetched;
mod identity;
mod leaf;
mod path;
mod revocation;
