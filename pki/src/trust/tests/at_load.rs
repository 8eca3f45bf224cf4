//! What is refused when files are loaded.

use super::*;

fn load(anchors: &[u8], issuers: &[u8], crls: &[u8]) -> TrustFault {
    Trust::from_pem(anchors, issuers, crls, Policy::default(), now()).unwrap_err()
}

#[test]
fn an_anchor_outside_its_dates_is_refused() {
    let mut expired = authority_params("root");
    expired.not_after = today() - Duration::minutes(1);
    let mut early = authority_params("root");
    early.not_before = today() + Duration::hours(1);
    let refused = |params| {
        let root = Authority::root_of(params);
        load(&certificates_pem(&[&root.der]), b"", &crls_pem(&[&root.crl(1, &[])]))
    };
    assert!(matches!(refused(expired), TrustFault::Anchor { source: AnchorFault::Expired { .. }, .. }));
    assert!(matches!(refused(early), TrustFault::Anchor { source: AnchorFault::NotYetValid { .. }, .. }));
}

#[test]
fn a_leaf_is_no_anchor_and_no_issuer() {
    let root = Authority::root("root");
    let leaf = root.leaf(&client_params());
    let crls = crls_pem(&[&root.crl(1, &[])]);
    assert!(matches!(
        load(&certificates_pem(&[&leaf.der]), b"", &crls),
        TrustFault::Anchor { source: AnchorFault::NotAnAuthority { .. }, .. }
    ));
    assert!(matches!(
        load(&certificates_pem(&[&root.der]), &certificates_pem(&[&leaf.der]), &crls),
        TrustFault::NotAnIssuer { .. }
    ));
}

#[test]
fn no_revocation_list_is_no_trust() {
    let root = Authority::root("root");
    assert!(matches!(
        load(&certificates_pem(&[&root.der]), b"", b""),
        TrustFault::File(PemFault::Nothing { .. })
    ));
}

#[test]
fn an_authority_without_a_list_is_refused() {
    let root = Authority::root("root");
    let below = root.below("below");
    let refused = load(
        &certificates_pem(&[&root.der]),
        &certificates_pem(&[&below.der]),
        &crls_pem(&[&root.crl(1, &[])]),
    );
    assert!(matches!(refused, TrustFault::CrlMissing { issuer } if issuer == "CN=below"));
}

#[test]
fn an_authority_that_is_no_longer_trusted_may_take_its_list_with_it() {
    let (one, other) = (Authority::root("one"), Authority::root("other"));
    let (list_of_one, list_of_other) = (one.crl(1, &[]), other.crl(1, &[]));
    let both = testing::trust(&[&one.der, &other.der], &[], &[&list_of_one, &list_of_other]);
    let only_one = testing::trust(&[&one.der], &[], &[&list_of_one]);
    assert!(only_one.check_follows(&both).is_ok());
}

#[test]
fn an_authority_without_a_name_is_refused() {
    let mut params = authority_params("");
    params.distinguished_name = rcgen::DistinguishedName::new();
    let root = Authority::root_of(params);
    let refused = load(&certificates_pem(&[&root.der]), b"", &crls_pem(&[&root.crl(1, &[])]));
    assert!(matches!(refused, TrustFault::Anchor { source: AnchorFault::NotAnAuthority { .. }, .. }));
}
