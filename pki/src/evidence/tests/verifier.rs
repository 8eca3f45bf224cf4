//! Judging signers by the trust of a running gateway.

use std::sync::Arc;

use protocol::jws::Algorithm;
use time::Duration;

use super::*;
use crate::{
    testing::{crl_params, moment, today},
    trust::Trust,
};

fn trust_in(root: &Authority) -> Arc<Trust> {
    Arc::new(testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]))
}

/// Signs with the leaf's key, whatever the certificate says, and judges.
fn judge_raw(params: &CertificateParams) -> Result<Identity, SignerFault> {
    let (root, leaf) = root_with_leaf(params);
    let signature = sign_es256(&leaf.key);
    let signed = SignedBytes {
        algorithm: Algorithm::Es256,
        chain: &[leaf.der.to_vec()],
        message: MESSAGE,
        signature: &signature,
    };
    EvidenceVerifier::live(trust_in(&root)).verify(&signed, clock::now())
}

#[test]
fn what_a_tls_certificate_signed_does_not_count() {
    assert_eq!(judge_raw(&testing::client_params()), untrusted("wrong_eku"));
    assert_eq!(judge_raw(&testing::server_params()), untrusted("wrong_eku"));
}

#[test]
fn what_a_certificate_for_evidence_and_tls_signed_does_not_count() {
    let mut params = evidence_params();
    params.custom_extensions = vec![testing::eku(&[oid::CLIENT_AUTH, oid::EVIDENCE])];
    assert_eq!(judge_raw(&params), untrusted("wrong_eku"));
}

#[test]
fn a_signer_without_identity_does_not_count() {
    let mut params = evidence_params();
    params.subject_alt_names.clear();
    assert_eq!(judge_raw(&params), untrusted("bad_identity"));
}

#[test]
fn a_signer_of_another_authority_does_not_count() {
    let (_, leaf) = root_with_leaf(&evidence_params());
    let verifier = EvidenceVerifier::live(trust_in(&Authority::root("other")));
    assert_eq!(judge(&verifier, &signer(&leaf, &[]).unwrap(), clock::now()), untrusted("unknown_ca"));
}

#[test]
fn a_certificate_counts_only_within_its_dates() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let (verifier, signer) = (EvidenceVerifier::live(trust_in(&root)), signer(&leaf, &[]).unwrap());
    let at = |time| judge(&verifier, &signer, moment(time));
    assert_eq!(at(today() - Duration::minutes(61)), untrusted("not_yet_valid"));
    assert_eq!(at(today() + Duration::days(31)), untrusted("expired"));
    assert!(at(today() - Duration::minutes(59)).is_ok());
}

#[test]
fn a_header_cannot_choose_another_algorithm_than_the_keys() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let signature = sign_es256(&leaf.key);
    let signed = SignedBytes {
        algorithm: Algorithm::Es384,
        chain: &[leaf.der.to_vec()],
        message: MESSAGE,
        signature: &signature,
    };
    let verdict = EvidenceVerifier::live(trust_in(&root)).verify(&signed, clock::now());
    assert_eq!(verdict, Err(SignerFault::BadSignature));
}

#[test]
fn an_altered_message_or_signature_does_not_count() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let verifier = EvidenceVerifier::live(trust_in(&root));
    let chain = [leaf.der.to_vec()];
    let good = sign_es256(&leaf.key);
    let mut altered = good.clone();
    altered[10] ^= 1;
    let short = good[..63].to_vec();
    for (message, signature) in [(&b"header.paxload"[..], &good), (MESSAGE, &altered), (MESSAGE, &short)] {
        let signed = SignedBytes { algorithm: Algorithm::Es256, chain: &chain, message, signature };
        assert_eq!(verifier.verify(&signed, clock::now()), Err(SignerFault::BadSignature));
    }
}

#[test]
fn no_chain_or_an_unreadable_one_does_not_count() {
    let verifier = EvidenceVerifier::live(trust_in(&Authority::root("root")));
    for (chain, code) in [(vec![], "no_cert"), (vec![vec![0xff]], "malformed")] {
        let signed =
            SignedBytes { algorithm: Algorithm::Es256, chain: &chain, message: MESSAGE, signature: &[0; 64] };
        assert_eq!(verifier.verify(&signed, clock::now()), untrusted(code));
    }
}

#[test]
fn a_revoked_signer_counts_for_what_was_received_before_its_revocation_only() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    // Revoked ninety minutes ago, but certified only sixty minutes ago: so with another date.
    let mut params = crl_params(2, &[&leaf.serial]);
    params.revoked_certs[0].revocation_time = today() - Duration::minutes(10);
    let trust = Arc::new(testing::trust(&[&root.der], &[], &[&root.crl_of(&params)]));
    let (verifier, signer) = (EvidenceVerifier::live(trust), signer(&leaf, &[]).unwrap());
    let at = |time| judge(&verifier, &signer, moment(time));
    assert!(at(today() - Duration::minutes(11)).is_ok());
    assert_eq!(at(today() - Duration::minutes(9)), untrusted("revoked"));
}

#[test]
fn a_list_that_has_ended_refuses_everybody_while_live() {
    let (root, leaf) = root_with_leaf(&evidence_params());
    let mut ended = crl_params(1, &[]);
    ended.this_update = today() - Duration::days(2);
    ended.next_update = today() - Duration::minutes(1);
    let trust = Arc::new(testing::trust(&[&root.der], &[], &[&root.crl_of(&ended)]));
    let verifier = EvidenceVerifier::live(trust);
    let at = moment(today() - Duration::minutes(30));
    assert_eq!(judge(&verifier, &signer(&leaf, &[]).unwrap(), at), untrusted("crl_expired"));
}

#[test]
fn a_good_signer_of_either_curve_is_named() {
    let root = Authority::root("root");
    let verifier = EvidenceVerifier::live(trust_in(&root));
    for key in [KeyPair::generate().unwrap(), p384()] {
        let signer = signer(&root.leaf_with(&evidence_params(), key), &[]).unwrap();
        assert_eq!(judge(&verifier, &signer, clock::now()).unwrap().to_uri(), INSTITUTION);
    }
}
