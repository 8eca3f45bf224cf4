use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope};
use time::Duration;

use super::*;
use crate::{
    oid::tagged,
    testing::{self, Authority, RawCrl, crl_params, today},
};

fn issuer(authority: &Authority) -> Issuer {
    Issuer::of(&authority.der, Signatures::Usual).unwrap()
}

fn read(der: &CertificateRevocationListDer<'_>, authority: &Authority) -> Result<Crl, CrlFault> {
    UnverifiedCrl::parse(der)
        .and_then(|list| list.verify([&issuer(authority)], Signatures::Usual))
        .map(|(_, list)| list)
        .map_err(|refused| refused.fault)
}

#[test]
fn an_altered_list_is_refused() {
    let root = Authority::root("root");
    let good = root.crl(1, &[&root.serial]);
    for at in 0..good.as_ref().len() {
        let mut altered = good.as_ref().to_vec();
        altered[at] ^= 1;
        assert!(read(&altered.into(), &root).is_err(), "byte {at} may be altered");
    }
}

#[test]
fn a_cut_list_is_refused() {
    let root = Authority::root("root");
    let good = root.crl(1, &[&root.serial]);
    for end in 0..good.as_ref().len() {
        assert!(read(&good.as_ref()[..end].to_vec().into(), &root).is_err());
    }
    assert!(read(&[good.as_ref(), &[0]].concat().into(), &root).is_err());
}

/// An issuing distribution point written by hand.
fn pointed(fields: &[Vec<u8>]) -> RawCrl {
    RawCrl { critical: vec![(&[0x55, 0x1d, 0x1c], tagged(0x30, &fields.concat()))], ..RawCrl::good() }
}

#[test]
fn a_list_that_does_not_say_plainly_what_it_covers_is_refused() {
    let root = Authority::root("root");
    let address = tagged(0xa0, &tagged(0xa0, &tagged(0x86, b"http://example.jp/1.crl")));
    let by_name = tagged(0xa0, &tagged(0xa0, &tagged(0xa4, &tagged(0x30, b""))));
    let (users, authorities) = (tagged(0x81, &[0xff]), tagged(0x82, &[0xff]));
    let attributes = tagged(0x85, &[0xff]);
    assert!(read(&root.raw_crl(&pointed(std::slice::from_ref(&address))), &root).is_ok());
    for unclear in [
        vec![],
        vec![users.clone()],
        vec![by_name],
        vec![address.clone(), users, authorities],
        vec![address, attributes],
    ] {
        let fault = read(&root.raw_crl(&pointed(&unclear)), &root).unwrap_err();
        assert!(matches!(fault, CrlFault::ScopeUnclear | CrlFault::Malformed), "{fault:?}");
    }
}

#[test]
fn the_scope_of_a_list_is_what_its_distribution_point_says() {
    let root = Authority::root("root");
    for (scope, shown) in [
        (None, "all http://example.jp/1.crl"),
        (Some(CrlScope::UserCertsOnly), "end entities http://example.jp/1.crl"),
        (Some(CrlScope::CaCertsOnly), "authorities http://example.jp/1.crl"),
    ] {
        let mut params = crl_params(1, &[]);
        let distribution_point = CrlDistributionPoint { uris: vec!["http://example.jp/1.crl".to_owned()] };
        params.issuing_distribution_point = Some(CrlIssuingDistributionPoint { distribution_point, scope });
        assert_eq!(read(&root.crl_of(&params), &root).unwrap().scope().to_string(), shown);
    }
    assert_eq!(read(&root.crl(1, &[]), &root).unwrap().scope().to_string(), "all");
}

#[test]
fn a_list_without_a_number_is_refused() {
    let root = Authority::root("root");
    let list = RawCrl { number: None, ..RawCrl::good() };
    assert_eq!(read(&root.raw_crl(&list), &root).unwrap_err(), CrlFault::NoNumber);
}

#[test]
fn a_number_of_more_than_twenty_octets_is_refused() {
    let root = Authority::root("root");
    let number = |octets| RawCrl { number: Some(tagged(0x02, &[0x01; 21][..octets])), ..RawCrl::good() };
    assert_eq!(read(&root.raw_crl(&number(21)), &root).unwrap_err(), CrlFault::NoNumber);
    assert!(read(&root.raw_crl(&number(20)), &root).is_ok());
}

#[test]
fn a_list_that_never_ends_is_refused() {
    let root = Authority::root("root");
    let list = RawCrl { next_update: None, ..RawCrl::good() };
    assert_eq!(read(&root.raw_crl(&list), &root).unwrap_err(), CrlFault::NoNextUpdate);
}

#[test]
fn a_list_that_ends_before_it_begins_is_refused() {
    let root = Authority::root("root");
    let list = RawCrl { next_update: Some(today() - Duration::days(9)), ..RawCrl::good() };
    assert_eq!(read(&root.raw_crl(&list), &root).unwrap_err(), CrlFault::Backwards);
}

#[test]
fn a_list_signed_with_an_algorithm_that_is_not_accepted_is_refused() {
    let root = Authority::root("root");
    // ecdsa-with-SHA224: as long as the one with SHA-256, so that only the last arc changes.
    let list = testing::patched(root.crl(1, &[]).as_ref(), &ECDSA_SHA256, &ECDSA_SHA224);
    assert_eq!(read(&list.into(), &root).unwrap_err(), CrlFault::WeakSignature);
}

const ECDSA_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA224: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01];

#[test]
fn a_good_list_names_what_is_revoked_and_since_when() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let list = read(&root.crl(7, &[&leaf.serial]), &root).unwrap();
    assert_eq!(list.number().as_u64(), Some(7));
    assert_eq!(list.revoked_count(), 1);
    let since = list.revoked_since(leaf.serial.as_ref()).unwrap();
    assert!(since < testing::moment(today()));
    assert_eq!(list.revoked_since(root.serial.as_ref()), None);
}
