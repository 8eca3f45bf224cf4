//! What OpenSSL says of the lab's products. Skipped, with the reason, where there is no OpenSSL.

use std::{path::Path, process::Command};

use super::*;
use crate::revocation::Reason;

/// What `openssl` prints, and whether it was content.
fn openssl(args: &[&str], files: &[&Path]) -> Option<(bool, String)> {
    match Command::new("openssl").args(args).args(files).output() {
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
        }
        Err(error) => {
            eprintln!("skipped: openssl cannot be run: {error}");
            None
        }
    }
}

fn verify(place: &Place, issued: &Issued, purpose: &[&str]) -> Option<(bool, String)> {
    let (root, issuing, crls) = (place.lab.root_pem(), place.lab.issuing_pem(), place.lab.crls_pem());
    let text = |path: &PathBuf| path.display().to_string();
    let (root, issuing, crls) = (text(&root), text(&issuing), text(&crls));
    let mut args = vec!["verify", "-x509_strict", "-crl_check_all"];
    args.extend(["-CAfile", &root, "-untrusted", &issuing, "-CRLfile", &crls]);
    args.extend(purpose);
    openssl(&args, &[&issued.cert_path])
}

#[test]
fn openssl_accepts_every_profile_under_its_strictest_rules() {
    let place = place();
    let for_purpose: [(Profile, &[&str]); 3] = [
        (Profile::Institution, &["-purpose", "sslclient"]),
        (Profile::Centre, &["-purpose", "sslserver", "-verify_hostname", "localhost"]),
        (Profile::Evidence, &[]),
    ];
    for (profile, purpose) in for_purpose {
        let issued = place.issue(profile, profile.name()).unwrap();
        let Some((good, said)) = verify(&place, &issued, purpose) else { return };
        assert!(good, "{profile:?}: {said}");
    }
}

#[test]
fn openssl_refuses_a_revoked_certificate() {
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    place.lab.revoke(&issued.serial, Reason::KeyCompromise, now()).unwrap();
    let Some((good, said)) = verify(&place, &issued, &[]) else { return };
    assert!(!good && said.contains("revoked"), "{said}");
}

#[test]
fn openssl_prints_our_private_identifiers() {
    let place = place();
    let issued = place.issue(Profile::Evidence, "e").unwrap();
    let Some((_, said)) = openssl(&["x509", "-noout", "-text", "-in"], &[&issued.cert_path]) else { return };
    assert!(said.contains(pki::oid::EVIDENCE_DOTTED) && said.contains(pki::oid::TEST_ONLY_DOTTED), "{said}");
}

#[test]
fn a_leaf_says_that_it_is_no_authority() {
    let place = place();
    let issued = place.issue(Profile::Institution, "a").unwrap();
    let Some((_, said)) = openssl(&["x509", "-noout", "-text", "-in"], &[&issued.cert_path]) else { return };
    assert!(said.contains("CA:FALSE"), "{said}");
}

#[test]
fn openssl_reads_the_keys() {
    let place = place();
    let issued = place.issue(Profile::Evidence, "e").unwrap();
    let Some((good, said)) = openssl(&["pkey", "-noout", "-check", "-in"], &[&issued.key_path]) else {
        return;
    };
    assert!(good, "{said}");
}
