//! A log that was altered, shortened or torn, and what becomes of it.

use std::fs;

use protocol::merkle::{check_consistency, check_inclusion};

use super::*;
use crate::testing::SeededLogKey;

fn key() -> Box<SeededLogKey> {
    Box::new(SeededLogKey::new("sekisho/test/log", 1))
}

/// A directory with a log of so many entries.
fn log_of(entries: u64) -> (tempfile::TempDir, SendLog) {
    let directory = tempfile::tempdir().unwrap();
    let mut log = SendLog::open(directory.path(), key()).unwrap();
    while log.size() < entries {
        log.append(stamp::entry(Event::Offered).unwrap()).unwrap();
    }
    (directory, log)
}

fn checkpoint_of(log: &SendLog) -> Checkpoint {
    Checkpoint::verify(log.checkpoint(), log.identity()).unwrap()
}

fn reopen(directory: &tempfile::TempDir) -> Result<SendLog, LogFault> {
    SendLog::open(directory.path(), key())
}

/// Changes the file of entries as a damaged disk or a person with an editor would.
fn alter(directory: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
    let file = directory.path().join(ENTRIES);
    let mut bytes = fs::read(&file).unwrap();
    change(&mut bytes);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_new_log_begins_with_the_entry_that_says_so() {
    let (_directory, log) = log_of(1);
    let entry: Entry = serde_json::from_str(&log.inclusion(0).unwrap().entry).unwrap();
    assert_eq!((entry.event, log.size()), (Event::LogOpened, 1));
}

#[test]
fn each_entry_is_proved_by_the_newest_checkpoint_after_a_new_start_too() {
    let (directory, log) = log_of(9);
    drop(log);
    let log = reopen(&directory).unwrap();
    let checkpoint = checkpoint_of(&log);
    assert_eq!(checkpoint.size, 9);
    for seq in 0..9 {
        let inclusion = log.inclusion(seq).unwrap();
        let leaf = leaf_hash(inclusion.entry.as_bytes());
        check_inclusion(leaf, seq, checkpoint.size, &inclusion.proof, &checkpoint.root).unwrap();
    }
}

#[test]
fn an_earlier_checkpoint_is_proved_to_be_the_beginning_of_a_later_one() {
    let (_directory, mut log) = log_of(3);
    let earlier = checkpoint_of(&log);
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    let later = checkpoint_of(&log);
    let proof = log.consistency(earlier.size, later.size).unwrap().proof;
    check_consistency(earlier.size, &earlier.root, later.size, &later.root, &proof).unwrap();
}

#[test]
fn a_torn_last_line_is_cut_off_and_the_log_goes_on() {
    let (directory, log) = log_of(4);
    drop(log);
    alter(&directory, |bytes| bytes.extend_from_slice(br#"{"version":1,"se"#));
    let mut log = reopen(&directory).unwrap();
    assert_eq!(log.size(), 4);
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    drop(log);
    assert_eq!(reopen(&directory).unwrap().size(), 5);
}

#[test]
fn an_unsigned_line_that_is_not_the_next_entry_is_cut_off() {
    let (directory, log) = log_of(4);
    drop(log);
    let stray = Entry { seq: 9, ..stamp::entry(Event::Received).unwrap() };
    let line = [serde_json::to_vec(&stray).unwrap(), b"\n".to_vec()].concat();
    alter(&directory, |bytes| bytes.extend_from_slice(&line));
    assert_eq!(reopen(&directory).unwrap().size(), 4);
}

#[test]
fn a_torn_line_behind_an_unsigned_one_is_no_mere_stop() {
    let (directory, mut log) = log_of(4);
    let before = log.checkpoint().to_owned();
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    drop(log);
    fs::write(directory.path().join(CHECKPOINT), before).unwrap();
    alter(&directory, |bytes| bytes.extend_from_slice(b"{"));
    let fault = reopen(&directory).err().unwrap();
    assert!(matches!(fault, LogFault::Altered { seq: 5 }), "{fault}");
}

#[test]
fn a_whole_entry_without_checkpoint_is_kept_and_signed() {
    let (directory, mut log) = log_of(4);
    let before = log.checkpoint().to_owned();
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    drop(log);
    fs::write(directory.path().join(CHECKPOINT), before).unwrap();
    assert_eq!(checkpoint_of(&reopen(&directory).unwrap()).size, 5);
}

#[test]
fn every_altered_byte_of_a_signed_entry_is_found() {
    let (directory, log) = log_of(3);
    drop(log);
    let file = directory.path().join(ENTRIES);
    let good = fs::read(&file).unwrap();
    for at in 0..good.len() {
        alter(&directory, |bytes| bytes[at] ^= 1);
        assert!(verify(directory.path()).is_err(), "byte {at} may be altered");
        fs::write(&file, &good).unwrap();
    }
    verify(directory.path()).unwrap();
}

#[test]
fn a_removed_entry_is_found_wherever_it_stood() {
    for removed in 0..4 {
        let (directory, log) = log_of(4);
        drop(log);
        alter(&directory, |bytes| {
            let lines: Vec<Vec<u8>> = bytes.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let kept = lines.into_iter().enumerate().filter(|(at, _)| *at != removed);
            *bytes = kept.flat_map(|(_, line)| line).collect();
        });
        assert!(reopen(&directory).is_err(), "entry {removed} may be removed");
    }
}

#[test]
fn entries_that_nobody_signed_are_found() {
    let (directory, mut log) = log_of(2);
    let before = log.checkpoint().to_owned();
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    log.append(stamp::entry(Event::Received).unwrap()).unwrap();
    drop(log);
    fs::write(directory.path().join(CHECKPOINT), before).unwrap();
    let fault = verify(directory.path()).unwrap_err();
    assert!(matches!(fault, LogFault::NotSigned { present: 4, signed: 2 }), "{fault}");
}

#[test]
fn a_log_of_another_key_does_not_open() {
    let (directory, log) = log_of(2);
    drop(log);
    let other = Box::new(SeededLogKey::new("sekisho/test/log", 2));
    let fault = SendLog::open(directory.path(), other).err().unwrap();
    assert!(matches!(fault, LogFault::Checkpoint(CheckpointFault::BadSignature)), "{fault}");
}
