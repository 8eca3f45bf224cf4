//! What a state directory keeps, and whom it lets in.

use super::*;
use crate::{
    source::Fingerprint,
    testing::{SENDER, manifest},
};

fn open(root: &Path) -> Result<Store, StoreFault> {
    Store::open(root, Environment::Test, &SENDER.parse().unwrap())
}

fn record() -> Record {
    let fingerprint = Fingerprint { size: 7, modified: 1, inode: 2, device: 3 };
    Record::held("/tmp/RECEIPTC.UKE".to_owned(), fingerprint, pki::clock::now())
}

#[test]
fn a_second_process_is_turned_away_until_the_first_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    assert!(is_at_work(directory.path()));
    assert!(matches!(open(directory.path()).err(), Some(StoreFault::InUse { .. })));
    drop(store);
    assert!(!is_at_work(directory.path()));
    open(directory.path()).unwrap();
}

#[test]
fn a_transfer_reads_back_as_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let (text, manifest) = manifest(b"content");
    let made = store.create(text.clone(), manifest.clone(), record()).unwrap();
    let found = store.transfer(manifest.transfer_id).unwrap();
    assert_eq!((found.manifest_text, found.manifest, found.record), (text, manifest, made.record));
}

#[test]
fn a_transfer_that_was_being_made_when_the_program_stopped_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let half = directory.path().join(TRANSFERS).join(".0198f0a0-0000-7000-8000-000000000000.tmp");
    durable::create_directory(&half, Access::Private).unwrap();
    assert!(open(directory.path()).unwrap().transfers().unwrap().is_empty());
    assert!(!half.exists());
}

#[test]
fn an_altered_state_is_refused_and_not_guessed_at() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let (text, manifest) = manifest(b"content");
    let transfer = store.create(text, manifest, record()).unwrap();
    fs::write(transfer.file(STATE), b"{}").unwrap();
    assert!(matches!(store.transfers(), Err(StoreFault::Altered { .. })));
}

#[test]
fn a_state_directory_of_the_other_environment_is_never_taken_up() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let other = Store::open(directory.path(), Environment::Production, &SENDER.parse().unwrap());
    assert!(matches!(other.err(), Some(StoreFault::Key(LogKeyFault::OtherEnvironment { .. }))));
}

#[cfg(unix)]
#[test]
fn nobody_but_its_owner_sees_the_state() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("data");
    let store = open(&root).unwrap();
    let (text, manifest) = manifest(b"content");
    let transfer = store.create(text, manifest, record()).unwrap();
    for (path, mode) in
        [(root.clone(), 0o700), (transfer.file(MANIFEST), 0o600), (transfer.file(STATE), 0o600)]
    {
        let found = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{}", path.display());
    }
}
