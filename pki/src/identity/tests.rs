use rcgen::{CustomExtension, SanType};

use super::*;
use crate::{
    oid,
    testing::{self, Authority, INSTITUTION, dns, uri},
};

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

#[test]
fn no_identity_is_refused() {
    assert_eq!(named(vec![]), Err(IdentityFault::None));
    assert_eq!(named(vec![uri("https://example.jp/")]), Err(IdentityFault::None));
}

#[test]
fn two_identities_are_refused_even_if_they_are_the_same() {
    assert_eq!(named(vec![uri(INSTITUTION), uri(INSTITUTION)]), Err(IdentityFault::Several));
    let other = uri("urn:sekisho:test:institution:1310000026");
    assert_eq!(named(vec![uri(INSTITUTION), other]), Err(IdentityFault::Several));
}

#[test]
fn a_second_identity_does_not_hide_behind_capitals() {
    let shouted = uri("URN:Sekisho:test:institution:1310000026");
    assert_eq!(named(vec![uri(INSTITUTION), shouted]), Err(IdentityFault::Several));
}

#[test]
fn a_second_alternative_name_extension_is_refused() {
    let mut params = testing::client_params();
    params.custom_extensions.push(raw(&[(0x86, b"https://example.jp/")]));
    let leaf = Authority::root("root").leaf(&params);
    assert!(identity_of(&leaf.der).is_err());
}

#[test]
fn an_identity_of_another_name_type_is_none() {
    assert_eq!(named(vec![SanType::DnsName(INSTITUTION.try_into().unwrap())]), Err(IdentityFault::None));
    assert_eq!(named(vec![SanType::Rfc822Name(INSTITUTION.try_into().unwrap())]), Err(IdentityFault::None));
}

#[test]
fn an_identity_in_the_subject_is_none() {
    let mut params = testing::client_params();
    params.subject_alt_names.clear();
    params.distinguished_name.push(rcgen::DnType::CommonName, INSTITUTION);
    assert_eq!(identity_of(&Authority::root("root").leaf(&params).der), Err(IdentityFault::None));
}

#[test]
fn names_with_nul_control_or_other_characters_are_refused() {
    for unsafe_name in [
        "urn:sekisho:test:institution:1310000018\0",
        "urn:sekisho:test:\n",
        "urn: sekisho",
        "https://x/\u{7f}",
    ] {
        assert_eq!(named(vec![uri(unsafe_name)]), Err(IdentityFault::UnsafeName), "{unsafe_name:?}");
    }
    assert_eq!(named(vec![uri(INSTITUTION), dns("a\0.example")]), Err(IdentityFault::UnsafeName));
    assert_eq!(
        raw_named(&[(0x86, "urn:sekisho:test:institution:13100000１8".as_bytes())]),
        Err(IdentityFault::UnsafeName)
    );
}

#[test]
fn a_name_that_is_not_even_text_is_refused() {
    assert_eq!(
        raw_named(&[(0x86, INSTITUTION.as_bytes()), (0x82, &[0xff, 0xfe])]),
        Err(IdentityFault::UnsafeName)
    );
}

#[test]
fn a_name_of_excessive_length_is_refused() {
    let long = format!("https://example.jp/{}", "a".repeat(NAME_LENGTH_MAX));
    assert_eq!(named(vec![uri(INSTITUTION), uri(&long)]), Err(IdentityFault::UnsafeName));
}

#[test]
fn a_malformed_identity_is_refused() {
    let short = named(vec![uri("urn:sekisho:test:institution:131")]);
    assert_eq!(short, Err(IdentityFault::Malformed(PartyError::CodeDoesNotFitRole)));
    assert!(named(vec![uri("URN:sekisho:test:institution:1310000018")]).is_err());
}

#[test]
fn bytes_after_the_certificate_are_refused() {
    let mut der = Authority::root("root").leaf(&testing::client_params()).der.to_vec();
    der.push(0);
    assert_eq!(identity_of(&der), Err(IdentityFault::Unreadable));
}

#[test]
fn no_altered_or_cut_certificate_makes_the_reader_panic() {
    let der = Authority::root("root").leaf(&testing::client_params()).der.to_vec();
    for at in 0..der.len() {
        assert_eq!(identity_of(&der[..at]), Err(IdentityFault::Unreadable));
        for value in [0x00, 0x7f, 0x80, 0xff, der[at] ^ 1] {
            let mut altered = der.clone();
            altered[at] = value;
            // Whatever it answers, it answers.
            let _ = identity_of(&altered);
        }
    }
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
