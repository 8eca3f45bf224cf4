//! What may not become an evidence signer.

use protocol::jws::Algorithm;

use super::*;
use crate::{credential::CredentialFault, fault::PeerFault};

fn refusal(params: &CertificateParams) -> CredentialFault {
    let (_, leaf) = root_with_leaf(params);
    match signer(&leaf, &[]).unwrap_err() {
        EvidenceSignerFault::Credential(fault) => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_tls_certificate_signs_no_evidence() {
    assert!(matches!(refusal(&testing::client_params()), CredentialFault::Unfit(PeerFault::WrongEku)));
}

#[test]
fn a_certificate_for_both_evidence_and_tls_signs_no_evidence() {
    for tls in [oid::CLIENT_AUTH, oid::SERVER_AUTH] {
        let mut params = evidence_params();
        params.custom_extensions = vec![testing::eku(&[oid::EVIDENCE, tls])];
        assert!(matches!(refusal(&params), CredentialFault::Unfit(PeerFault::WrongEku)));
    }
}

#[test]
fn an_expired_certificate_signs_no_evidence() {
    let mut params = evidence_params();
    params.not_after = testing::today() - time::Duration::minutes(1);
    assert!(matches!(refusal(&params), CredentialFault::Expired { .. }));
}

#[test]
fn a_certificate_of_the_other_environment_signs_no_evidence() {
    let params = leaf_params("urn:sekisho:production:institution:1310000018", oid::EVIDENCE);
    assert!(matches!(refusal(&params), CredentialFault::WrongEnvironment { .. }));
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let (_, mut leaf) = root_with_leaf(&evidence_params());
    leaf.key = KeyPair::generate().unwrap();
    assert!(matches!(signer(&leaf, &[]), Err(EvidenceSignerFault::Credential(CredentialFault::KeyMismatch))));
}

#[test]
fn an_rsa_key_is_refused() {
    let root = Authority::root("root");
    let leaf = root.leaf_with(&evidence_params(), testing::rsa_key());
    assert!(matches!(signer(&leaf, &[]), Err(EvidenceSignerFault::Key)));
}

#[test]
fn a_chain_of_more_certificates_than_a_statement_may_carry_is_refused() {
    let mut authorities = vec![Authority::root("root")];
    for name in ["a", "b", "c", "d"] {
        authorities.push(authorities.last().unwrap().below(name));
    }
    let leaf = authorities.last().unwrap().leaf(&evidence_params());
    let above: Vec<&CertificateDer<'_>> = authorities.iter().skip(1).rev().map(|above| &above.der).collect();
    assert!(matches!(signer(&leaf, &above), Err(EvidenceSignerFault::ChainTooLong)));
    assert!(signer(&leaf, &above[..3]).is_ok());
}

#[test]
fn the_chain_ends_below_the_anchor() {
    let root = Authority::root("root");
    let below = root.below("below");
    let leaf = below.leaf(&evidence_params());
    let signer = signer(&leaf, &[&below.der, &root.der]).unwrap();
    assert_eq!(signer.chain(), [leaf.der.to_vec(), below.der.to_vec()]);
}

#[test]
fn the_curve_of_the_key_decides_the_algorithm_and_the_signature_has_its_fixed_length() {
    let root = Authority::root("root");
    for (key, algorithm, length) in
        [(KeyPair::generate().unwrap(), Algorithm::Es256, 64), (p384(), Algorithm::Es384, 96)]
    {
        let signer = signer(&root.leaf_with(&evidence_params(), key), &[]).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        assert_eq!(signer.sign(MESSAGE).unwrap().len(), length);
    }
}

#[test]
fn a_signer_shows_whom_it_signs_for_and_nothing_of_its_key() {
    let (_, leaf) = root_with_leaf(&evidence_params());
    let signer = signer(&leaf, &[]).unwrap();
    let shown = format!("{signer:?}");
    let identity = signer.identity();
    assert_eq!(shown, format!("EvidenceSigner {{ identity: {identity:?}, algorithm: Es256, .. }}"));
}
