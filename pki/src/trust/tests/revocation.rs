//! Revocation, asked for every certificate of the path.

use super::*;
use crate::policy::CrlGrace;

/// root → below → leaf, with the lists given.
fn judge_below(
    lists: impl Fn(&Authority, &Authority, &Leaf) -> Vec<CertificateRevocationListDer<'static>>,
    issuers_known: bool,
) -> Result<PeerIdentity, PeerFault> {
    let root = Authority::root("root");
    let below = root.below("below");
    let leaf = below.leaf(&client_params());
    let crls = lists(&root, &below, &leaf);
    let issuers: &[&CertificateDer<'_>] = if issuers_known { &[&below.der] } else { &[] };
    let trust = testing::trust(&[&root.der], issuers, &crls.iter().collect::<Vec<_>>());
    trust.verify(&[leaf.der, below.der], Purpose::TlsClient, now())
}

#[test]
fn a_leaf_below_an_authority_without_a_list_is_refused() {
    let refused = judge_below(|root, _, _| vec![root.crl(1, &[])], false);
    assert_eq!(refused, Err(PeerFault::CrlMissing));
}

#[test]
fn the_number_of_a_leaf_in_another_authoritys_list_means_nothing() {
    let accepted =
        judge_below(|root, below, leaf| vec![root.crl(1, &[&leaf.serial]), below.crl(1, &[])], true);
    assert!(accepted.is_ok());
}

#[test]
fn the_ended_list_of_any_authority_in_the_path_refuses() {
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(2);
    ended.next_update = today() - Duration::days(1);
    let of_root = judge_below(|root, below, _| vec![root.crl_of(&ended), below.crl(1, &[])], true);
    let of_below = judge_below(|root, below, _| vec![root.crl(1, &[]), below.crl_of(&ended)], true);
    assert_eq!((of_root, of_below), (Err(PeerFault::CrlExpired), Err(PeerFault::CrlExpired)));
}

#[test]
fn a_chain_that_was_good_is_refused_when_judged_again_by_newer_trust() {
    let root = Authority::root("root");
    let leaf = root.leaf(&client_params());
    let chain = [leaf.der];
    let old = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let new = testing::trust(&[&root.der], &[], &[&root.crl(2, &[&leaf.serial])]);
    assert!(old.verify(&chain, Purpose::TlsClient, now()).is_ok());
    assert_eq!(new.verify(&chain, Purpose::TlsClient, now()), Err(PeerFault::Revoked));
}

/// Trust in a root whose list ended an hour ago, with grace for the authority of this name.
fn with_grace(root: &Authority, issuer: &str) -> Result<Trust, TrustFault> {
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(2);
    ended.next_update = today() - Duration::hours(1);
    let grace = CrlGrace::new(issuer, std::time::Duration::from_secs(2 * 60 * 60));
    let policy = Policy { danger_crl_grace: grace, ..Policy::default() };
    Trust::from_pem(&certificates_pem(&[&root.der]), b"", &crls_pem(&[&root.crl_of(&ended)]), policy, now())
}

#[test]
fn what_counts_by_grace_only_says_so() {
    let root = Authority::root("root");
    let trust = with_grace(&root, "CN=root").unwrap();
    let peer = trust.verify(&[root.leaf(&client_params()).der], Purpose::TlsClient, now()).unwrap();
    let grace = peer.grace().unwrap();
    assert_eq!(grace.issuer, "CN=root");
    assert_eq!(grace.next_update, trust.crls().by_end()[0].next_update());
}

#[test]
fn grace_for_an_authority_that_is_not_configured_or_not_told_apart_is_refused() {
    let root = Authority::root("root");
    assert!(matches!(with_grace(&root, "CN=other"), Err(TrustFault::GraceIssuer { .. })));
    let namesake = Authority::root("root");
    let policy = Policy {
        danger_crl_grace: CrlGrace::new("CN=root", std::time::Duration::from_secs(60)),
        ..Policy::default()
    };
    let fault = Trust::from_pem(
        &certificates_pem(&[&root.der, &namesake.der]),
        b"",
        &crls_pem(&[&root.crl(1, &[]), &namesake.crl(1, &[])]),
        policy,
        now(),
    );
    assert!(matches!(fault, Err(TrustFault::GraceIssuer { issuer }) if issuer == "CN=root"));
}
