use super::*;
use crate::testing::{self, Authority};

fn written(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file.pem");
    durable::create(&file, text, durable::Access::Private).unwrap();
    (directory, file)
}

fn a_key() -> Vec<u8> {
    testing::key_pem(&rcgen::KeyPair::generate().unwrap())
}

#[test]
fn two_keys_in_one_file_are_refused() {
    let both = [a_key(), a_key()].concat();
    assert!(matches!(private_key_in(&both, Path::new("key.pem")), Err(PemFault::TwoKeys { .. })));
}

#[test]
fn a_missing_file_is_unreadable() {
    let (directory, _) = written(b"");
    let missing = directory.path().join("none.pem");
    assert!(matches!(certificates(&missing), Err(PemFault::Unreadable { file, .. }) if file == missing));
}

#[test]
fn a_file_without_what_is_looked_for_holds_nothing() {
    let (_directory, file) = written(&a_key());
    assert!(matches!(certificates(&file), Err(PemFault::Nothing { expected: "certificate", .. })));
    assert!(matches!(crls(&file), Err(PemFault::Nothing { .. })));
}

#[test]
fn a_file_that_was_cut_within_a_section_is_malformed() {
    let root = Authority::root("root");
    let whole = testing::certificates_pem(&[&root.der, &root.der]);
    let (_directory, file) = written(&whole[..whole.len() - 40]);
    assert!(matches!(certificates(&file), Err(PemFault::Malformed { .. })));
}

#[test]
fn what_is_encoded_reads_back_in_order() {
    let (one, other) = (Authority::root("one"), Authority::root("other"));
    let (_directory, file) = written(&testing::certificates_pem(&[&one.der, &other.der]));
    assert_eq!(certificates(&file).unwrap(), [one.der, other.der]);
}

#[test]
fn a_revocation_list_is_read_from_der_as_from_pem() {
    let list = Authority::root("root").crl(1, &[]);
    for content in [list.to_vec(), testing::crls_pem(&[&list])] {
        let (_directory, file) = written(&content);
        assert_eq!(crls(&file).unwrap(), std::slice::from_ref(&list));
    }
}
