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
fn an_authority_below_the_root_that_does_not_say_what_its_key_is_for_is_refused() {
    let fault = |usages| {
        let root = Authority::root("root");
        let mut params = authority_params("below");
        params.key_usages = usages;
        let below = root.below_of(params);
        let leaf = below.leaf(&client_params());
        let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
        trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now()).unwrap_err()
    };
    assert_eq!(fault(vec![]), PeerFault::WrongKu);
    // Another fault: it got further.
    assert_eq!(fault(vec![KeyUsagePurpose::KeyCertSign]), PeerFault::CrlMissing);
}

#[test]
fn of_a_root_certified_anew_with_the_same_key_the_certificate_in_force_counts() {
    let root = Authority::root("root");
    let mut renewed = authority_params("root");
    renewed.not_before = today() - Duration::minutes(1);
    renewed.not_after = today() + Duration::days(900);
    let renewed = root.certificate_again(&renewed);
    let mut params = client_params();
    params.not_after = today() + Duration::days(800);
    let leaf = root.leaf(&params);
    let mut list = crl_params(1, &[]);
    list.next_update = today() + Duration::days(800);
    let list = root.crl_of(&list);
    let later = moment(today() + Duration::days(500));
    for anchors in [[&root.der, &renewed], [&renewed, &root.der]] {
        let trust = testing::trust(&anchors, &[], &[&list]);
        assert!(trust.verify(std::slice::from_ref(&leaf.der), Purpose::TlsClient, later).is_ok());
    }
    let old_only = testing::trust(&[&root.der], &[], &[&list]);
    assert_eq!(old_only.verify(&[leaf.der], Purpose::TlsClient, later), Err(PeerFault::Expired));
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
