//! A signer that signs again is judged by what was found before, and by nothing that no longer holds.

use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::{
    evidence::verifier::Signer as Found,
    policy::CrlGrace,
    testing::{certificates_pem, crl_params, crls_pem, moment, today},
    trust::Trust,
};

fn live(root: &Authority, list: &CertificateRevocationListDer<'_>) -> EvidenceVerifier {
    EvidenceVerifier::live(Arc::new(testing::trust(&[&root.der], &[], &[list])))
}

/// Judges what this signer signs for `at`, as of `now`.
fn judge_as_of(
    verifier: &EvidenceVerifier,
    signer: &EvidenceSigner,
    at: OffsetDateTime,
    now: OffsetDateTime,
) -> Result<Arc<Found>, SignerFault> {
    verifier.signer(&signed_by(signer, &signer.sign(MESSAGE).unwrap()), moment(at), moment(now))
}

fn judge_then(
    verifier: &EvidenceVerifier,
    signer: &EvidenceSigner,
    now: OffsetDateTime,
) -> Result<Arc<Found>, SignerFault> {
    judge_as_of(verifier, signer, now, now)
}

fn is_untrusted(found: Result<Arc<Found>, SignerFault>, code: &str) -> bool {
    found.unwrap_err() == SignerFault::Untrusted(code.to_owned())
}

#[test]
fn a_signer_that_signs_again_is_not_judged_again() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let (verifier, signer) = (live(&root, &root.crl(1, &[])), signer(&leaf, &[]).unwrap());
    let found = judge_then(&verifier, &signer, today()).unwrap();
    let again = judge_then(&verifier, &signer, today() + Duration::hours(1)).unwrap();
    assert!(Arc::ptr_eq(&found, &again));
}

#[test]
fn what_a_known_signer_did_not_sign_is_refused() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let (verifier, signer) = (live(&root, &root.crl(1, &[])), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &signer, today()).is_ok());
    let signature = signer.sign(b"header.another").unwrap();
    let judged = verifier.signer(&signed_by(&signer, &signature), moment(today()), moment(today()));
    assert_eq!(judged.unwrap_err(), SignerFault::BadSignature);
    let signature = sign_es256(&KeyPair::generate().unwrap());
    let judged = verifier.signer(&signed_by(&signer, &signature), moment(today()), moment(today()));
    assert_eq!(judged.unwrap_err(), SignerFault::BadSignature);
}

#[test]
fn a_header_cannot_choose_another_algorithm_than_a_known_signers() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let (verifier, signer) = (live(&root, &root.crl(1, &[])), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &signer, today()).is_ok());
    let signature = signer.sign(MESSAGE).unwrap();
    let signed = SignedBytes { algorithm: protocol::jws::Algorithm::Es384, ..signed_by(&signer, &signature) };
    let judged = verifier.signer(&signed, moment(today()), moment(today()));
    assert_eq!(judged.unwrap_err(), SignerFault::BadSignature);
}

#[test]
fn a_known_signer_is_refused_once_a_list_has_ended_without_any_reload() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let mut list = crl_params(1, &[]);
    list.next_update = today() + Duration::hours(1);
    let (verifier, signer) = (live(&root, &root.crl_of(&list)), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &signer, today()).is_ok());
    assert!(judge_then(&verifier, &signer, today() + Duration::minutes(59)).is_ok());
    let late = today() + Duration::minutes(61);
    assert!(is_untrusted(judge_then(&verifier, &signer, late), "crl_expired"));
    assert!(is_untrusted(judge_as_of(&verifier, &signer, today(), late), "crl_expired"));
}

#[test]
fn a_known_signer_counts_only_within_the_dates_of_its_certificate() {
    let mut params = evidence_params();
    params.not_after = today() + Duration::hours(1);
    let (root, leaf) = root_with_leaf(&params);
    let (verifier, signer) = (live(&root, &root.crl(1, &[])), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &signer, today()).is_ok());
    let at = |at| judge_as_of(&verifier, &signer, at, today());
    assert!(is_untrusted(at(today() + Duration::minutes(61)), "expired"));
    assert!(is_untrusted(at(today() - Duration::minutes(61)), "not_yet_valid"));
}

#[test]
fn a_revocation_that_is_dated_ahead_counts_from_its_date_on_for_a_known_signer_too() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let mut list = crl_params(1, &[&leaf.serial]);
    list.revoked_certs[0].revocation_time = today() + Duration::minutes(10);
    let (verifier, signer) = (live(&root, &root.crl_of(&list)), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &signer, today()).is_ok());
    assert!(judge_then(&verifier, &signer, today() + Duration::minutes(9)).is_ok());
    let (before, late) = (today() + Duration::minutes(9), today() + Duration::minutes(11));
    assert!(is_untrusted(judge_then(&verifier, &signer, late), "revoked"));
    assert!(judge_as_of(&verifier, &signer, before, late).is_ok(), "what was received before");
    assert!(is_untrusted(judge_then(&verifier, &signer, late), "revoked"));
}

#[test]
fn a_known_leaf_that_is_shown_with_another_chain_is_judged_anew() {
    let root = Authority::root("root");
    let below = root.below("below");
    let leaf = below.leaf(&evidence_params());
    let lists = [root.crl(1, &[]), below.crl(1, &[])];
    let trust = testing::trust(&[&root.der], &[&below.der], &[&lists[0], &lists[1]]);
    let verifier = EvidenceVerifier::live(Arc::new(trust));
    let (whole, alone) = (signer(&leaf, &[&below.der]).unwrap(), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&verifier, &whole, today()).is_ok());
    assert!(is_untrusted(judge_then(&verifier, &alone, today()), "unknown_ca"));
}

#[test]
fn whoever_counts_by_grace_only_is_judged_each_time() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(2);
    ended.next_update = today() - Duration::hours(1);
    let grace = CrlGrace::new("CN=root", std::time::Duration::from_secs(2 * 60 * 60));
    let policy = Policy { danger_crl_grace: grace, ..Policy::default() };
    let (anchors, lists) = (certificates_pem(&[&root.der]), crls_pem(&[&root.crl_of(&ended)]));
    let trust = Trust::from_pem(&anchors, b"", &lists, policy, clock::now()).unwrap();
    let (verifier, signer) = (EvidenceVerifier::live(Arc::new(trust)), signer(&leaf, &[]).unwrap());
    let found = judge_then(&verifier, &signer, today()).unwrap();
    assert!(!Arc::ptr_eq(&found, &judge_then(&verifier, &signer, today()).unwrap()));
}

#[test]
fn a_signer_that_an_older_verifier_knew_is_unknown_to_a_newer_one() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let (older, signer) = (live(&root, &root.crl(1, &[])), signer(&leaf, &[]).unwrap());
    assert!(judge_then(&older, &signer, today()).is_ok());
    let newer = live(&root, &root.crl(2, &[&leaf.serial]));
    assert!(is_untrusted(judge_then(&newer, &signer, today()), "revoked"));
}
