//! Judging signers years later, from a bundle alone.

use protocol::jws::Algorithm;
use rustls_pki_types::CertificateRevocationListDer;
use time::{Duration, OffsetDateTime, macros::datetime};

use super::{super::Freshness, *};
use crate::testing::{authority_params, crl_params, moment};

/// The day the statement was received, long past.
const RECEIVED: OffsetDateTime = datetime!(2021-06-10 12:00 UTC);

/// root → below → leaf, all of them long expired, and the signature.
struct Past {
    root: Authority,
    below: Authority,
    leaf: Leaf,
}

fn expired(name: &str) -> CertificateParams {
    let mut params = authority_params(name);
    params.not_before = datetime!(2020-01-01 00:00 UTC);
    params.not_after = datetime!(2024-01-01 00:00 UTC);
    params
}

impl Past {
    fn new() -> Self {
        let root = Authority::root_of(expired("root"));
        let below = root.below_of(expired("below"));
        let mut params = evidence_params();
        params.not_before = datetime!(2021-01-01 00:00 UTC);
        params.not_after = datetime!(2023-01-01 00:00 UTC);
        let leaf = below.leaf(&params);
        Past { root, below, leaf }
    }

    fn judge(
        &self,
        lists: &[CertificateRevocationListDer<'_>],
        freshness: Freshness,
    ) -> Result<Identity, SignerFault> {
        let anchors = testing::certificates_pem(&[&self.root.der]);
        let lists: Vec<Vec<u8>> = lists.iter().map(|list| testing::crls_pem(&[list])).collect();
        let verifier = EvidenceVerifier::from_pem(&anchors, &lists, freshness, Policy::default()).unwrap();
        let signature = sign_es256(&self.leaf.key);
        let signed = SignedBytes {
            algorithm: Algorithm::Es256,
            chain: &[self.leaf.der.to_vec(), self.below.der.to_vec()],
            message: MESSAGE,
            signature: &signature,
        };
        verifier.verify(&signed, moment(RECEIVED))
    }

    /// A list of a week around `middle`.
    fn list(
        authority: &Authority,
        number: u64,
        middle: OffsetDateTime,
        revoked: &[(&Leaf, OffsetDateTime)],
    ) -> CertificateRevocationListDer<'static> {
        let serials: Vec<_> = revoked.iter().map(|(leaf, _)| &leaf.serial).collect();
        let mut params = crl_params(number, &serials);
        params.this_update = middle - Duration::days(3);
        params.next_update = middle + Duration::days(4);
        for (entry, (_, since)) in params.revoked_certs.iter_mut().zip(revoked) {
            entry.revocation_time = *since;
        }
        authority.crl_of(&params)
    }
}

#[test]
fn a_statement_verifies_after_certificates_and_lists_have_ended() {
    let past = Past::new();
    let lists = [Past::list(&past.root, 1, RECEIVED, &[]), Past::list(&past.below, 1, RECEIVED, &[])];
    assert_eq!(past.judge(&lists, Freshness::AtTime).unwrap().to_uri(), INSTITUTION);
}

#[test]
fn the_same_lists_are_too_old_for_a_statement_that_comes_in_now() {
    let past = Past::new();
    let lists = [Past::list(&past.root, 1, RECEIVED, &[]), Past::list(&past.below, 1, RECEIVED, &[])];
    assert_eq!(past.judge(&lists, Freshness::Live), untrusted("crl_expired"));
}

#[test]
fn a_bundle_without_a_list_of_some_authority_proves_nothing() {
    let past = Past::new();
    let lists = [Past::list(&past.root, 1, RECEIVED, &[])];
    assert_eq!(past.judge(&lists, Freshness::AtTime), untrusted("crl_missing"));
    assert_eq!(past.judge(&[], Freshness::AtTime), untrusted("crl_missing"));
}

#[test]
fn a_list_that_ended_before_the_receipt_does_not_do() {
    let past = Past::new();
    let ended = Past::list(&past.below, 1, RECEIVED - Duration::days(8), &[]);
    let lists = [Past::list(&past.root, 1, RECEIVED, &[]), ended];
    assert_eq!(past.judge(&lists, Freshness::AtTime), untrusted("crl_expired"));
}

#[test]
fn lists_renewed_after_the_receipt_serve_as_well() {
    let past = Past::new();
    let renewed = RECEIVED + Duration::days(30);
    let lists = [Past::list(&past.root, 2, renewed, &[]), Past::list(&past.below, 2, renewed, &[])];
    assert_eq!(past.judge(&lists, Freshness::AtTime).unwrap().to_uri(), INSTITUTION);
}

#[test]
fn a_renewed_list_refuses_by_revocations_up_to_the_receipt_and_by_no_later_ones() {
    let past = Past::new();
    let renewed = RECEIVED + Duration::days(30);
    let dated = |since| {
        let lists = [
            Past::list(&past.root, 2, renewed, &[]),
            Past::list(&past.below, 2, renewed, &[(&past.leaf, since)]),
        ];
        past.judge(&lists, Freshness::AtTime)
    };
    assert_eq!(dated(RECEIVED - Duration::days(1)), untrusted("revoked"));
    assert_eq!(dated(RECEIVED), untrusted("revoked"));
    assert!(dated(RECEIVED + Duration::seconds(1)).is_ok());
}

#[test]
fn a_list_made_after_a_certificate_ended_proves_nothing_for_it() {
    let past = Past::new();
    // The leaf ends in January, its authority a year later: from then on the list need not name the leaf.
    let too_late = datetime!(2023-06-01 00:00 UTC);
    let lists = [Past::list(&past.root, 9, too_late, &[]), Past::list(&past.below, 9, too_late, &[])];
    assert_eq!(past.judge(&lists, Freshness::AtTime), untrusted("crl_missing"));
    let lists = [Past::list(&past.root, 9, too_late, &[]), Past::list(&past.below, 1, RECEIVED, &[])];
    assert!(past.judge(&lists, Freshness::AtTime).is_ok());
}

#[test]
fn a_forged_list_is_as_good_as_none() {
    let past = Past::new();
    let impostor = Authority::root("below");
    let lists = [Past::list(&past.root, 1, RECEIVED, &[]), Past::list(&impostor, 1, RECEIVED, &[])];
    assert_eq!(past.judge(&lists, Freshness::AtTime), untrusted("crl_missing"));
}

#[test]
fn a_later_list_that_dates_the_revocation_earlier_counts() {
    let past = Past::new();
    let dated = |since| {
        let later = Past::list(&past.below, 2, RECEIVED + Duration::days(30), &[(&past.leaf, since)]);
        let lists =
            [Past::list(&past.root, 1, RECEIVED, &[]), Past::list(&past.below, 1, RECEIVED, &[]), later];
        past.judge(&lists, Freshness::AtTime)
    };
    assert_eq!(dated(RECEIVED - Duration::days(1)), untrusted("revoked"));
    assert!(dated(RECEIVED + Duration::days(1)).is_ok());
}

#[test]
fn a_list_that_cannot_be_read_refuses_the_bundle() {
    let past = Past::new();
    let anchors = testing::certificates_pem(&[&past.root.der]);
    for rubbish in [&b""[..], b"rubbish", &[0x30, 0x01, 0x00]] {
        assert!(
            EvidenceVerifier::from_pem(&anchors, &[rubbish.to_vec()], Freshness::AtTime, Policy::default())
                .is_err()
        );
    }
    assert!(EvidenceVerifier::from_pem(b"", &[], Freshness::AtTime, Policy::default()).is_err());
}

#[test]
fn the_lists_relied_on_leave_one_verifier_and_serve_another() {
    let root = Authority::root("root");
    let signer = signer(&root.leaf(&evidence_params()), &[]).unwrap();
    let trust = testing::trust(&[&root.der], &[], &[&root.crl(1, &[])]);
    let live = EvidenceVerifier::live(std::sync::Arc::new(trust));
    let anchors = testing::certificates_pem(&[&root.der]);
    for lists in [vec![live.crls_pem().into_bytes()], live.crls_der()] {
        let offline =
            EvidenceVerifier::from_pem(&anchors, &lists, Freshness::AtTime, Policy::default()).unwrap();
        assert!(judge(&offline, &signer, clock::now()).is_ok());
        assert_eq!(offline.crls_der(), live.crls_der());
    }
}
