//! Lists that were fetched: what comes over the line, what was kept on disk, and what stays from before.

use super::*;

const URL: &str = "http://crl.example.jp/root.crl";

struct Place {
    directory: tempfile::TempDir,
    root: Authority,
}

impl Place {
    fn new() -> Self {
        let place = Place { directory: tempfile::tempdir().unwrap(), root: Authority::root("root") };
        place.write("anchors.pem", &certificates_pem(&[&place.root.der]));
        place
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        durable::replace(&self.directory.path().join(name), bytes, durable::Access::Private).unwrap();
    }

    /// The anchor is a file, its list one that was fetched.
    fn files(&self) -> TrustFiles {
        TrustFiles {
            anchors: vec![self.directory.path().join("anchors.pem")],
            fetched: vec![self.directory.path().join("kept.crl")],
            ..TrustFiles::default()
        }
    }

    fn load(&self) -> Trust {
        Trust::load(&self.files(), Policy::default(), now()).unwrap()
    }
}

fn refused(trust: &Trust, bytes: &[u8]) -> CrlFault {
    match trust.follow(URL, bytes, now()).unwrap_err() {
        TrustFault::Crl { file, source } if file == Path::new(URL) => source.fault,
        other => panic!("{other:?}"),
    }
}

fn numbers(trust: &Trust) -> Vec<String> {
    trust.crls().by_end().into_iter().map(|list| list.number().to_string()).collect()
}

#[test]
fn a_list_that_is_not_here_yet_or_was_damaged_on_disk_keeps_its_issuers_holders_out_and_stops_nothing() {
    let place = Place::new();
    let leaf = place.root.leaf(&client_params());
    let good = place.root.crl(1, &[]);
    let foreign = Authority::root("root").crl(9, &[]);
    let kept: [Option<&[u8]>; 4] = [None, Some(b""), Some(&good[..good.len() / 2]), Some(&foreign)];
    for bytes in kept {
        bytes.into_iter().for_each(|bytes| place.write("kept.crl", bytes));
        let trust = place.load();
        assert_eq!(trust.missing(), ["CN=root"]);
        assert_eq!(trust.left_out().len(), usize::from(bytes.is_some()));
        let fault = trust.verify(std::slice::from_ref(&leaf.der), Purpose::TlsClient, now());
        assert_eq!(fault.unwrap_err(), PeerFault::CrlMissing);
    }
    place.write("kept.crl", &good);
    let trust = place.load();
    assert!(trust.missing().is_empty() && trust.left_out().is_empty());
    assert!(trust.verify(&[leaf.der], Purpose::TlsClient, now()).is_ok());
}

#[test]
fn a_newer_list_takes_the_place_of_the_held_one_and_the_very_same_changes_nothing() {
    let place = Place::new();
    let leaf = place.root.leaf(&client_params());
    let first = place.load().follow(URL, &place.root.crl(1, &[]), now()).unwrap().trust.unwrap();
    let list = place.root.crl(2, &[&leaf.serial]);
    let second = first.follow(URL, &list, now()).unwrap().trust.unwrap();
    assert_eq!((numbers(&first), numbers(&second)), (vec!["1".to_owned()], vec!["2".to_owned()]));
    let fault = second.verify(&[leaf.der], Purpose::TlsClient, now()).unwrap_err();
    assert_eq!(fault, PeerFault::Revoked);
    let again = second.follow(URL, &list, now()).unwrap();
    assert!(again.trust.is_none());
    assert_eq!(again.lists.len(), 1);
    let as_pem = second.follow(URL, &crls_pem(&[&list]), now()).unwrap();
    assert!(as_pem.trust.is_none());
}

#[test]
fn a_step_back_an_ended_list_and_one_that_nobody_here_signed_are_refused() {
    let place = Place::new();
    let held = place.load().follow(URL, &place.root.crl(5, &[]), now()).unwrap().trust.unwrap();
    assert!(matches!(refused(&held, &place.root.crl(4, &[])), CrlFault::Rollback { .. }));
    assert!(matches!(refused(&held, &place.root.crl(5, &[&place.root.serial])), CrlFault::SameNumber { .. }));
    let mut ended = crl_params(6, &[]);
    ended.this_update = today() - Duration::days(3);
    ended.next_update = today() - Duration::days(2);
    assert!(matches!(refused(&held, &place.root.crl_of(&ended)), CrlFault::Ended { .. }));
    assert!(matches!(refused(&held, &Authority::root("root").crl(6, &[])), CrlFault::SignedByNobody));
    assert!(matches!(refused(&held, &Authority::root("other").crl(6, &[])), CrlFault::SignedByNobody));
    let mut altered = place.root.crl(6, &[]).to_vec();
    altered.iter_mut().last().into_iter().for_each(|byte| *byte ^= 1);
    assert!(matches!(refused(&held, &altered), CrlFault::SignedByNobody));
    for garbage in [&b""[..], b"<html>", b"\x30", b"\x30\x84\xff\xff\xff\xff\x30"] {
        assert!(held.follow(URL, garbage, now()).is_err(), "{garbage:?}");
    }
    assert_eq!(numbers(&held), ["5"]);
}

#[test]
fn one_bad_list_in_a_fetched_file_spoils_all_of_it() {
    let place = Place::new();
    let both = crls_pem(&[&place.root.crl(1, &[]), &Authority::root("other").crl(1, &[])]);
    assert!(matches!(refused(&place.load(), &both), CrlFault::SignedByNobody));
}

#[test]
fn what_is_in_force_stays_when_the_disk_lost_what_was_kept_of_it() {
    let place = Place::new();
    let held = place.load().follow(URL, &place.root.crl(5, &[]), now()).unwrap().trust.unwrap();
    place.write("kept.crl", &place.root.crl(4, &[]));
    let after = Trust::load_after(&held, &place.files(), Policy::default(), now()).unwrap();
    assert_eq!(numbers(&after), ["5"]);
    assert!(after.check_follows(&held).is_ok());
    // Where nothing is fetched, a file that fell behind is a mistake to be told.
    place.write("file.crl", &place.root.crl(4, &[]));
    let crls = vec![place.directory.path().join("file.crl")];
    let files = TrustFiles { crls, fetched: vec![], ..place.files() };
    let after = Trust::load_after(&held, &files, Policy::default(), now()).unwrap();
    assert!(matches!(after.check_follows(&held), Err(TrustFault::StepBack(_))));
}

#[test]
fn an_authority_that_is_configured_no_longer_takes_its_list_with_it() {
    let place = Place::new();
    let held = place.load().follow(URL, &place.root.crl(5, &[]), now()).unwrap().trust.unwrap();
    place.write("anchors.pem", &certificates_pem(&[&Authority::root("other").der]));
    let after = Trust::load_after(&held, &place.files(), Policy::default(), now()).unwrap();
    assert_eq!(after.missing(), ["CN=other"]);
    assert!(after.check_follows(&held).is_ok());
}

#[test]
fn a_file_with_more_lists_than_there_may_be_is_refused_before_one_of_them_is_verified() {
    let place = Place::new();
    let trust = place.load();
    let list = place.root.crl(1, &[]);
    let all = vec![&list; FETCHED_LISTS_MAX];
    assert!(trust.follow(URL, &crls_pem(&all), now()).is_ok());
    let foreign = Authority::root("root").crl(9, &[]);
    let too_many = [vec![&foreign], all].concat();
    let fault = trust.follow(URL, &crls_pem(&too_many), now()).unwrap_err();
    assert!(matches!(fault, TrustFault::TooManyLists { count, .. } if count == FETCHED_LISTS_MAX + 1));
}
