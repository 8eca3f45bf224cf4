//! Cases 13 to 18, 21 and 22: what stands in a certificate, and how much of it.

use std::{
    sync::LazyLock,
    time::{Duration, Instant},
};

use protocol::{
    identity_rule::{CodeTemplate, Codes, IdentityRule, IdentityRules, IssuerCondition, Look, Pattern},
    party::{Environment, Role},
};
use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, GeneralSubtree, NameConstraints, SanType};
use rustls_pki_types::CertificateDer;

use crate::{
    clock::now,
    fault::PeerFault,
    leaf::Purpose,
    oid::{self, tagged},
    path::{CERTIFICATE_BYTES_MAX, CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX},
    policy::Policy,
    testing::{
        self, Authority, INSTITUTION, authority_params, client_params, dns, uri,
        world::{World, meet, stolen},
    },
};

/// A policy by which the name at this place is an institution's code.
fn by(place: &str, pattern: &str) -> Policy {
    let first = Look { place: place.parse().unwrap(), pattern: Pattern::new(pattern).unwrap() };
    let rule = IdentityRule::patterns(
        "rule",
        IssuerCondition::default(),
        (first, vec![]),
        Environment::Test,
        Role::Institution,
        Codes::Joined(CodeTemplate::default()),
    );
    Policy { identities: IdentityRules::new(vec![rule.unwrap()]), ..Policy::default() }
}

/// What a root's trust of this policy says of a client with this certificate.
fn judge(policy: Policy, params: &CertificateParams) -> Result<String, PeerFault> {
    let root = Authority::root("root");
    let trust = testing::trust_by(policy, &[&root.der], &[], &[&root.crl(1, &[])]);
    let peer = trust.verify(&[root.leaf(params).der], Purpose::TlsClient, now())?;
    Ok(peer.identity().to_uri())
}

/// A client's certificate with these alternative names only.
fn named(names: Vec<SanType>) -> CertificateParams {
    let mut params = client_params();
    params.subject_alt_names = names;
    params
}

/// A client's certificate with a subject of these attributes only, and no alternative name.
fn called(attributes: Vec<(DnType, DnValue)>) -> CertificateParams {
    let mut params = named(vec![]);
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in attributes {
        params.distinguished_name.push(kind, value);
    }
    params
}

const REFUSED: Result<String, PeerFault> = Err(PeerFault::BadIdentity);

#[test]
fn case_13_a_uri_mail_or_other_name_that_looks_like_a_host_never_matches_a_rule_for_hosts() {
    let rule = || by("san:dns", r"c(?<code>\d{10})\.claims\.example");
    let host = "c1310000018.claims.example";
    let mail = SanType::Rfc822Name(host.try_into().unwrap());
    let other = SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], host.into()));
    for elsewhere in [uri(host), mail, other] {
        assert_eq!(judge(rule(), &named(vec![elsewhere])), REFUSED);
    }
    let subject = called(vec![(DnType::CommonName, host.into())]);
    assert_eq!(judge(rule(), &subject), REFUSED);
    assert_eq!(judge(rule(), &named(vec![dns(host)])).unwrap(), INSTITUTION);
}

#[test]
fn case_13_a_host_mail_or_subject_that_looks_like_our_uri_is_no_identity() {
    let mail = SanType::Rfc822Name(INSTITUTION.try_into().unwrap());
    for elsewhere in [dns(INSTITUTION), mail] {
        assert_eq!(judge(Policy::default(), &named(vec![elsewhere])), REFUSED);
    }
    let subject = called(vec![(DnType::CommonName, INSTITUTION.into())]);
    assert_eq!(judge(Policy::default(), &subject), REFUSED);
}

#[test]
fn case_14_a_name_with_nul_or_of_a_wide_string_type_never_matches_a_prefix() {
    let prefix = || by("subject:CN", r"(?s)(?<code>\d{10}).*");
    assert_eq!(
        judge(prefix(), &called(vec![(DnType::CommonName, "1310000018x".into())])).unwrap(),
        INSTITUTION
    );
    for value in [
        "1310000018\0.evil.example".into(),
        DnValue::BmpString("1310000018x".try_into().unwrap()),
        DnValue::UniversalString("1310000018x".try_into().unwrap()),
        DnValue::TeletexString("1310000018x".try_into().unwrap()),
    ] {
        assert_eq!(judge(prefix(), &called(vec![(DnType::CommonName, value)])), REFUSED);
    }
    let in_uri = by("san:uri", r"(?s)x:(?<code>\d{10}).*");
    assert_eq!(judge(in_uri, &named(vec![uri("x:1310000018\0.evil.example")])), REFUSED);
}

#[test]
fn case_15_a_certificate_for_mail_only_or_for_anything_or_for_the_other_side_is_refused() {
    let any: &[u8] = &[0x55, 0x1d, 0x25, 0x00];
    let mail: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04];
    let with = |purposes: &[&[u8]]| {
        let mut params = client_params();
        params.custom_extensions = vec![testing::eku(purposes)];
        judge(Policy::default(), &params)
    };
    for purposes in [
        &[mail][..],
        &[any],
        &[any, oid::CLIENT_AUTH],
        &[oid::SERVER_AUTH],
        &[oid::EVIDENCE],
        &[oid::EVIDENCE, oid::CLIENT_AUTH],
        // Both sides: for those at the centre only.
        &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
    ] {
        assert_eq!(with(purposes), Err(PeerFault::WrongEku), "{purposes:x?}");
    }
    assert!(with(&[oid::CLIENT_AUTH, mail]).is_ok());
    let mut centre = testing::leaf_params(testing::CENTRE, oid::CLIENT_AUTH);
    centre.custom_extensions = vec![testing::eku(&[oid::SERVER_AUTH, oid::CLIENT_AUTH])];
    assert_eq!(judge(Policy::default(), &centre).unwrap(), testing::CENTRE);
}

#[test]
fn case_15_an_authority_for_servers_or_mail_only_makes_no_clients() {
    let mail: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04];
    for purpose in [oid::SERVER_AUTH, mail] {
        let root = Authority::root("root");
        let mut params = authority_params("below");
        params.custom_extensions.push(testing::eku(&[purpose]));
        let below = root.below_of(params);
        let leaf = below.leaf(&client_params());
        let lists = [root.crl(1, &[]), below.crl(1, &[])];
        let trust = testing::trust(&[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
        let refused = trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now());
        assert_eq!(refused, Err(PeerFault::WrongEku));
    }
}

#[test]
fn case_16_two_attributes_of_one_kind_are_refused_or_matched_whole_and_the_last_never_wins() {
    let unit = |text: &str| (DnType::OrganizationalUnitName, DnValue::from(text));
    // The builder holds an attribute once; by another name of the same identifier it holds it twice.
    let again = |value: DnValue| (DnType::CustomDnType(vec![2, 5, 4, 11]), value);
    let rule = || by("subject:OU", r"(?<code>\d{10})");
    assert_eq!(judge(rule(), &called(vec![unit("1310000018")])).unwrap(), INSTITUTION);
    let wide = DnValue::BmpString("1310000018".try_into().unwrap());
    for second in ["1310000018".into(), "1310000026".into(), "医科".into(), wide] {
        let both = called(vec![unit("1310000018"), again(second)]);
        assert_eq!(judge(rule(), &both), REFUSED);
    }
    let whole = || by("subject", r"OU=医科, OU=(?<code>\d{10})");
    let both = |first, second: &str| called(vec![unit(first), again(second.into())]);
    assert_eq!(judge(whole(), &both("医科", "1310000018")).unwrap(), INSTITUTION);
    assert_eq!(judge(whole(), &both("1310000026", "1310000018")), REFUSED);
    // One value that looks like two attributes.
    assert_eq!(judge(whole(), &called(vec![unit("医科, OU=1310000018")])), REFUSED);
}

#[test]
fn case_17_punycode_control_characters_and_excessive_names_spoil_a_certificate() {
    let long_host = format!("{}.example", "a.".repeat(150));
    let long_uri = format!("https://example.jp/{}", "a".repeat(17 * 1024));
    let mail = |text: &str| SanType::Rfc822Name(text.try_into().unwrap());
    for spoilt in [
        dns("xn--bcher-kva.example"),
        dns("a\u{7}.example"),
        dns(&long_host),
        dns(&format!("{}.example", "a".repeat(64))),
        uri("https://xn--bcher-kva.example/"),
        uri("https://example.jp/\r\n"),
        uri(&long_uri),
        mail("a@xn--bcher-kva.example"),
        SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 9], "a\u{202e}b@example.jp".into())),
    ] {
        assert_eq!(
            judge(Policy::default(), &named(vec![uri(INSTITUTION), spoilt.clone()])),
            REFUSED,
            "{spoilt:?}"
        );
    }
}

#[test]
fn case_17_no_cut_or_altered_certificate_makes_the_reader_panic() {
    let root = Authority::root("root");
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let mut params = client_params();
    params.subject_alt_names.push(dns("edge.example"));
    params.subject_alt_names.push(SanType::OtherName((vec![1, 2, 3], "text".into())));
    params.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: vec!["http://x/".to_owned()] }];
    let der = root.leaf(&params).der.to_vec();
    let refused =
        |bytes: &[u8]| trust.verify(&[CertificateDer::from(bytes)], Purpose::TlsClient, now()).is_err();
    for at in 0..der.len() {
        assert!(refused(&der[..at]));
        for value in [0x00, 0x7f, 0x80, 0xff, der[at] ^ 1] {
            let mut altered = der.clone();
            altered[at] = value;
            assert_eq!(refused(&altered), altered != der, "byte {at} = {value:02x}");
            // Unverified bytes reach the names as well, when a refusal is described or a certificate inspected.
            let _ = crate::inspect::CertificateFacts::of(&altered.into(), &Policy::default());
        }
    }
}

/// What is said of a client with these names below an authority that may certify this subtree only.
fn below_constraint(subtree: GeneralSubtree, names: Vec<SanType>) -> Option<PeerFault> {
    let root = Authority::root("root");
    let mut params = authority_params("below");
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: vec![subtree], excluded_subtrees: vec![] });
    let below = root.below_of(params);
    let leaf = below.leaf(&named(names));
    let lists = [root.crl(1, &[]), below.crl(1, &[])];
    let policy = by("san:dns", r"(?:c(?<code>\d{10})|\*)\..*");
    let trust = testing::trust_by(policy, &[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
    trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now()).err()
}

#[test]
fn case_18_hosts_wildcards_and_uris_outside_the_permitted_subtrees_are_refused() {
    let hosts = || GeneralSubtree::DnsName("example.jp".to_owned());
    let ours = || dns("c1310000018.example.jp");
    assert_eq!(below_constraint(hosts(), vec![ours()]), None);
    for outside in ["edge.example.com", "*.example.com", "*.co.jp"] {
        let fault = below_constraint(hosts(), vec![ours(), dns(outside)]);
        assert_eq!(fault, Some(PeerFault::NameNotAllowed), "{outside}");
    }
    // The library judges no URI by a constraint, and so refuses every one where there is a constraint for URIs: an
    // authority that certifies our URIs has constraints for hosts and directory names only.
    let uris = tagged(0x30, &tagged(0xa0, &tagged(0x30, &tagged(0x86, b".example.jp"))));
    let root = Authority::root("root");
    let mut params = authority_params("below");
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], uris);
    extension.set_criticality(true);
    params.custom_extensions.push(extension);
    let below = root.below_of(params);
    let lists = [root.crl(1, &[]), below.crl(1, &[])];
    let trust = testing::trust(&[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
    for names in [vec![uri(INSTITUTION)], vec![uri("https://a.example.com/"), uri(INSTITUTION)]] {
        let chain = [below.leaf(&named(names)).der, below.der.clone()];
        assert_eq!(trust.verify(&chain, Purpose::TlsClient, now()), Err(PeerFault::NameNotAllowed));
    }
}

/// What this thread has used of its processor, where the system tells; else the time that passed.
fn used() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| BEGAN.elapsed(), Duration::from_nanos)
}

/// The shortest of some tries: what the machine does besides is not measured.
fn shortest(mut judge: impl FnMut()) -> Duration {
    let tries = (0..5).map(|_| {
        let before = used();
        judge();
        used() - before
    });
    tries.min().unwrap()
}

const QUICK: Duration = Duration::from_millis(100);

#[test]
fn case_21_a_chain_with_as_many_cross_signed_authorities_as_fit_fails_quickly() {
    let root = Authority::root("root");
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    // Authorities of one name, each signed by the next of them, none by the root.
    let mut chain = vec![Authority::root("same")];
    for _ in 1..CHAIN_CERTIFICATES_MAX {
        let next = chain.last().unwrap().below("same");
        chain.push(next);
    }
    let leaf = chain.last().unwrap().leaf(&client_params());
    let shown: Vec<CertificateDer<'_>> =
        std::iter::once(leaf.der).chain(chain.iter().skip(1).map(|ca| ca.der.clone())).collect();
    assert_eq!(shown.len(), CHAIN_CERTIFICATES_MAX);
    let took = shortest(|| assert!(trust.verify(&shown, Purpose::TlsClient, now()).is_err()));
    println!("{took:?}");
    assert!(took < QUICK, "{took:?}");
}

#[test]
fn case_21_as_many_names_and_constraints_as_fit_are_judged_quickly() {
    let root = Authority::root("root");
    let constrained = |authority: &Authority, name: &str| {
        let mut params = authority_params(name);
        let excluded = (0..900).map(|n| GeneralSubtree::DnsName(format!("x{n}.example.com"))).collect();
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: vec![], excluded_subtrees: excluded });
        authority.below_of(params)
    };
    let one = constrained(&root, "one");
    let two = constrained(&one, "two");
    let mut names = vec![uri(INSTITUTION)];
    names.extend((0..800).map(|n| dns(&format!("edge{n}.clinic.example.jp"))));
    let leaf = two.leaf(&named(names));
    let chain = [leaf.der, two.der.clone(), one.der.clone()];
    assert!(chain.iter().all(|der| der.len() <= CERTIFICATE_BYTES_MAX));
    let lists = [root.crl(1, &[]), one.crl(1, &[]), two.crl(1, &[])];
    let trust = testing::trust(&[&root.der], &[&one.der, &two.der], &[&lists[0], &lists[1], &lists[2]]);
    let took = shortest(|| {
        let _ = trust.verify(&chain, Purpose::TlsClient, now());
    });
    println!("{took:?}");
    assert!(took < QUICK, "{took:?}");
}

#[test]
fn case_22_more_certificates_or_bytes_than_allowed_are_cut_before_any_is_read() {
    let root = Authority::root("root");
    let leaf = root.leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let judge = |chain: &[CertificateDer<'_>]| trust.verify(chain, Purpose::TlsClient, now()).map(drop);
    let rubbish = |length| CertificateDer::from(vec![0xff; length]);
    let with = |count: usize, length: usize| {
        let mut chain = vec![leaf.der.clone()];
        chain.extend((1..count).map(|_| rubbish(length)));
        judge(&chain)
    };
    // Rubbish within the limits is only of no use.
    assert_eq!(with(CHAIN_CERTIFICATES_MAX, 1), Ok(()));
    assert_eq!(with(CHAIN_CERTIFICATES_MAX + 1, 1), Err(PeerFault::ChainTooLong));
    assert_eq!(with(2, CERTIFICATE_BYTES_MAX), Ok(()));
    assert_eq!(with(2, CERTIFICATE_BYTES_MAX + 1), Err(PeerFault::ChainTooLong));
    let rest = CHAIN_BYTES_MAX - CERTIFICATE_BYTES_MAX - leaf.der.len();
    let full = |rest| judge(&[leaf.der.clone(), rubbish(CERTIFICATE_BYTES_MAX), rubbish(rest)]);
    assert_eq!(full(rest), Ok(()));
    assert_eq!(full(rest + 1), Err(PeerFault::ChainTooLong));
    assert_eq!(judge(&[rubbish(CERTIFICATE_BYTES_MAX + 1)]), Err(PeerFault::ChainTooLong));
}

#[test]
fn case_22_a_certificate_message_over_the_limit_ends_the_handshake_before_any_certificate_is_judged() {
    let world = World::new();
    let mut client = (*world.client_config(world.trust())).clone();
    let shown = stolen(&world.client, &world.client);
    let key = rustls::client::ResolvesClientCert::resolve(&*shown, &[], &[]).unwrap().key.clone();
    let chain = vec![CertificateDer::from(vec![0xff; CERTIFICATE_BYTES_MAX]); 3];
    client.client_auth_cert_resolver = std::sync::Arc::new(rustls::sign::SingleCertAndKey::from(
        rustls::sign::CertifiedKey::new(chain, key),
    ));
    let met = meet(std::sync::Arc::new(client), world.server_config(world.trust()));
    let error = met.server.unwrap_err();
    assert_eq!(crate::tls::own_refusal(&error), None, "it was judged: {error}");
}
