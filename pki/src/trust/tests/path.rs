//! Chains and the authorities in them.

use super::*;

/// Judges a client below an authority with this certificate.
fn fault_below(edit: impl FnOnce(&mut CertificateParams)) -> PeerFault {
    let root = Authority::root("root");
    let mut params = authority_params("below");
    edit(&mut params);
    let below = root.below_of(params);
    let leaf = below.leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now()).unwrap_err()
}

#[test]
fn an_authority_that_may_not_sign_certificates_is_refused() {
    assert_eq!(fault_below(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]), PeerFault::WrongKu);
}

#[test]
fn a_leaf_issued_by_a_leaf_is_refused() {
    assert_eq!(fault_below(|params| params.is_ca = IsCa::ExplicitNoCa), PeerFault::WrongBasicConstraints);
}

#[test]
fn an_expired_authority_is_refused() {
    assert_eq!(fault_below(|params| params.not_after = today() - Duration::minutes(1)), PeerFault::Expired);
}

#[test]
fn a_leaf_whose_authority_is_not_shown_is_refused() {
    let root = Authority::root("root");
    let leaf = root.below("below").leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    assert_eq!(trust.verify(&[leaf.der], Purpose::TlsClient, now()), Err(PeerFault::UnknownCa));
}

#[test]
fn a_root_that_is_shown_but_not_configured_is_refused() {
    let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
    let leaf = stranger.leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let refused = trust.verify(&[leaf.der, stranger.der], Purpose::TlsClient, now());
    assert_eq!(refused, Err(PeerFault::UnknownCa));
}

#[test]
fn a_path_longer_than_an_authority_allows_is_refused() {
    let root = Authority::root("root");
    let mut params = authority_params("below");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    let below = root.below_of(params);
    let further = below.below("further");
    let leaf = further.leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let refused = trust.verify(&[leaf.der, further.der, below.der], Purpose::TlsClient, now());
    assert_eq!(refused, Err(PeerFault::ChainTooLong));
}
