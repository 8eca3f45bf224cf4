//! Certificates: what is refused, and what each profile is good for.

use std::fs;

use pki::{
    credential::Credential,
    evidence::EvidenceSigner,
    tls::{self, TlsPolicy, TlsServer},
};

use super::*;
use crate::{key_type::KeyType, when::When};

#[test]
fn a_second_lab_in_the_same_place_is_refused_and_the_first_is_untouched() {
    let place = place();
    let key = fs::read(place.lab.dir().join("root.key.pem")).unwrap();
    let again = Lab::init(place.lab.dir(), Environment::Test, now());
    assert!(matches!(again, Err(LabFault::Exists { .. })));
    assert_eq!(fs::read(place.lab.dir().join("root.key.pem")).unwrap(), key);
}

#[test]
fn a_lab_is_not_begun_where_a_part_of_it_would_be_in_the_way() {
    for part in ["issuing.pem", "crls.pem", "state.json"] {
        let directory = tempfile::tempdir().unwrap();
        durable::create(&directory.path().join(part), b"mine", durable::Access::Shared).unwrap();
        assert!(matches!(
            Lab::init(directory.path(), Environment::Test, now()),
            Err(LabFault::Exists { .. })
        ));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "{part}: something was begun");
    }
}

#[test]
fn neither_key_nor_certificate_is_ever_overwritten() {
    let place = place();
    for taken in ["a.pem", "b.key.pem"] {
        durable::create(&place.out(taken), b"mine", durable::Access::Private).unwrap();
    }
    for name in ["a", "b"] {
        assert!(matches!(place.issue(Profile::Institution, name), Err(LabFault::Exists { .. })));
    }
    assert_eq!(fs::read(place.out("a.pem")).unwrap(), b"mine");
    assert_eq!(fs::read(place.out("b.key.pem")).unwrap(), b"mine");
    assert!(!place.out("a.key.pem").exists() && !place.out("b.pem").exists());
}

#[test]
fn an_identity_of_the_other_environment_is_refused() {
    let place = place();
    let refused = place.lab.issue(
        Profile::Institution,
        &identity_of("urn:sekisho:production:institution:1310000018"),
        &[],
        &place.out("a"),
        Validity::usual(now()).unwrap(),
    );
    assert!(matches!(refused, Err(LabFault::WrongEnvironment { .. })));
}

#[test]
fn names_are_for_centres_and_centres_need_them() {
    let place = place();
    let life = Validity::usual(now()).unwrap();
    let issue = |profile, names: &[&str]| {
        place.lab.issue(profile, &identity_of(CENTRE), names, &place.out("a"), life).unwrap_err()
    };
    assert!(matches!(issue(Profile::Centre, &[]), LabFault::NamesMissing));
    assert!(matches!(issue(Profile::Institution, &["localhost"]), LabFault::NamesNotWanted));
    assert!(matches!(issue(Profile::Evidence, &["localhost"]), LabFault::NamesNotWanted));
    for bad in ["", "a b", "*.example", "例え.jp", "a..b", "x\0", "127.0.0.1:443"] {
        assert!(matches!(issue(Profile::Centre, &[bad]), LabFault::BadName { .. }), "{bad:?}");
    }
}

#[test]
fn a_life_that_no_gateway_accepts_is_refused() {
    let place = place();
    let issue = |life: When| {
        let life = Validity::from_now(now(), life)?;
        place.lab.issue(Profile::Institution, &identity_of(INSTITUTION), &[], &place.out("a"), life)
    };
    assert!(matches!(issue(When::Months(61)), Err(LabFault::Life { .. })));
    assert!(matches!(issue(When::Milliseconds(-600_000)), Err(LabFault::Life { .. })));
}

#[test]
fn a_certificate_does_not_outlive_its_authority() {
    let place = place();
    let late = When::Months(94).from(now()).unwrap();
    let life = Validity::new(late, When::Months(12).from(late).unwrap()).unwrap();
    let refused =
        place.lab.issue(Profile::Institution, &identity_of(INSTITUTION), &[], &place.out("a"), life);
    assert!(matches!(refused, Err(LabFault::OutlivesAuthority { .. })));
}

#[test]
fn each_profile_is_good_for_its_purpose_and_for_no_other() {
    let place = place();
    let purposes = [
        (Profile::Institution, Purpose::TlsClient),
        (Profile::Centre, Purpose::TlsServer),
        (Profile::Evidence, Purpose::Evidence),
    ];
    for (profile, own) in purposes {
        let issued = place.issue(profile, profile.name()).unwrap();
        for (_, purpose) in purposes {
            let verdict = place.judge(&issued, purpose);
            if purpose == own {
                assert_eq!(verdict, Ok(issued.identity.clone()));
            } else {
                assert_eq!(verdict, Err(PeerFault::WrongEku), "{profile:?} for {purpose:?}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn keys_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    let lab = place.lab.dir();
    for key in [&issued.key_path, &lab.join("root.key.pem"), &lab.join("issuing.key.pem")] {
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn no_two_certificates_have_the_same_serial_number() {
    let place = place();
    let one = place.issue(Profile::Institution, "a").unwrap();
    let other = place.issue(Profile::Institution, "b").unwrap();
    assert_ne!(one.serial, other.serial);
}

#[test]
fn a_gateway_and_its_client_start_with_what_the_lab_made() {
    let place = place();
    let trust = std::sync::Arc::new(Trust::load(&place.lab.trust_files(), Policy::default(), now()).unwrap());
    let load = |profile, name| {
        let issued = place.issue(profile, name).unwrap();
        Credential::load(&issued.cert_path, &issued.key_path, &Policy::default()).unwrap()
    };
    let agency = "review-agency:113".parse().unwrap();
    let (centre, policy) = (load(Profile::Centre, "c"), TlsPolicy::default());
    let observer = std::sync::Arc::new(|_: &tls::Refused| ());
    TlsServer::new(&centre, std::sync::Arc::clone(&trust), Environment::Test, policy, observer).unwrap();
    tls::client_config(&load(Profile::Institution, "i"), trust, agency, Environment::Test, policy).unwrap();
    let issued = place.issue(Profile::Evidence, "e").unwrap();
    EvidenceSigner::load(&issued.cert_path, &issued.key_path, &Policy::default(), Environment::Test, now())
        .unwrap();
}

#[test]
fn a_lab_for_production_identities_is_refused_by_production_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::init(directory.path(), Environment::Production, now()).unwrap();
    let identity = identity_of("urn:sekisho:production:institution:1310000018");
    let issued = lab
        .issue(
            Profile::Institution,
            &identity,
            &[],
            &directory.path().join("a"),
            Validity::usual(now()).unwrap(),
        )
        .unwrap();
    let trust = Trust::load(&lab.trust_files(), Policy::default(), now()).unwrap();
    assert!(trust.is_test_only());
    let chain = pem::certificates(&issued.cert_path).unwrap();
    assert_eq!(trust.verify(&chain, Purpose::TlsClient, now()), Err(PeerFault::WrongEnvironment));
}

#[test]
fn keys_of_both_kinds_are_made_and_judged_good() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::init_with(directory.path(), Environment::Test, KeyType::P384, now()).unwrap();
    let trust = Trust::load(&lab.trust_files(), Policy::default(), now()).unwrap();
    for (key_type, name) in [(KeyType::P256, "a"), (KeyType::P384, "b")] {
        let issued = lab
            .issue_with(
                Profile::Evidence,
                &identity_of(INSTITUTION),
                &[],
                &directory.path().join(name),
                Validity::usual(now()).unwrap(),
                key_type,
            )
            .unwrap();
        let chain = pem::certificates(&issued.cert_path).unwrap();
        assert!(trust.verify(&chain, Purpose::Evidence, now()).is_ok());
    }
}

#[test]
fn a_lab_that_was_tampered_with_is_not_opened() {
    let place = place();
    let other = tempfile::tempdir().unwrap();
    Lab::init(other.path(), Environment::Test, now()).unwrap();
    let key = place.lab.dir().join("issuing.key.pem");
    durable::rename(&other.path().join("issuing.key.pem"), &key).unwrap();
    assert!(matches!(Lab::open(place.lab.dir()), Err(LabFault::Damaged { .. })));
    assert!(matches!(Lab::open(&place.out("nowhere")), Err(LabFault::NotALab { .. })));
}
