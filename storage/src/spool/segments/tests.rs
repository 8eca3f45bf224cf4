//! What is found in a segment, whatever became of its bytes; and how many writes and syncs it takes.

use std::sync::{
    Condvar,
    atomic::{AtomicUsize, Ordering},
    mpsc::channel,
};

use super::*;
use crate::{
    conformance::samples,
    spool::{
        disk::{Disk, RealDisk},
        seal::SpoolKey,
    },
};

fn nth(n: u64) -> TransferKey {
    samples::key(&samples::sender(n), n)
}

fn keys() -> [Option<SpoolKey>; 2] {
    let text = SpoolKey::new_text().unwrap();
    [None, Some(SpoolKey::from_text(text.as_bytes()).unwrap())]
}

/// A segment with contents of these lengths, and where each record ends: with its last byte of content, not of what fills
/// up its block.
fn segment(lengths: &[usize], key: Option<&SpoolKey>) -> (Vec<u8>, Vec<usize>) {
    let salt = record::Salt::new().unwrap();
    let (mut bytes, mut ends) = (salt.to_bytes(), Vec::new());
    for (n, length) in (0..).zip(lengths) {
        ends.push(bytes.len() + BLOCK + length);
        Record::new(&nth(n), 1, vec![n as u8 + 1; *length], key).unwrap().lay_out(salt, &mut bytes);
    }
    (bytes, ends)
}

/// Which of them are found.
fn found(bytes: &[u8], key: Option<&SpoolKey>) -> Vec<TransferKey> {
    let scanned = scan(bytes, key).map(|scanned| scanned.found).unwrap_or_default();
    scanned.into_iter().filter(|found| found.is_sound).map(|found| found.key).collect()
}

const LENGTHS: [usize; 5] = [3, 512, 0, 700, 100];

#[test]
fn of_a_segment_that_was_cut_at_any_byte_exactly_what_is_wholly_there_is_found() {
    for key in keys() {
        let (bytes, ends) = segment(&LENGTHS, key.as_ref());
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let expected: Vec<_> = (0..whole as u64).map(nth).collect();
            assert_eq!(found(&bytes[..cut], key.as_ref()), expected, "cut at {cut}");
        }
    }
}

#[test]
fn nothing_is_written_to_a_segment_whose_last_content_was_dropped_a_moment_ago() {
    let (mut index, salt) = (index::Index::default(), record::Salt::new().unwrap());
    let at = index::At { segment: 1, attempt: 1, offset: 512, length: 3, is_sound: true };
    index.segment_begun(1, salt, 1);
    assert_eq!(index.put(&nth(1), at), None);
    assert!(index.reserve(1, 1), "it is there, and stays for what is being written");
    assert_eq!(index.drop_content(&nth(1)), None);
    assert_eq!(index.put(&nth(2), at), None);
    assert_eq!(index.drop_content(&nth(2)), Some(index::Emptied(1)));
    assert!(!index.reserve(1, 1), "it is gone, and must not come back");
    assert!(index.leavings().is_empty());
}

#[test]
fn a_segment_whose_first_block_was_never_written_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("segments");
    let open = || Directory::open(&path, durable::Access::Private).unwrap();
    let medium = || Arc::new(Medium::new(Box::new(RealDisk)));
    fs::create_dir_all(&path).unwrap();
    let (blank, other) = (path.join(name_of(1)), path.join(name_of(2)));
    durable::create(&blank, &vec![0; 3 * BLOCK], durable::Access::Private).unwrap();
    durable::create(&other, &vec![7; 3 * BLOCK], durable::Access::Private).unwrap();
    let segments = Segments::open(open(), medium(), None).unwrap();
    assert!(!blank.exists() && other.exists());
    assert_eq!(segments.strange, [other.display().to_string()]);
}

#[test]
fn a_record_that_was_torn_hides_none_behind_it() {
    for key in keys() {
        let (bytes, ends) = segment(&LENGTHS, key.as_ref());
        // Blocks that never reached the disk are read as zeros.
        for block in 1..bytes.len() / BLOCK {
            let mut torn = bytes.clone();
            torn[block * BLOCK..(block + 1) * BLOCK].fill(0);
            let hit = ends.iter().position(|end| block * BLOCK < *end).unwrap_or(LENGTHS.len());
            let expected: Vec<_> = (0..LENGTHS.len() as u64).filter(|n| *n != hit as u64).map(nth).collect();
            assert_eq!(found(&torn, key.as_ref()), expected, "block {block}");
        }
    }
}

#[test]
fn a_record_with_any_altered_byte_is_not_found() {
    for key in keys() {
        let (bytes, ends) = segment(&LENGTHS[..2], key.as_ref());
        for at in BLOCK..ends[0] {
            let mut altered = bytes.clone();
            altered[at] ^= 0x80;
            assert_eq!(found(&altered, key.as_ref()), [nth(1)], "byte {at}");
        }
    }
}

#[test]
fn a_record_of_another_segment_is_not_taken_nor_one_that_stands_in_content() {
    let (other, _) = segment(&[3], None);
    let salt = record::Salt::new().unwrap();
    let mut bytes = salt.to_bytes();
    // As when a block of a file that was removed is read again, or a sender sends one.
    bytes.extend_from_slice(&other[BLOCK..]);
    Record::new(&nth(7), 1, other[BLOCK..].to_vec(), None).unwrap().lay_out(salt, &mut bytes);
    assert_eq!(found(&bytes, None), [nth(7)]);
    // Whatever became of the head before it.
    bytes[3 * BLOCK] ^= 1;
    assert_eq!(found(&bytes, None), []);
}

#[test]
fn what_was_sealed_by_another_key_or_not_at_all_is_not_found() {
    let [plain, one] = keys();
    let [_, other] = keys();
    for (written, read) in [(&one, &other), (&one, &plain), (&plain, &one)] {
        let (bytes, _) = segment(&LENGTHS, written.as_ref());
        assert_eq!(found(&bytes, read.as_ref()), []);
    }
}

#[test]
fn the_newest_sound_attempt_counts_in_whatever_order_segments_are_found() {
    let record =
        |attempt, offset| scan::Found { key: nth(1), attempt, offset, length: 3, is_sound: attempt < 3 };
    let salt = record::Salt::new().unwrap();
    for order in [[1, 2, 3], [2, 1, 3], [3, 2, 1], [3, 1, 2]] {
        let mut index = Index::default();
        for attempt in order {
            index.found(attempt, salt, vec![record(attempt as u32, 512)]);
        }
        assert_eq!(index.get(&nth(1)).unwrap().0.segment, 2);
        assert_eq!(index.may_begin(&nth(1), 3), Err(Newer), "although nothing of it can be read");
        let leavings = index.leavings();
        assert_eq!(leavings, [Emptied(1), Emptied(3)], "the others' segments hold nothing that is wanted");
    }
}

#[test]
fn a_segment_is_emptied_by_the_last_that_leaves_it_and_never_while_it_is_written() {
    let (mut index, salt) = (Index::default(), record::Salt::new().unwrap());
    let at = |offset| index::At { segment: 5, attempt: 1, offset, length: 3, is_sound: true };
    index.segment_begun(5, salt, 2);
    assert_eq!(index.put(&nth(1), at(512)), None);
    assert_eq!(index.drop_content(&nth(1)), None, "another content is being written there");
    assert_eq!(index.put(&nth(2), at(1536)), None);
    assert_eq!(index.begin(&nth(2), 2, false), None, "what an attempt begins with stays");
    assert_eq!(index.begin(&nth(2), 3, true), Some(Emptied(5)));
    assert!(!index.reserve(5, 1));
}

/// A disk whose syncs can be held up, and are counted.
#[derive(Default)]
struct Slow {
    held_up: Mutex<bool>,
    changed: Condvar,
    begun: AtomicUsize,
    writes: AtomicUsize,
}

impl Slow {
    fn hold_up(&self, held_up: bool) {
        *self.held_up.lock().unwrap() = held_up;
        self.changed.notify_all();
    }

    /// Waits until so many syncs have begun.
    fn wait_for(&self, begun: usize) {
        let waits = |_: &mut bool| self.begun.load(Ordering::SeqCst) < begun;
        drop(self.changed.wait_while(self.held_up.lock().unwrap(), waits).unwrap());
    }
}

struct SlowDisk(Arc<Slow>);

impl Disk for SlowDisk {
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        RealDisk.write_at(file, bytes, at)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let held_up = self.0.held_up.lock().unwrap();
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_all();
        drop(self.0.changed.wait_while(held_up, |held_up| *held_up).unwrap());
        RealDisk.sync(file)
    }
}

#[test]
fn what_waits_while_the_disk_is_busy_is_written_and_synced_at_once() {
    const WAITING: u64 = 20;
    let root = tempfile::tempdir().unwrap();
    let directory = Directory::open(&root.path().join("segments"), durable::Access::Private).unwrap();
    let slow = Arc::new(Slow::default());
    let medium = Arc::new(Medium::new(Box::new(SlowDisk(Arc::clone(&slow)))));
    let segments = Segments::open(directory, medium, None).unwrap();
    let (told, outcomes) = channel();
    let append = |n| {
        let (record, told) = (Record::new(&nth(n), 1, b"content".to_vec(), None).unwrap(), told.clone());
        segments.append(record, move |outcome| told.send(outcome).unwrap());
    };
    slow.hold_up(true);
    append(0);
    slow.wait_for(1);
    (1..=WAITING).for_each(append);
    assert!(outcomes.try_recv().is_err(), "nobody is told before the sync");
    assert_eq!(segments.length_of(&nth(0)), None);
    slow.hold_up(false);
    (0..=WAITING).for_each(|_| outcomes.recv().unwrap().unwrap());
    assert_eq!((slow.begun.load(Ordering::SeqCst), slow.writes.load(Ordering::SeqCst)), (2, 2));
    for n in 0..=WAITING {
        assert_eq!(segments.read(&nth(n), 7, None).unwrap().unwrap(), b"content");
    }
}
