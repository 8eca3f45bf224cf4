//! The verdict on content, each way it can come out.

use protocol::{
    checkpoint::LogIdentity,
    kind::{Class, Kind},
    moment::Moment,
    party::{Environment, Identity},
    transfer_id::TransferId,
};

use super::*;

const FILE: &[u8] = b"UK,1,13,1,0000018,,X,202610,,00\r\nIR,1,13,1,0000018,,X,202610,00,\r\nRE,1,1112,202609\r\nGO,1,2,99\r\n\x1A";

/// A good manifest of this content.
pub fn manifest(content: &[u8]) -> Manifest {
    Manifest {
        version: 1,
        transfer_id: TransferId::new(Moment::from_unix_ms(1), [0; 10]),
        environment: Environment::Test,
        system: System::Claims,
        kind: Kind::Medical,
        acting: Identity::from_uri("urn:sekisho:test:institution:1310000018").unwrap(),
        sender: "institution:1310000018".parse().unwrap(),
        receiver: "review-agency:113".parse().unwrap(),
        file_name: "RECEIPTC.UKE".to_owned(),
        length: content.len() as u64,
        sha256: Sha256::of(content),
        class: Class::StrictlyConfidential,
        claim_month: Some("202610".parse().unwrap()),
        replaces: None,
        corrects: None,
        resubmission_of: None,
        created_at: Moment::from_unix_ms(1),
        log: LogIdentity { origin: "o".to_owned(), key: "k".to_owned() },
        checkpoint: String::new(),
    }
}

fn judge(
    manifest: &Manifest,
    content: &[u8],
    completeness: Completeness,
) -> Result<Option<ClaimsFacts>, Verdict> {
    let mut watcher = Watcher::new(manifest);
    content.chunks(7).for_each(|chunk| watcher.update(chunk));
    watcher.finish().judge(manifest, completeness).map(Checked::into_facts)
}

fn refused_for(change: impl Fn(&mut Manifest)) -> Verdict {
    let mut manifest = manifest(FILE);
    change(&mut manifest);
    judge(&manifest, FILE, Completeness::Refuse).unwrap_err()
}

#[test]
fn the_declared_complete_file_is_accepted_with_its_facts() {
    let facts = judge(&manifest(FILE), FILE, Completeness::Refuse).unwrap().unwrap();
    assert_eq!((facts.claims, facts.institution.as_str()), (1, "1310000018"));
}

#[test]
fn one_flipped_bit_and_one_missing_byte_are_other_content() {
    let manifest = manifest(FILE);
    let mut flipped = FILE.to_vec();
    flipped[40] ^= 1;
    for other in [&flipped[..], &FILE[..FILE.len() - 1], &[]] {
        assert_eq!(judge(&manifest, other, Completeness::Refuse), Err(Verdict::OtherContent));
    }
}

#[test]
fn a_truncated_file_is_refused_although_its_sender_declared_it_so() {
    for end in 1..FILE.len() {
        let truncated = &FILE[..end];
        let verdict = judge(&manifest(truncated), truncated, Completeness::Refuse).unwrap_err();
        assert!(
            matches!(verdict, Verdict::Refused(Problem::ClaimsIncomplete, Some(_))),
            "{end} bytes: {verdict:?}"
        );
    }
}

#[test]
fn a_truncated_file_passes_without_facts_where_the_agency_only_wants_a_warning() {
    let truncated = &FILE[..FILE.len() - 1];
    assert_eq!(judge(&manifest(truncated), truncated, Completeness::Warn), Ok(None));
}

#[test]
fn a_truncated_file_of_somebody_else_is_refused_even_where_the_agency_only_wants_a_warning() {
    let truncated = &FILE[..FILE.len() - 1];
    let mut manifest = manifest(truncated);
    manifest.sender = "institution:1310000026".parse().unwrap();
    let verdict = judge(&manifest, truncated, Completeness::Warn);
    assert_eq!(verdict, Err(Verdict::Refused(Problem::ClaimsCodeMismatch, None)));
    let headless = &FILE[33..];
    let verdict = judge(&super::tests::manifest(&headless[10..]), &headless[10..], Completeness::Warn);
    assert!(matches!(verdict, Err(Verdict::Refused(Problem::ClaimsIncomplete, _))), "{verdict:?}");
}

#[test]
fn codes_in_the_file_that_are_not_those_of_the_parties_are_refused() {
    let sender = |manifest: &mut Manifest| manifest.sender = "institution:1310000026".parse().unwrap();
    let receiver = |manifest: &mut Manifest| manifest.receiver = "review-agency:213".parse().unwrap();
    let month = |manifest: &mut Manifest| manifest.claim_month = Some("202611".parse().unwrap());
    assert_eq!(refused_for(sender), Verdict::Refused(Problem::ClaimsCodeMismatch, None));
    assert_eq!(refused_for(receiver), Verdict::Refused(Problem::ClaimsPayerMismatch, None));
    assert_eq!(refused_for(month), Verdict::Refused(Problem::ClaimsMonthMismatch, None));
    let verdict = refused_for(|manifest| manifest.kind = Kind::Pharmacy);
    assert!(matches!(verdict, Verdict::Refused(Problem::ClaimsKindMismatch, Some(_))), "{verdict:?}");
}
