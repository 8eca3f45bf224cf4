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
fn of_two_lists_of_one_issuer_the_newer_decides_in_either_order() {
    let root = Authority::root("root");
    let leaf = root.leaf(&testing::client_params());
    let (clean, revoking) = (root.crl(1, &[]), root.crl(2, &[&leaf.serial]));
    for lists in [[clean.clone(), revoking.clone()], [revoking, clean]] {
        let index = build(&lists, &[&root]).unwrap();
        assert!(matches!(status(&index, &root, &leaf, now()), Status::Revoked { .. }));
    }
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
fn a_forged_list_of_the_same_name_spoils_nothing_but_itself() {
    let (root, impostor) = (Authority::root("root"), Authority::root("root"));
    assert_eq!(
        build(&[root.crl(1, &[]), impostor.crl(2, &[])], &[&root]).unwrap_err(),
        CrlFault::BadSignature
    );
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
fn a_step_back_in_numbers_is_refused() {
    let root = Authority::root("root");
    let held = build(&[root.crl(2, &[])], &[&root]).unwrap();
    let older = build(&[root.crl(1, &[])], &[&root]).unwrap();
    assert!(matches!(older.check_follows(&held).unwrap_err().fault, CrlFault::Rollback { .. }));
}

#[test]
fn an_older_date_under_a_higher_number_is_refused() {
    let root = Authority::root("root");
    let held = build(&[root.crl(1, &[])], &[&root]).unwrap();
    let mut backdated = crl_params(2, &[]);
    backdated.this_update = today() - Duration::hours(5);
    let backdated = build(&[root.crl_of(&backdated)], &[&root]).unwrap();
    assert!(matches!(backdated.check_follows(&held).unwrap_err().fault, CrlFault::Rollback { .. }));
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
