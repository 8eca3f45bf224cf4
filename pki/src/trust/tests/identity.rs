//! Identity rules, applied wherever a certificate is read.

use std::sync::Arc;

use protocol::{
    digest::Sha256,
    identity_rule::{CodeTemplate, Codes, IdentityRule, IdentityRules, IssuerCondition, Look, Pattern},
    jws::{SignedBytes, Signer as _, Verifier as _},
    party::{Environment, Role},
};

use super::*;
use crate::{
    credential::{Credential, CredentialFault},
    evidence::{EvidenceSigner, EvidenceVerifier, Freshness},
    inspect::CertificateFacts,
    tls::{Refused, TlsPolicy, TlsServer, client_config},
};

/// SHA-256 over a root's SubjectPublicKeyInfo, read by another library than the one that judges.
fn key_of(authority: &Authority) -> Sha256 {
    Sha256::of(crate::leaf::parse(&authority.der).unwrap().public_key().raw)
}

fn below(authority: &Authority) -> IssuerCondition {
    IssuerCondition { anchor_key: Some(key_of(authority)), ..IssuerCondition::default() }
}

/// The code stands in the common name, as digits.
fn by_common_name(name: &str, issuer: IssuerCondition, role: Role) -> IdentityRule {
    let first =
        Look { place: "subject:CN".parse().unwrap(), pattern: Pattern::new(r"(?<code>\d+)").unwrap() };
    let codes = Codes::Joined(CodeTemplate::default());
    IdentityRule::patterns(name, issuer, (first, vec![]), Environment::Test, role, codes).unwrap()
}

fn policy(rules: Vec<IdentityRule>) -> Policy {
    Policy { identities: IdentityRules::new(rules), ..Policy::default() }
}

/// A certificate that names its holder in the common name only.
fn called(code: &str, purpose: &[u8]) -> CertificateParams {
    let mut params = leaf_params("urn:x", purpose);
    params.subject_alt_names.clear();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, code);
    params
}

#[test]
fn each_anchor_names_holders_of_its_own_rule_only() {
    let (institutions, insurers) = (Authority::root("same"), Authority::root("same"));
    let rules = vec![
        by_common_name("institutions", below(&institutions), Role::Institution),
        by_common_name("insurers", below(&insurers), Role::Insurer),
    ];
    let lists = [institutions.crl(1, &[]), insurers.crl(1, &[])];
    let roots = [&institutions.der, &insurers.der];
    let trust = testing::trust_by(policy(rules), &roots, &[], &[&lists[0], &lists[1]]);
    let judge = |authority: &Authority, code| {
        let leaf = authority.leaf(&called(code, oid::CLIENT_AUTH));
        trust.verify(&[leaf.der], Purpose::TlsClient, now()).map(|peer| peer.identity().to_uri())
    };
    assert_eq!(judge(&institutions, "1310000018").unwrap(), testing::INSTITUTION);
    assert_eq!(judge(&insurers, "06132013").unwrap(), "urn:sekisho:test:insurer:06132013");
    // Eight digits are no institution, whoever says so.
    assert_eq!(judge(&institutions, "06132013"), Err(PeerFault::BadIdentity));
}

#[test]
fn a_rule_may_ask_for_the_authority_that_signed_and_for_the_name_of_the_anchor() {
    let root = Authority::root("root");
    let (clinics, others) = (root.below("clinics"), root.below("others"));
    let condition = IssuerCondition {
        anchor_name: Some("CN=root".to_owned()),
        issuer_name: Some("CN=clinics".to_owned()),
        ..IssuerCondition::default()
    };
    let rules = policy(vec![by_common_name("clinics", condition, Role::Institution)]);
    let lists = [root.crl(1, &[]), clinics.crl(1, &[]), others.crl(1, &[])];
    let lists: Vec<_> = lists.iter().collect();
    let trust = testing::trust_by(rules, &[&root.der], &[&clinics.der, &others.der], &lists);
    let judge = |authority: &Authority| {
        let leaf = authority.leaf(&called("1310000018", oid::CLIENT_AUTH));
        trust.verify(&[leaf.der, authority.der.clone()], Purpose::TlsClient, now()).is_ok()
    };
    assert!(judge(&clinics));
    assert!(!judge(&others));
}

#[test]
fn our_own_certificate_is_read_by_the_same_rules_and_its_anchors_key_where_its_file_ends_in_it() {
    let (root, other) = (Authority::root("root"), Authority::root("root"));
    let issuing = root.below("issuing");
    let rules = policy(vec![
        by_common_name("institutions", below(&root), Role::Institution),
        by_common_name("agents", below(&other), Role::BillingAgent),
    ]);
    let leaf = issuing.leaf(&called("1310000018", oid::CLIENT_AUTH));
    let read = |above: &[&CertificateDer<'_>]| {
        let chain: Vec<_> = std::iter::once(&leaf.der).chain(above.iter().copied()).collect();
        Credential::from_pem(&certificates_pem(&chain), &testing::key_pem(&leaf.key), &rules)
            .map(|own| own.own().identity().to_uri())
    };
    assert_eq!(read(&[&issuing.der, &root.der]).unwrap(), testing::INSTITUTION);
    // Without the anchor both rules may be meant, and they name different holders.
    assert!(matches!(read(&[&issuing.der]), Err(CredentialFault::Identity(_))));
}

#[test]
fn evidence_is_judged_by_the_same_rules_while_live_and_from_a_bundle() {
    let root = Authority::root("root");
    let rules = policy(vec![by_common_name("institutions", below(&root), Role::Institution)]);
    let leaf = root.leaf(&called("1310000018", oid::EVIDENCE));
    let signer = EvidenceSigner::from_pem(
        &certificates_pem(&[&leaf.der]),
        &testing::key_pem(&leaf.key),
        &rules,
        Environment::Test,
        now(),
    );
    let signer = signer.unwrap();
    let signature = signer.sign(b"statement").unwrap();
    let signed = SignedBytes {
        algorithm: signer.algorithm(),
        chain: signer.chain(),
        message: b"statement",
        signature: &signature,
    };
    let list = root.crl(1, &[]);
    let judge = |policy: Policy| {
        let trust = testing::trust_by(policy.clone(), &[&root.der], &[], &[&list]);
        let live = EvidenceVerifier::live(Arc::new(trust)).verify(&signed, now());
        let (anchors, lists) = (certificates_pem(&[&root.der]), vec![crls_pem(&[&list])]);
        let bundle = EvidenceVerifier::from_pem(&anchors, &lists, Freshness::AtTime, policy).unwrap();
        [live, bundle.verify(&signed, now())].map(|verdict| verdict.map(|identity| identity.to_uri()).ok())
    };
    assert_eq!(judge(rules), [Some(testing::INSTITUTION.to_owned()), Some(testing::INSTITUTION.to_owned())]);
    assert_eq!(judge(Policy::default()), [None, None]);
}

#[test]
fn both_sides_of_a_handshake_know_each_other_by_the_rules() {
    let (agencies, clinics) = (Authority::root("agencies"), Authority::root("clinics"));
    let rules = policy(vec![
        by_common_name("agencies", below(&agencies), Role::ReviewAgency),
        by_common_name("clinics", below(&clinics), Role::Institution),
    ]);
    let mut server = called("113", oid::SERVER_AUTH);
    server.subject_alt_names.push(testing::dns(testing::HOST));
    let (server, client) = (agencies.leaf(&server), clinics.leaf(&called("1310000018", oid::CLIENT_AUTH)));
    let own = |leaf: &Leaf, root: &Authority| {
        let chain = certificates_pem(&[&leaf.der, &root.der]);
        Credential::from_pem(&chain, &testing::key_pem(&leaf.key), &rules).unwrap()
    };
    let trust = |root: &Authority| {
        Arc::new(testing::trust_by(rules.clone(), &[&root.der], &[], &[&root.crl(1, &[])]))
    };
    let tls = TlsPolicy::default();
    let observer = Arc::new(|_: &Refused| ());
    let listener =
        TlsServer::new(&own(&server, &agencies), trust(&clinics), Environment::Test, tls, observer).unwrap();
    let dial = |party: &str| {
        let own = own(&client, &clinics);
        client_config(&own, trust(&agencies), party.parse().unwrap(), Environment::Test, tls).unwrap()
    };
    let (accepting, judged) = listener.connection().unwrap();
    let met = testing::world::meet(dial("review-agency:113"), accepting);
    assert!(met.client.is_ok());
    assert_eq!(judged.peer(&met.server.unwrap()).unwrap().identity().to_uri(), testing::INSTITUTION);
    let met = testing::world::meet(dial("review-agency:127"), listener.connection().unwrap().0);
    assert_eq!(crate::tls::own_refusal(&met.client.unwrap_err()), Some(PeerFault::WrongParty));
}

#[test]
fn an_inspected_certificate_is_read_by_the_rules_too() {
    let root = Authority::root("root");
    let leaf = root.leaf(&called("1310000018", oid::CLIENT_AUTH));
    let rules = policy(vec![by_common_name("institutions", below(&root), Role::Institution)]);
    let identity = CertificateFacts::of(&leaf.der, &rules).unwrap().identity;
    assert_eq!(identity.unwrap().to_uri(), testing::INSTITUTION);
    assert!(CertificateFacts::of(&leaf.der, &Policy::default()).unwrap().identity.is_err());
}
