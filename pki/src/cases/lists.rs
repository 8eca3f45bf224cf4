//! Cases 19, 20, 24 to 28: revocation lists, and what they say of whom.

use rcgen::{
    CertificateParams, CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, CustomExtension,
};
use rustls_pki_types::CertificateRevocationListDer;
use time::Duration;

use crate::{
    clock::now,
    crl::CrlFault,
    fault::PeerFault,
    leaf::Purpose,
    oid::tagged,
    policy::Policy,
    testing::{
        self, Authority, RawCrl, certificates_pem, client_params, crl_params, crls_pem, today,
        world::{World, meet},
    },
    tls::{alert_reason, own_refusal},
    trust::{Trust, TrustFault},
};

/// Trust in a root with these lists, or why one of them is not used.
fn trust(root: &Authority, lists: &[&CertificateRevocationListDer<'_>]) -> Result<Trust, CrlFault> {
    let (anchors, lists) = (certificates_pem(&[&root.der]), crls_pem(lists));
    Trust::from_pem(&anchors, b"", &lists, Policy::default(), now()).map_err(|fault| match fault {
        TrustFault::Crl { source, .. } => source.fault,
        other => panic!("another fault: {other}"),
    })
}

fn verdict(trust: &Trust, leaf: &testing::Leaf) -> Result<(), PeerFault> {
    trust.verify(std::slice::from_ref(&leaf.der), Purpose::TlsClient, now()).map(drop)
}

#[test]
fn case_19_a_list_with_empty_or_any_only_some_reasons_is_refused_without_a_panic() {
    let root = Authority::root("root");
    for reasons in [&[0x00][..], &[][..], &[0x01, 0x60][..]] {
        // onlySomeReasons [3] BIT STRING (RFC 5280 section 5.2.5), alone and beside an address.
        let address = tagged(0xa0, &tagged(0xa0, &tagged(0x86, b"http://example.jp/1.crl")));
        for before in [vec![], address] {
            let value = tagged(0x30, &[before, tagged(0x83, reasons)].concat());
            let list = RawCrl { critical: vec![(&[0x55, 0x1d, 0x1c], value)], ..RawCrl::good() };
            let fault = trust(&root, &[&root.raw_crl(&list)]).unwrap_err();
            assert!(matches!(fault, CrlFault::ScopeUnclear | CrlFault::Malformed), "{fault:?}");
        }
    }
}

fn point(uri: &str) -> CrlDistributionPoint {
    CrlDistributionPoint { uris: vec![uri.to_owned()] }
}

/// A client's certificate that names these points.
fn pointing(points: &[&str]) -> CertificateParams {
    let mut params = client_params();
    params.crl_distribution_points = points.iter().map(|uri| point(uri)).collect();
    params
}

/// A list of one point.
fn part(
    root: &Authority,
    uri: &str,
    scope: Option<CrlScope>,
    revoked: &[&testing::Leaf],
) -> CertificateRevocationListDer<'static> {
    let serials: Vec<_> = revoked.iter().map(|leaf| &leaf.serial).collect();
    let mut params = crl_params(1, &serials);
    let distribution_point = point(uri);
    params.issuing_distribution_point = Some(CrlIssuingDistributionPoint { distribution_point, scope });
    root.crl_of(&params)
}

#[test]
fn case_20_a_certificate_with_two_distribution_points_is_checked_against_the_list_of_the_second() {
    let root = Authority::root("root");
    let leaf = root.leaf(&pointing(&["http://example.jp/1.crl", "http://example.jp/2.crl"]));
    let clean = trust(&root, &[&part(&root, "http://example.jp/2.crl", None, &[])]).unwrap();
    assert_eq!(verdict(&clean, &leaf), Ok(()));
    let revoking = trust(&root, &[&part(&root, "http://example.jp/2.crl", None, &[&leaf])]).unwrap();
    assert_eq!(verdict(&revoking, &leaf), Err(PeerFault::Revoked));
}

#[test]
fn case_20_a_list_of_another_point_says_nothing_of_a_certificate() {
    let root = Authority::root("root");
    let list = part(&root, "http://example.jp/2.crl", None, &[]);
    let trust = trust(&root, &[&list]).unwrap();
    for points in [&[][..], &["http://example.jp/1.crl"], &["http://example.jp/2.crl/"]] {
        assert_eq!(verdict(&trust, &root.leaf(&pointing(points))), Err(PeerFault::CrlMissing), "{points:?}");
    }
}

#[test]
fn case_20_a_point_for_some_reasons_or_of_another_issuer_is_no_point() {
    let root = Authority::root("root");
    let trust = trust(&root, &[&part(&root, "http://example.jp/2.crl", None, &[])]).unwrap();
    let address = tagged(0xa0, &tagged(0xa0, &tagged(0x86, b"http://example.jp/2.crl")));
    let reasons = tagged(0x81, &[0x01, 0x60]);
    let issuer = tagged(0xa2, &tagged(0xa4, &tagged(0x30, b"")));
    let with = |more: Vec<u8>| {
        let mut params = client_params();
        let points = tagged(0x30, &tagged(0x30, &[address.clone(), more].concat()));
        params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 31], points));
        verdict(&trust, &root.leaf(&params))
    };
    assert_eq!(with(vec![]), Ok(()));
    assert_eq!(with(reasons), Err(PeerFault::CrlMissing));
    assert_eq!(with(issuer), Err(PeerFault::CrlMissing));
}

#[test]
fn case_20_a_list_of_authorities_says_nothing_of_others() {
    let root = Authority::root("root");
    let uri = "http://example.jp/2.crl";
    let leaf = root.leaf(&pointing(&[uri]));
    for (scope, expected) in
        [(CrlScope::UserCertsOnly, Ok(())), (CrlScope::CaCertsOnly, Err(PeerFault::CrlMissing))]
    {
        let trust = trust(&root, &[&part(&root, uri, Some(scope), &[])]).unwrap();
        assert_eq!(verdict(&trust, &leaf), expected);
    }
}

#[test]
fn case_24_an_ended_list_refuses_new_handshakes_with_a_reason_of_its_own_and_does_not_blame_the_peer() {
    let world = World::new();
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(2);
    ended.next_update = today() - Duration::days(1);
    let trust = testing::trust(&[&world.root.der], &[], &[&world.root.crl_of(&ended)]);
    let met = meet(world.client_config(world.trust()), world.server_config(std::sync::Arc::new(trust)));
    let fault = own_refusal(&met.server.unwrap_err()).unwrap();
    assert_eq!((fault, fault.code()), (PeerFault::CrlExpired, "crl_expired"));
    assert_eq!(alert_reason(&met.client.unwrap_err()), Some("certificate_unknown"));
}

#[test]
fn case_25_a_list_with_a_lower_number_or_an_older_date_does_not_take_the_place_of_the_one_in_force() {
    let root = Authority::root("root");
    let of = |list: &CertificateRevocationListDer<'_>| trust(&root, &[list]).unwrap();
    let held = of(&root.crl(2, &[]));
    let code = |offered: &CertificateRevocationListDer<'_>| match of(offered).check_follows(&held) {
        Err(TrustFault::StepBack(refused)) => Some(refused.code()),
        Ok(()) => None,
        Err(other) => panic!("another fault: {other}"),
    };
    assert_eq!(code(&root.crl(1, &[])), Some("crl_rollback"));
    let mut backdated = crl_params(3, &[]);
    backdated.this_update = today() - Duration::hours(5);
    assert_eq!(code(&root.crl_of(&backdated)), Some("crl_rollback"));
    assert_eq!(code(&root.crl(3, &[])), None);
}

#[test]
fn case_26_of_two_lists_of_one_issuer_the_newer_decides_in_either_order() {
    let root = Authority::root("root");
    let leaf = root.leaf(&client_params());
    let (clean, revoking) = (root.crl(1, &[]), root.crl(2, &[&leaf.serial]));
    for lists in [[&clean, &revoking], [&revoking, &clean]] {
        assert_eq!(verdict(&trust(&root, &lists).unwrap(), &leaf), Err(PeerFault::Revoked));
    }
}

#[test]
fn case_27_a_list_that_is_not_fully_understood_or_not_its_issuers_is_not_used() {
    let root = Authority::root("root");
    let critical = |id: &'static [u8], value: Vec<u8>| {
        root.raw_crl(&RawCrl { critical: vec![(id, value)], ..RawCrl::good() })
    };
    let unknown = (&[0x2a, 0x03, 0x04][..], vec![0x05, 0x00]);
    let in_entry = RawCrl { entry_critical: vec![unknown.clone()], ..RawCrl::good() };
    for (list, fault) in [
        // deltaCRLIndicator; indirectCRL [4] TRUE (RFC 5280 sections 5.2.4 and 5.2.5).
        (critical(&[0x55, 0x1d, 0x1b], vec![0x02, 0x01, 0x01]), CrlFault::Delta),
        (critical(&[0x55, 0x1d, 0x1c], tagged(0x30, &tagged(0x84, &[0xff]))), CrlFault::Indirect),
        (critical(unknown.0, unknown.1.clone()), CrlFault::CriticalExtension),
        (root.raw_crl(&in_entry), CrlFault::CriticalExtension),
        (Authority::root("root").crl(1, &[]), CrlFault::BadSignature),
        (Authority::root("other").crl(1, &[]), CrlFault::UnknownIssuer),
    ] {
        // One such list refuses them all, so that it is never taken for "nothing revoked".
        assert_eq!(trust(&root, &[&list]).unwrap_err(), fault);
        assert_eq!(trust(&root, &[&root.crl(1, &[]), &list]).unwrap_err(), fault);
    }
}

#[test]
fn case_27_a_list_of_an_issuer_that_may_not_sign_lists_is_not_used() {
    let mut params = testing::authority_params("root");
    let signing = Authority::root("root");
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    // The same key, in a certificate that does not allow it.
    let restricted = signing.certificate_again(&params);
    let (anchors, lists) = (certificates_pem(&[&restricted]), crls_pem(&[&signing.crl(1, &[])]));
    let fault = Trust::from_pem(&anchors, b"", &lists, Policy::default(), now()).unwrap_err();
    assert!(matches!(fault, TrustFault::Crl { source, .. } if source.fault == CrlFault::IssuerMayNotSign));
}

#[test]
fn case_28_a_revoked_authority_cuts_all_below_it_and_a_revoked_leaf_only_itself() {
    let root = Authority::root("root");
    let (below, beside) = (root.below("below"), root.below("beside"));
    let (leaf, sibling) = (below.leaf(&client_params()), below.leaf(&client_params()));
    let elsewhere = beside.leaf(&client_params());
    let judge = |root_list: &CertificateRevocationListDer<'_>,
                 below_list: &CertificateRevocationListDer<'_>| {
        let lists = [root_list, below_list, &beside.crl(1, &[])];
        let trust = testing::trust(&[&root.der], &[&below.der, &beside.der], &lists);
        let verify = |leaf: &testing::Leaf, issuer: &Authority| {
            let chain = [leaf.der.clone(), issuer.der.clone()];
            trust.verify(&chain, Purpose::TlsClient, now()).err()
        };
        [verify(&leaf, &below), verify(&sibling, &below), verify(&elsewhere, &beside)]
    };
    let (nothing_of_root, nothing_of_below) = (root.crl(1, &[]), below.crl(1, &[]));
    let revoked = Some(PeerFault::Revoked);
    assert_eq!(judge(&nothing_of_root, &nothing_of_below), [None, None, None]);
    assert_eq!(judge(&root.crl(1, &[&below.serial]), &nothing_of_below), [revoked, revoked, None]);
    assert_eq!(judge(&nothing_of_root, &below.crl(1, &[&leaf.serial])), [revoked, None, None]);
}
