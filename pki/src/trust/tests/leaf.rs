//! Leaves that path building would let through.

use super::*;
use crate::leaf::LIFETIME_MAX_DAYS;

#[test]
fn no_chain_is_refused() {
    let root = Authority::root("root");
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    assert_eq!(trust.verify(&[], Purpose::TlsClient, now()), Err(PeerFault::NoCert));
}

#[test]
fn a_leaf_outside_its_dates_is_refused() {
    assert_eq!(fault_of(|params| params.not_after = today() - Duration::minutes(1)), PeerFault::Expired);
    assert_eq!(fault_of(|params| params.not_before = today() + Duration::minutes(1)), PeerFault::NotYetValid);
}

#[test]
fn an_anchor_that_ended_since_it_was_loaded_is_refused() {
    let mut params = authority_params("root");
    params.not_after = today() + Duration::hours(1);
    let root = Authority::root_of(params);
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let leaf = root.leaf(&client_params());
    let later = moment(today() + Duration::hours(2));
    assert_eq!(trust.verify(&[leaf.der], Purpose::TlsClient, later), Err(PeerFault::Expired));
}

#[test]
fn a_leaf_without_extended_key_usage_is_refused() {
    assert_eq!(fault_of(|params| params.custom_extensions.clear()), PeerFault::WrongEku);
}

#[test]
fn a_leaf_that_may_not_sign_is_refused() {
    assert_eq!(
        fault_of(|params| params.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        PeerFault::WrongKu
    );
}

#[test]
fn a_leaf_that_may_sign_certificates_is_refused() {
    let both = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
    assert_eq!(fault_of(|params| params.key_usages = both), PeerFault::WrongKu);
}

#[test]
fn an_authoritys_certificate_is_no_leaf() {
    let ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    assert_eq!(fault_of(|params| params.is_ca = ca), PeerFault::WrongBasicConstraints);
}

#[test]
fn a_leaf_with_name_constraints_is_refused() {
    let constraints = rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.jp".to_owned())],
        excluded_subtrees: vec![],
    };
    assert_eq!(fault_of(|params| params.name_constraints = Some(constraints)), PeerFault::Malformed);
}

#[test]
fn a_leaf_that_lives_for_decades_is_refused() {
    let fault = fault_of(|params| params.not_after = today() + Duration::days(LIFETIME_MAX_DAYS));
    assert_eq!(fault, PeerFault::LifetimeTooLong);
}

#[test]
fn an_unknown_critical_extension_is_refused_and_an_uncritical_one_is_not() {
    let extension = |critical| {
        let mut unknown = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![0x05, 0x00]);
        unknown.set_criticality(critical);
        unknown
    };
    let fault = fault_of(|params| params.custom_extensions.push(extension(true)));
    assert_eq!(fault, PeerFault::CriticalExtension);
    let mut params = client_params();
    params.custom_extensions.push(extension(false));
    assert!(judge(&params).is_ok());
}

#[test]
fn a_production_identity_from_a_lab_authority_is_refused() {
    let mut params = authority_params("lab");
    params.custom_extensions.push(testing::test_only());
    let lab = Authority::root_of(params);
    let trust = testing::trust(&[&lab.der], &[], &[&lab.crl(1, &[])]);
    let leaf = lab.leaf(&leaf_params("urn:sekisho:production:institution:1310000018", oid::CLIENT_AUTH));
    assert_eq!(trust.verify(&[leaf.der], Purpose::TlsClient, now()), Err(PeerFault::WrongEnvironment));
}

#[test]
fn a_production_identity_is_refused_if_any_authority_in_its_path_is_a_labs() {
    let root = Authority::root("root");
    let mut params = authority_params("below");
    params.custom_extensions.push(testing::test_only());
    let below = root.below_of(params);
    let leaf = below.leaf(&leaf_params("urn:sekisho:production:institution:1310000018", oid::CLIENT_AUTH));
    let lists = [root.crl(1, &[]), below.crl(1, &[])];
    let trust = testing::trust(&[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
    let refused = trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now());
    assert_eq!(refused, Err(PeerFault::WrongEnvironment));
}

#[test]
fn a_good_leaf_yields_its_identity() {
    assert_eq!(judge(&client_params()).unwrap().identity().to_uri(), testing::INSTITUTION);
}
