use protocol::{
    identity_rule::{CertificateNames, IdentityRules, IssuedBy},
    party::{Identity, PartyError},
};
use rcgen::{CustomExtension, DnType, DnValue, SanType};
use rustls_pki_types::CertificateDer;

use super::*;
use crate::{
    leaf, oid,
    testing::{self, Authority, INSTITUTION, dns, uri},
};

/// The identity that a certificate proves by the rule of the lab.
fn identity_of(der: &[u8]) -> Result<Identity, IdentityFault> {
    let der = CertificateDer::from(der);
    let certificate = leaf::parse(&der).map_err(|_| IdentityFault::Unreadable)?;
    let issued_by = IssuedBy { anchor_name: String::new(), anchor_key: None, issuer_name: String::new() };
    let names = names_of(&certificate)?;
    IdentityRules::default().identify(&CertificateNames { issued_by, names })
}

const SAN_ARCS: &[u64] = &[2, 5, 29, 17];

fn named(names: Vec<SanType>) -> Result<Identity, IdentityFault> {
    let mut params = testing::client_params();
    params.subject_alt_names = names;
    identity_of(&Authority::root("root").leaf(&params).der)
}

/// A subject alternative name whose names are written by hand: tag and content of each.
fn raw(names: &[(u8, &[u8])]) -> CustomExtension {
    let content: Vec<u8> = names.iter().flat_map(|(tag, content)| oid::tagged(*tag, content)).collect();
    CustomExtension::from_oid_content(SAN_ARCS, oid::tagged(0x30, &content))
}

fn raw_named(names: &[(u8, &[u8])]) -> Result<Identity, IdentityFault> {
    let mut params = testing::client_params();
    params.subject_alt_names.clear();
    params.custom_extensions.push(raw(names));
    identity_of(&Authority::root("root").leaf(&params).der)
}

fn unsafe_at(place: Place) -> Result<Identity, IdentityFault> {
    Err(IdentityFault::Unsafe { place })
}

#[test]
fn no_identity_is_refused() {
    assert_eq!(named(vec![]), Err(IdentityFault::None));
    assert_eq!(named(vec![uri("https://example.jp/")]), Err(IdentityFault::None));
}

#[test]
fn two_identities_are_refused_even_if_they_are_the_same() {
    assert_eq!(
        named(vec![uri(INSTITUTION), uri(INSTITUTION)]),
        Err(IdentityFault::Several { place: Place::Uri })
    );
    let other = uri("urn:sekisho:test:institution:1310000026");
    assert_eq!(named(vec![uri(INSTITUTION), other]), Err(IdentityFault::Several { place: Place::Uri }));
}

#[test]
fn a_second_identity_does_not_hide_behind_capitals() {
    let shouted = uri("URN:Sekisho:test:institution:1310000026");
    assert_eq!(named(vec![uri(INSTITUTION), shouted]), Err(IdentityFault::Several { place: Place::Uri }));
}

#[test]
fn a_second_alternative_name_extension_is_refused() {
    let mut params = testing::client_params();
    params.custom_extensions.push(raw(&[(0x86, b"https://example.jp/")]));
    let leaf = Authority::root("root").leaf(&params);
    assert!(identity_of(&leaf.der).is_err());
}

#[test]
fn names_with_nul_control_or_other_characters_are_refused() {
    for unsafe_name in [
        "urn:sekisho:test:institution:1310000018\0",
        "urn:sekisho:test:\n",
        "urn: sekisho",
        "https://x/\u{7f}",
    ] {
        assert_eq!(named(vec![uri(unsafe_name)]), unsafe_at(Place::Uri), "{unsafe_name:?}");
    }
    assert_eq!(named(vec![uri(INSTITUTION), dns("a\0.example")]), unsafe_at(Place::Dns));
    assert_eq!(
        raw_named(&[(0x86, "urn:sekisho:test:institution:13100000１8".as_bytes())]),
        unsafe_at(Place::Uri)
    );
}

#[test]
fn a_name_that_is_not_even_text_is_refused() {
    assert_eq!(raw_named(&[(0x86, INSTITUTION.as_bytes()), (0x82, &[0xff, 0xfe])]), unsafe_at(Place::Dns));
}

#[test]
fn a_malformed_identity_is_refused() {
    let short = named(vec![uri("urn:sekisho:test:institution:131")]);
    let source = PartyError::CodeDoesNotFitRole;
    assert_eq!(short, Err(IdentityFault::Malformed { rule: "urn".to_owned(), source }));
    assert!(named(vec![uri("URN:sekisho:test:institution:1310000018")]).is_err());
}

#[test]
fn bytes_after_the_certificate_are_refused() {
    let mut der = Authority::root("root").leaf(&testing::client_params()).der.to_vec();
    der.push(0);
    assert_eq!(identity_of(&der), Err(IdentityFault::Unreadable));
}

#[test]
fn one_identity_among_names_of_other_kinds_is_read() {
    let identity = named(vec![dns("edge.example"), uri("https://example.jp/"), uri(INSTITUTION)]).unwrap();
    assert_eq!(identity.to_uri(), INSTITUTION);
}

#[test]
fn a_thousand_codes_fit() {
    let codes: Vec<String> = (0..1000).map(|n| format!("131{n:07}")).collect();
    let agent = format!("urn:sekisho:test:billing-agent:{}", codes.join("+"));
    assert_eq!(named(vec![uri(&agent)]).unwrap().codes().len(), 1000);
}

#[test]
fn rubbish_behind_the_last_alternative_name_is_refused() {
    let identity = (0x86, INSTITUTION.as_bytes());
    assert!(raw_named(&[identity]).is_ok());
    // A length that reaches beyond the end.
    let mut params = testing::client_params();
    params.subject_alt_names.clear();
    let content = [oid::tagged(0x86, INSTITUTION.as_bytes()), vec![0x86, 0x7f, b'x']].concat();
    params.custom_extensions.push(CustomExtension::from_oid_content(SAN_ARCS, oid::tagged(0x30, &content)));
    assert_eq!(identity_of(&Authority::root("root").leaf(&params).der), Err(IdentityFault::Unreadable));
}

/// The names that a certificate with this subject holds.
fn subject(attributes: Vec<(DnType, DnValue)>) -> Vec<Name> {
    let mut params = testing::client_params();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in attributes {
        params.distinguished_name.push(kind, value);
    }
    let leaf = Authority::root("root").leaf(&params);
    names_of(&leaf::parse(&leaf.der).unwrap()).unwrap()
}

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

#[test]
fn subject_attributes_are_read_one_by_one_and_as_a_whole() {
    let names = subject(vec![
        (DnType::CountryName, DnValue::PrintableString("JP".try_into().unwrap())),
        (DnType::OrganizationName, "サンプル病院".into()),
        (DnType::CommonName, "1310000018".into()),
    ]);
    for (at, text) in [
        ("subject:C", "JP"),
        ("subject:O", "サンプル病院"),
        ("subject:CN", "1310000018"),
        ("subject", "C=JP, O=サンプル病院, CN=1310000018"),
    ] {
        assert!(names.contains(&Name::new(place(at), text)), "{at}");
    }
}

#[test]
fn string_types_without_one_reading_are_never_text() {
    for value in [
        DnValue::BmpString("1310000018".try_into().unwrap()),
        DnValue::UniversalString("1310000018".try_into().unwrap()),
        DnValue::TeletexString("1310000018".try_into().unwrap()),
    ] {
        let names = subject(vec![(DnType::CommonName, value)]);
        assert!(names.contains(&Name::foreign(place("subject:CN"))));
        assert!(names.contains(&Name::foreign(place("subject"))));
    }
}

#[test]
fn a_value_that_looks_like_another_attribute_is_told_apart() {
    let text = |attributes: Vec<(DnType, DnValue)>| {
        let mut params = testing::client_params();
        params.distinguished_name = rcgen::DistinguishedName::new();
        attributes.into_iter().for_each(|(kind, value)| params.distinguished_name.push(kind, value));
        let leaf = Authority::root("root").leaf(&params);
        distinguished_name(leaf::parse(&leaf.der).unwrap().subject())
    };
    let forged = text(vec![(DnType::OrganizationName, "x, CN=agency".into())]);
    let real = text(vec![(DnType::OrganizationName, "x".into()), (DnType::CommonName, "agency".into())]);
    assert_eq!((forged.as_str(), real.as_str()), (r"O=x\, CN\=agency", "O=x, CN=agency"));
    assert_eq!(text(vec![(DnType::CommonName, r"a\+#b".into())]), r"CN=a\\\+#b");
    assert_eq!(text(vec![(DnType::CommonName, "#b".into())]), r"CN=\#b");
}

#[test]
fn other_names_are_text_only_if_they_are_of_a_string_type() {
    // 1.3.6.1.4.1.311.20.2.3, the user principal name.
    let upn = oid::tagged(0x06, &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03]);
    let at = place("san:other:1.3.6.1.4.1.311.20.2.3");
    let read = |value: Vec<u8>| {
        let mut params = testing::client_params();
        params.subject_alt_names.clear();
        params.custom_extensions.push(raw(&[(0xa0, &[upn.clone(), oid::tagged(0xa0, &value)].concat())]));
        let leaf = Authority::root("root").leaf(&params);
        names_of(&leaf::parse(&leaf.der).unwrap()).unwrap()
    };
    assert!(read(oid::tagged(0x0c, b"1310000018")).contains(&Name::new(at.clone(), "1310000018")));
    for foreign in [oid::tagged(0x1e, b"\x001"), oid::tagged(0x30, b""), oid::tagged(0x0c, &[0xff]), vec![]] {
        assert!(read(foreign).contains(&Name::foreign(at.clone())));
    }
}
