use time::Duration;

use super::*;
use crate::{
    leaf,
    testing::{self, Authority, crl_params, moment, today},
};

fn now() -> Moment {
    moment(today())
}

fn build(
    lists: &[CertificateRevocationListDer<'_>],
    authorities: &[&Authority],
) -> Result<CrlIndex, CrlFault> {
    let issuers: Vec<Issuer> = authorities.iter().map(|authority| issuer(authority)).collect();
    let mut index = CrlIndex::default();
    for list in lists {
        index.add(list, issuers.iter(), Signatures::Usual, now()).map_err(|refused| refused.fault)?;
    }
    Ok(index)
}

fn issuer(authority: &Authority) -> Issuer {
    Issuer::of(&authority.der, Signatures::Usual).unwrap()
}

fn ask(
    index: &CrlIndex,
    authority: &Authority,
    leaf: &testing::Leaf,
    at: Moment,
    revoked_by: Option<Moment>,
) -> Status {
    let certificate = leaf::parse(&leaf.der).unwrap();
    let subject = Subject::new(leaf.serial.as_ref(), &certificate);
    index.consult(issuer(authority).id(), &subject, at, revoked_by).status
}

fn status(index: &CrlIndex, authority: &Authority, leaf: &testing::Leaf, at: Moment) -> Status {
    ask(index, authority, leaf, at, None)
}

#[test]
fn an_older_list_that_has_ended_does_not_harm_the_newer_one() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(3);
    ended.next_update = today() - Duration::days(2);
    for lists in [[root.crl_of(&ended), root.crl(2, &[])], [root.crl(2, &[]), root.crl_of(&ended)]] {
        assert_eq!(status(&build(&lists, &[&root]).unwrap(), &root, &leaf, now()), Status::Good);
    }
}

#[test]
fn a_list_dated_ahead_of_the_clock_is_refused() {
    let root = Authority::root("root");
    let mut early = crl_params(1, &[]);
    early.this_update = today() + Duration::hours(1);
    assert!(matches!(build(&[root.crl_of(&early)], &[&root]), Err(CrlFault::FromTheFuture { .. })));
}

#[test]
fn two_different_lists_with_one_number_are_refused() {
    let root = Authority::root("root");
    let lists = [root.crl(1, &[]), root.crl(1, &[&root.serial])];
    assert!(matches!(build(&lists, &[&root]), Err(CrlFault::SameNumber { .. })));
}

#[test]
fn a_list_ends_at_its_next_update_and_not_a_moment_later() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let index = build(&[root.crl(1, &[])], &[&root]).unwrap();
    let next_update = index.by_end()[0].next_update();
    let before = Moment::from_unix_ms(next_update.unix_ms() - 1);
    assert_eq!(status(&index, &root, &leaf, before), Status::Good);
    assert_eq!(status(&index, &root, &leaf, next_update), Status::Expired { next_update });
}

#[test]
fn a_certificate_stays_revoked_after_the_list_has_ended() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let index = build(&[root.crl(1, &[&leaf.serial])], &[&root]).unwrap();
    let later = moment(today() + Duration::days(9));
    assert!(matches!(status(&index, &root, &leaf, later), Status::Revoked { .. }));
}

#[test]
fn an_issuer_of_the_same_name_and_another_key_has_no_list() {
    let (root, namesake) = (Authority::root("root"), Authority::root("root"));
    let leaf = namesake.leaf(&testing::client_params());
    let index = build(&[root.crl(1, &[])], &[&root]).unwrap();
    assert_eq!(status(&index, &namesake, &leaf, now()), Status::Missing);
}

#[test]
fn two_authorities_of_one_name_have_a_list_each() {
    let (one, other) = (Authority::root("root"), Authority::root("root"));
    let (leaf_of_one, leaf_of_other) =
        (one.leaf(&testing::client_params()), other.leaf(&testing::client_params()));
    let index = build(&[one.crl(5, &[&leaf_of_one.serial]), other.crl(1, &[])], &[&one, &other]).unwrap();
    assert!(matches!(status(&index, &one, &leaf_of_one, now()), Status::Revoked { .. }));
    assert_eq!(status(&index, &other, &leaf_of_other, now()), Status::Good);
}

#[test]
fn another_list_with_the_same_number_is_refused_and_the_very_same_is_not() {
    let root = Authority::root("root");
    let list = root.crl(2, &[]);
    let held = build(std::slice::from_ref(&list), &[&root]).unwrap();
    assert_eq!(build(&[list], &[&root]).unwrap().check_follows(&held), Ok(()));
    let other = build(&[root.crl(2, &[&root.serial])], &[&root]).unwrap();
    assert!(matches!(other.check_follows(&held).unwrap_err().fault, CrlFault::SameNumber { .. }));
}

#[test]
fn a_list_that_is_gone_is_refused() {
    let root = Authority::root("root");
    let held = build(&[root.crl(2, &[])], &[&root]).unwrap();
    assert_eq!(CrlIndex::default().check_follows(&held).unwrap_err().fault, CrlFault::Lost);
}

#[test]
fn for_what_was_signed_before_a_revocation_the_certificate_was_good() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let index = build(&[root.crl(1, &[&leaf.serial])], &[&root]).unwrap();
    let Status::Revoked { since } = status(&index, &root, &leaf, now()) else { panic!("not revoked") };
    let signed_at = |ms| ask(&index, &root, &leaf, now(), Some(Moment::from_unix_ms(ms)));
    assert_eq!(signed_at(since.unix_ms() - 1), Status::Good);
    assert_eq!(signed_at(since.unix_ms()), Status::Revoked { since });
}

#[test]
fn a_list_that_has_ended_does_not_vouch_for_what_was_signed_before_a_revocation() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let index = build(&[root.crl(1, &[&leaf.serial])], &[&root]).unwrap();
    let (later, before) = (moment(today() + Duration::days(9)), moment(today() - Duration::days(9)));
    let verdict = ask(&index, &root, &leaf, later, Some(before));
    assert!(matches!(verdict, Status::Expired { .. }));
}

/// A list of one part of an authority's certificates.
fn part(
    authority: &Authority,
    number: u64,
    uri: &str,
    revoked: &[&testing::Leaf],
) -> CertificateRevocationListDer<'static> {
    let serials: Vec<_> = revoked.iter().map(|leaf| &leaf.serial).collect();
    let mut params = crl_params(number, &serials);
    let distribution_point = rcgen::CrlDistributionPoint { uris: vec![uri.to_owned()] };
    params.issuing_distribution_point =
        Some(rcgen::CrlIssuingDistributionPoint { distribution_point, scope: None });
    authority.crl_of(&params)
}

fn leaf_at(authority: &Authority, uri: &str) -> testing::Leaf {
    let mut params = testing::client_params();
    params.crl_distribution_points = vec![rcgen::CrlDistributionPoint { uris: vec![uri.to_owned()] }];
    authority.leaf(&params)
}

#[test]
fn each_part_speaks_for_its_own_certificates_and_has_a_number_of_its_own() {
    let root = Authority::root("root");
    let (one, two, three) =
        (leaf_at(&root, "http://x/1"), leaf_at(&root, "http://x/2"), leaf_at(&root, "http://x/3"));
    let lists = [part(&root, 5, "http://x/1", &[]), part(&root, 3, "http://x/2", &[])];
    let index = build(&lists, &[&root]).unwrap();
    assert_eq!(status(&index, &root, &one, now()), Status::Good);
    assert_eq!(status(&index, &root, &two, now()), Status::Good);
    assert_eq!(status(&index, &root, &three, now()), Status::Missing);
}

#[test]
fn a_certificate_that_any_part_names_is_revoked() {
    let root = Authority::root("root");
    let leaf = leaf_at(&root, "http://x/1");
    let lists = [part(&root, 1, "http://x/1", &[]), part(&root, 1, "http://x/2", &[&leaf])];
    let index = build(&lists, &[&root]).unwrap();
    assert!(matches!(status(&index, &root, &leaf, now()), Status::Revoked { .. }));
}

#[test]
fn the_complete_list_speaks_for_all_whatever_the_parts_say() {
    let root = Authority::root("root");
    let leaf = leaf_at(&root, "http://x/1");
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(3);
    ended.next_update = today() - Duration::days(2);
    let lists = [root.crl_of(&ended), part(&root, 9, "http://x/2", &[])];
    let index = build(&lists, &[&root]).unwrap();
    assert!(matches!(status(&index, &root, &leaf, now()), Status::Expired { .. }));
    let index = build(&[root.crl(1, &[]), part(&root, 9, "http://x/2", &[])], &[&root]).unwrap();
    assert_eq!(status(&index, &root, &leaf, now()), Status::Good);
}

#[test]
fn a_part_that_is_gone_or_falls_back_is_refused_and_a_new_part_is_not() {
    let root = Authority::root("root");
    let of = |parts: &[(u64, &str)]| {
        let lists: Vec<_> = parts.iter().map(|(number, uri)| part(&root, *number, uri, &[])).collect();
        build(&lists, &[&root]).unwrap()
    };
    let held = of(&[(5, "http://x/1"), (2, "http://x/2")]);
    let fault = |parts: &[(u64, &str)]| of(parts).check_follows(&held).err().map(|refused| refused.fault);
    assert_eq!(fault(&[(6, "http://x/1")]), Some(CrlFault::Lost));
    assert!(matches!(fault(&[(6, "http://x/1"), (1, "http://x/2")]), Some(CrlFault::Rollback { .. })));
    assert_eq!(fault(&[(6, "http://x/1"), (3, "http://x/2"), (1, "http://x/3")]), None);
    // The complete list does not stand in for a part: what the part said could be lost with it.
    let complete = build(&[root.crl(9, &[])], &[&root]).unwrap();
    assert_eq!(complete.check_follows(&held).unwrap_err().fault, CrlFault::Lost);
}

#[test]
fn grace_is_for_the_one_issuer_until_its_end_and_never_for_the_revoked() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let (leaf, revoked, stranger) = (
        root.leaf(&testing::client_params()),
        root.leaf(&testing::client_params()),
        other.leaf(&testing::client_params()),
    );
    let lists = [root.crl(1, &[&revoked.serial]), other.crl(1, &[])];
    let mut index = build(&lists, &[&root, &other]).unwrap();
    let next_update = index.by_end()[0].next_update();
    let after = |hours: i64| Moment::from_unix_ms(next_update.unix_ms() + hours * 60 * 60 * 1000);
    assert_eq!(status(&index, &root, &leaf, after(1)), Status::Expired { next_update });
    index.give_grace(issuer(&root).id().clone(), std::time::Duration::from_secs(6 * 60 * 60));
    assert_eq!(status(&index, &root, &leaf, after(-1)), Status::Good);
    assert_eq!(status(&index, &root, &leaf, after(0)), Status::Grace { next_update });
    assert_eq!(status(&index, &root, &leaf, after(5)), Status::Grace { next_update });
    assert_eq!(status(&index, &root, &leaf, after(6)), Status::Expired { next_update });
    assert!(matches!(status(&index, &root, &revoked, after(5)), Status::Revoked { .. }));
    assert!(matches!(status(&index, &other, &stranger, after(5)), Status::Expired { .. }));
}

#[test]
fn the_list_that_ends_first_is_named_first() {
    let (root, other) = (Authority::root("root"), Authority::root("other"));
    let mut sooner = crl_params(7, &[]);
    sooner.next_update = today() + Duration::hours(3);
    let index = build(&[root.crl(1, &[]), other.crl_of(&sooner)], &[&root, &other]).unwrap();
    let ends: Vec<(&str, Option<u64>)> =
        index.by_end().iter().map(|list| (list.issuer(), list.number().as_u64())).collect();
    assert_eq!(ends, [("CN=other", Some(7)), ("CN=root", Some(1))]);
}
