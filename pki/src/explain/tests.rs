use rcgen::{CertificateParams, KeyUsagePurpose};

use super::*;
use crate::{
    clock::now,
    oid,
    policy::{CrlGrace, Policy},
    testing::{self, Authority, Leaf, authority_params, client_params, crl_params, dns, moment, today, uri},
};

/// root → below → leaf, and trust in the root with a list of each.
struct Path {
    root: Authority,
    below: Authority,
}

impl Path {
    fn new() -> Self {
        let root = Authority::root("root");
        let below = root.below("below");
        Path { root, below }
    }

    fn trust(&self, revoked: &[&Leaf]) -> Trust {
        let serials: Vec<_> = revoked.iter().map(|leaf| &leaf.serial).collect();
        let lists = [self.root.crl(3, &[]), self.below.crl(7, &serials)];
        testing::trust(&[&self.root.der], &[&self.below.der], &[&lists[0], &lists[1]])
    }

    fn explain(&self, leaf: &Leaf, revoked: &[&Leaf]) -> Explanation {
        let chain = [leaf.der.clone(), self.below.der.clone()];
        explain(&self.trust(revoked), &chain, Purpose::TlsClient, &[], now())
    }
}

/// Why a client with such a certificate is refused.
fn refused(edit: impl FnOnce(&mut CertificateParams)) -> Refused {
    let path = Path::new();
    let mut params = client_params();
    edit(&mut params);
    path.explain(&path.below.leaf(&params), &[]).verdict.unwrap_err()
}

fn hexadecimal(leaf: &Leaf) -> String {
    leaf.serial.to_string().replace(':', "")
}

#[test]
fn a_good_chain_is_explained_with_the_lists_that_speak_for_it() {
    let path = Path::new();
    let leaf = path.below.leaf(&client_params());
    let explained = path.explain(&leaf, &[]);
    assert_eq!(explained.verdict.as_ref().unwrap().identity().to_uri(), testing::INSTITUTION);
    let asked: Vec<(Option<u64>, Status)> = explained
        .asked
        .iter()
        .map(|asked| (asked.list.as_ref().and_then(|list| list.number.as_u64()), asked.status))
        .collect();
    assert_eq!(asked, [(Some(7), Status::Good), (Some(3), Status::Good)]);
    let shown = explained.to_string();
    for part in
        ["let in: urn:sekisho:test", "CN=leaf", "CN=below", "number 7 of CN=below", &hexadecimal(&leaf)]
    {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}

#[test]
fn a_revocation_is_told_with_certificate_date_and_number_of_the_list() {
    let path = Path::new();
    let leaf = path.below.leaf(&client_params());
    let explained = path.explain(&leaf, &[&leaf]);
    let refused = explained.verdict.as_ref().unwrap_err();
    assert_eq!(refused.fault, PeerFault::Revoked);
    let named = format!("the certificate of CN=leaf (number {}, issued by CN=below)", hexadecimal(&leaf));
    assert!(refused.causes[0].starts_with(&format!("{named}: it is revoked since 20")), "{refused:?}");
    assert!(refused.causes[1].starts_with("revocation list number 7 of CN=below, made 20"), "{refused:?}");
    assert!(explained.to_string().starts_with("refused: revoked\n  the certificate of CN=leaf"));
}

#[test]
fn each_fault_names_the_certificate_and_what_is_wrong_with_it() {
    let ended = |params: &mut CertificateParams| params.not_after = today() - time::Duration::minutes(1);
    let early = |params: &mut CertificateParams| params.not_before = today() + time::Duration::hours(1);
    let server =
        |params: &mut CertificateParams| params.custom_extensions = vec![testing::eku(&[oid::SERVER_AUTH])];
    let usage = |params: &mut CertificateParams| params.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    let nobody = |params: &mut CertificateParams| params.subject_alt_names = vec![dns("edge.example")];
    let two = |params: &mut CertificateParams| {
        params.subject_alt_names =
            vec![uri(testing::INSTITUTION), uri("urn:sekisho:test:institution:1310000026")];
    };
    for (refused, fault, words) in [
        (refused(ended), PeerFault::Expired, "it ended at 20"),
        (refused(early), PeerFault::NotYetValid, "it is not valid before 20"),
        (
            refused(server),
            PeerFault::WrongEku,
            "its extended key usages are serverAuth; wanted is clientAuth",
        ),
        (refused(usage), PeerFault::WrongKu, "its key usage does not allow this"),
        (refused(nobody), PeerFault::BadIdentity, "no identity rule fits its issuer and names"),
        (refused(two), PeerFault::BadIdentity, "it has more than one name at san:uri"),
    ] {
        assert_eq!(refused.fault, fault);
        assert!(refused.causes[0].contains("CN=leaf"), "{refused:?}");
        assert!(refused.causes.iter().any(|cause| cause.contains(words)), "{words} is not in {refused:?}");
    }
}

#[test]
fn an_authority_that_ended_is_named_and_not_the_leaf_below_it() {
    let root = Authority::root("root");
    let mut params = authority_params("below");
    params.not_after = today() - time::Duration::minutes(1);
    let below = root.below_of(params);
    let leaf = below.leaf(&client_params());
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let explained = explain(&trust, &[leaf.der, below.der], Purpose::TlsClient, &[], now());
    let refused = explained.verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::Expired);
    assert_eq!(refused.causes.len(), 1);
    assert!(refused.causes[0].starts_with("the certificate of CN=below"), "{refused:?}");
}

#[test]
fn an_issuer_that_nobody_knows_is_told_apart_from_one_with_another_key() {
    let path = Path::new();
    let leaf = path.below.leaf(&client_params());
    let trust = path.trust(&[]);
    let alone = explain(&trust, std::slice::from_ref(&leaf.der), Purpose::TlsClient, &[], now());
    let refused = alone.verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::UnknownCa);
    let words = "its issuer CN=below is neither a configured anchor nor among the certificates shown";
    assert!(refused.causes[0].ends_with(words), "{refused:?}");
    let impostor = path.root.below("below");
    let chain = [impostor.leaf(&client_params()).der, path.below.der.clone()];
    let refused = explain(&trust, &chain, Purpose::TlsClient, &[], now()).verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::BadSignature);
    assert!(
        refused.causes[0].ends_with("it is not signed by the key of CN=below that is known here"),
        "{refused:?}"
    );
}

#[test]
fn an_authority_without_a_list_is_named() {
    let path = Path::new();
    let trust = testing::trust(&[&path.root.der], &[], &[&path.root.crl(1, &[])]);
    let chain = [path.below.leaf(&client_params()).der, path.below.der.clone()];
    let explained = explain(&trust, &chain, Purpose::TlsClient, &[], now());
    let refused = explained.verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::CrlMissing);
    assert_eq!(refused.causes[1], "there is no revocation list of CN=below that covers it");
    assert_eq!(explained.asked[0].list, None);
}

#[test]
fn what_cannot_be_read_is_told_by_its_place() {
    let trust = Path::new().trust(&[]);
    let explained = explain(&trust, &[vec![0xff].into()], Purpose::TlsClient, &[], now());
    assert_eq!(explained.certificates, [None]);
    let refused = explained.verdict.unwrap_err();
    assert_eq!(
        (refused.fault, refused.causes[0].as_str()),
        (PeerFault::Malformed, "certificate 1 of the chain cannot be read")
    );
    let refused = explain(&trust, &[], Purpose::TlsClient, &[], now()).verdict.unwrap_err();
    assert_eq!((refused.fault, refused.causes[0].as_str()), (PeerFault::NoCert, "no certificate was shown"));
}

#[test]
fn grace_shows_in_the_answer_of_the_list() {
    let root = Authority::root("root");
    let mut ended = crl_params(4, &[]);
    ended.this_update = today() - time::Duration::days(2);
    ended.next_update = today() - time::Duration::hours(1);
    let policy =
        Policy { danger_crl_grace: CrlGrace::new("CN=root", Duration::from_secs(7200)), ..Policy::default() };
    let trust = testing::trust_by(policy, &[&root.der], &[], &[&root.crl_of(&ended)]);
    let explained = explain(&trust, &[root.leaf(&client_params()).der], Purpose::TlsClient, &[], now());
    assert!(explained.verdict.as_ref().unwrap().grace().is_some());
    assert!(explained.to_string().contains("is used by grace"), "{explained}");
}

#[test]
fn a_clock_behind_the_lists_in_force_is_told_where_a_certificate_seems_not_to_be_valid_yet() {
    let path = Path::new();
    let mut params = client_params();
    params.not_before = today() - time::Duration::hours(3);
    let leaf = path.below.leaf(&params);
    let trust = path.trust(&[]);
    let chain = [leaf.der, path.below.der.clone()];
    // The lists are an hour old; a clock that stands a day back cannot be right.
    let back = moment(today() - time::Duration::days(1));
    let explained = explain(&trust, &chain, Purpose::TlsClient, &[], back);
    let refused = explained.verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::NotYetValid);
    let told = refused.causes.last().unwrap();
    assert!(
        told.starts_with("this machine's clock is at least 82") && told.contains("in force was made at"),
        "{told}"
    );
    assert!(told.ends_with("next: set the clock"), "{told}");
}

#[test]
fn a_clock_is_not_blamed_without_proof_and_never_for_what_has_ended() {
    let path = Path::new();
    let mut params = client_params();
    params.not_before = today() + time::Duration::hours(1);
    let refused = path.explain(&path.below.leaf(&params), &[]).verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::NotYetValid);
    assert!(refused.causes.iter().all(|cause| !cause.contains("clock")), "{refused:?}");
    let ahead = moment(today() + time::Duration::days(60));
    let leaf = path.below.leaf(&client_params());
    let chain = [leaf.der, path.below.der.clone()];
    let refused = explain(&path.trust(&[]), &chain, Purpose::TlsClient, &[], ahead).verdict.unwrap_err();
    assert_eq!(refused.fault, PeerFault::Expired);
    assert!(refused.causes.iter().all(|cause| !cause.contains("clock")), "{refused:?}");
}

#[test]
fn our_own_certificate_bears_witness_of_the_time_too() {
    let path = Path::new();
    let own = testing::credential(&path.below.leaf(&client_params()), &[&path.below]);
    let trust = path.trust(&[]);
    assert_eq!(trust.clock_behind(&[own.own()], now()), None);
    let mut younger = client_params();
    younger.not_before = today() - time::Duration::minutes(1);
    let younger = testing::credential(&path.below.leaf(&younger), &[&path.below]);
    let behind =
        trust.clock_behind(&[own.own(), younger.own()], moment(today() - time::Duration::minutes(11)));
    let behind = behind.unwrap();
    assert!(behind.witness.starts_with("our own certificate begins at"), "{behind}");
    assert!((598..=602).contains(&behind.by.as_secs()), "{behind}");
}

#[test]
fn a_chain_is_read_from_files_in_their_order() {
    let path = Path::new();
    let leaf = path.below.leaf(&client_params());
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, der: &CertificateDer<'_>| {
        let file = directory.path().join(name);
        durable::create(&file, &testing::certificates_pem(&[der]), durable::Access::Private).unwrap();
        file
    };
    let files = [write("peer.pem", &leaf.der), write("issuing.pem", &path.below.der)];
    assert_eq!(chain_from(&files).unwrap(), [leaf.der, path.below.der]);
    assert!(chain_from(&[directory.path().join("none.pem")]).is_err());
}
