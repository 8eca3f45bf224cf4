//! Revocation and the numbers of lists.

use std::{collections::BTreeSet, fs, thread};

use super::*;
use crate::{
    lab::LIST_LIFE,
    revocation::{Reason, serial_in},
    serial::Serial,
    state::State,
    when::When,
};

#[test]
fn a_serial_number_that_was_never_issued_is_refused() {
    let place = place();
    let refused = place.lab.revoke(&Serial::random().unwrap(), Reason::default(), now());
    assert!(matches!(refused, Err(LabFault::UnknownSerial { .. })));
}

#[test]
fn a_revoked_certificate_no_longer_counts_and_its_neighbour_still_does() {
    let place = place();
    let (one, other) =
        (place.issue(Profile::Institution, "a").unwrap(), place.issue(Profile::Institution, "b").unwrap());
    assert!(place.judge(&one, Purpose::TlsClient).is_ok());
    place.lab.revoke(&one.serial, Reason::KeyCompromise, now()).unwrap();
    assert_eq!(place.judge(&one, Purpose::TlsClient), Err(PeerFault::Revoked));
    assert!(place.judge(&other, Purpose::TlsClient).is_ok());
}

#[test]
fn revoking_the_issuing_authority_ends_all_that_it_certified() {
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    let authority = serial_in(&place.lab.issuing_pem()).unwrap();
    place.lab.revoke(&authority, Reason::CaCompromise, now()).unwrap();
    assert_eq!(place.judge(&issued, Purpose::TlsClient), Err(PeerFault::Revoked));
}

#[test]
fn revoking_twice_keeps_the_first_date_and_reason() {
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    let first = place.lab.revoke(&issued.serial, Reason::Superseded, now()).unwrap();
    let held = State::load(place.lab.dir()).unwrap().issuing.revoked;
    let again = place.lab.revoke(&issued.serial, Reason::KeyCompromise, now()).unwrap();
    assert_eq!((again.at, again.already), (first.at, true));
    assert_eq!(State::load(place.lab.dir()).unwrap().issuing.revoked, held);
}

#[test]
fn revoking_again_publishes_the_lists_that_the_first_time_could_not() {
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    let in_the_way = place.lab.dir().join("crls/root.pem");
    fs::remove_file(&in_the_way).unwrap();
    fs::create_dir(&in_the_way).unwrap();
    assert!(place.lab.revoke(&issued.serial, Reason::KeyCompromise, now()).is_err());
    fs::remove_dir(&in_the_way).unwrap();
    assert!(place.lab.revoke(&issued.serial, Reason::KeyCompromise, now()).unwrap().already);
    assert_eq!(place.judge(&issued, Purpose::TlsClient), Err(PeerFault::Revoked));
}

#[test]
fn every_list_has_a_higher_number_and_the_same_lab_opened_again_goes_on() {
    let place = place();
    let first = place.lab.crl(LIST_LIFE, now()).unwrap();
    let second = Lab::open(place.lab.dir()).unwrap().crl(LIST_LIFE, now()).unwrap();
    assert!(first.iter().zip(&second).all(|(before, after)| before.number < after.number));
}

#[test]
fn a_number_is_spent_even_if_its_list_could_not_be_published() {
    let place = place();
    let before = place.lab.crl(LIST_LIFE, now()).unwrap()[0].number;
    let in_the_way = place.lab.dir().join("crls/root.pem");
    fs::remove_file(&in_the_way).unwrap();
    fs::create_dir(&in_the_way).unwrap();
    assert!(place.lab.crl(LIST_LIFE, now()).is_err());
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(place.lab.crl(LIST_LIFE, now()).unwrap()[0].number, before + 2);
}

#[test]
fn programs_that_publish_at_the_same_time_never_share_a_number() {
    let place = place();
    let numbers: BTreeSet<u64> = thread::scope(|scope| {
        let publish = || {
            let lab = Lab::open(place.lab.dir()).unwrap();
            (0..5).map(|_| lab.crl(LIST_LIFE, now()).unwrap()[1].number).collect::<Vec<u64>>()
        };
        let programs: Vec<_> = (0..4).map(|_| scope.spawn(publish)).collect();
        programs.into_iter().flat_map(|program| program.join().unwrap()).collect()
    });
    assert_eq!(numbers.len(), 20);
}

#[test]
fn a_new_list_follows_the_old_one_in_a_running_gateway() {
    let place = place();
    let held = Trust::load(&place.lab.trust_files(), Policy::default(), now()).unwrap();
    place.lab.crl(LIST_LIFE, now()).unwrap();
    assert!(
        Trust::load(&place.lab.trust_files(), Policy::default(), now()).unwrap().check_follows(&held).is_ok()
    );
}

#[test]
fn a_list_that_would_end_before_it_begins_is_refused() {
    let place = place();
    assert!(matches!(place.lab.crl(When::Milliseconds(-3_600_000), now()), Err(LabFault::NextUpdate)));
}

#[test]
fn a_list_ends_when_it_was_told_to() {
    let place = place();
    place.issue(Profile::Institution, "a").unwrap();
    let lists = place.lab.crl(When::Milliseconds(3_600_000), now()).unwrap();
    let trust = Trust::load(&place.lab.trust_files(), Policy::default(), now()).unwrap();
    let seconds = |moment: protocol::moment::Moment| moment.unix_seconds();
    assert!(
        trust.crls().by_end().iter().all(|list| seconds(list.next_update()) == seconds(lists[0].next_update))
    );
}
