//! Segments in a spool: what a stop leaves, what goes, and what was there before them.

#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use std::fs;

use super::*;

fn bench() -> Bench {
    Bench::new().with_segments()
}

/// The files of all segments, oldest first.
fn segments(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.root().join("segments")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn read(spool: &FileSpool, key: &TransferKey, length: usize) -> Result<Vec<u8>, SpoolFault> {
    let mut bytes = Vec::new();
    spool.read(key, length as u64)?.read_to_end(&mut bytes).map_err(SpoolFault::of_reading)?;
    Ok(bytes)
}

#[test]
fn whatever_a_stop_tears_off_what_was_finished_before_is_there() {
    const CONTENTS: u64 = 4;
    let bench = bench();
    let spool = bench.open();
    let mut ends = Vec::new();
    let content = |n: u64| vec![n as u8; 300 * n as usize];
    for n in 0..CONTENTS {
        finish(&spool, &nth(n), &content(n));
        ends.push(fs::metadata(&segments(&bench)[0]).unwrap().len());
    }
    drop(spool);
    let whole = fs::read(&segments(&bench)[0]).unwrap();
    let cuts = ends.iter().flat_map(|end| [end - 513, end - 512, end - 1, *end]).chain([0, 1, 511, 512, 600]);
    for cut in cuts {
        for file in segments(&bench) {
            fs::remove_file(file).unwrap();
        }
        fs::write(bench.root().join("segments").join(format!("{:020}", 1)), &whole[..cut as usize]).unwrap();
        let spool = bench.open();
        for (n, end) in (0..).zip(&ends) {
            match read(&spool, &nth(n), content(n).len()) {
                Ok(bytes) => assert_eq!(bytes, content(n), "cut at {cut}"),
                Err(fault) => assert!(cut < *end && matches!(fault, SpoolFault::Missing(_)), "{fault:?}"),
            }
        }
        // It goes on beside it.
        finish(&spool, &nth(9), b"after");
        drop(spool);
        let spool = bench.open();
        assert_eq!(read(&spool, &nth(9), 5).unwrap(), b"after");
        spool.recover(&|_| Keep::Nothing).unwrap();
        assert_eq!(segments(&bench), [] as [PathBuf; 0], "cut at {cut}: nothing of it is left");
    }
}

#[test]
fn a_segment_goes_with_the_last_that_is_wanted_of_it() {
    let bench = bench();
    let spool = bench.open();
    for n in 0..3 {
        finish(&spool, &nth(n), b"content");
    }
    let one = segments(&bench);
    assert_eq!(one.len(), 1);
    spool.drop_content(&nth(0)).unwrap();
    spool.drop_content(&nth(2)).unwrap();
    assert_eq!(segments(&bench), one);
    spool.drop_content(&nth(1)).unwrap();
    assert_eq!(segments(&bench), [] as [PathBuf; 0]);
    finish(&spool, &nth(3), b"content");
    assert_eq!(segments(&bench).len(), 1);
    assert_ne!(segments(&bench), one, "no name is given twice");
}

#[test]
fn a_segment_that_is_full_is_followed_by_another() {
    let bench = bench();
    let spool = bench.open();
    let content = |n: u64| vec![n as u8; SMALL_CONTENT_MAX as usize];
    for n in 0..130 {
        finish(&spool, &nth(n), &content(n));
    }
    for _ in 0..2 {
        let sizes = segments(&bench).into_iter().map(|path| fs::metadata(path).unwrap().len());
        assert_eq!(sizes.filter(|size| *size <= 16 * 1024 * 1024).count(), 3);
    }
    drop(spool);
    let spool = bench.open();
    for n in 0..130 {
        assert!(read(&spool, &nth(n), content(n).len()).unwrap() == content(n));
    }
    (0..65).for_each(|n| spool.drop_content(&nth(n)).unwrap());
    assert_eq!(segments(&bench).len(), 2);
}

#[test]
fn no_segment_shows_content_or_can_be_read_by_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = bench();
    let spool = bench.open();
    finish(&spool, &nth(1), &[b'a'; 5000]);
    let [path] = &segments(&bench)[..] else { panic!("one segment") };
    assert!(!fs::read(path).unwrap().windows(8).any(|window| window == [b'a'; 8]));
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(bench.root().join("segments")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn content_that_was_altered_after_it_was_found_is_not_read() {
    let bench = bench();
    let spool = bench.open();
    finish(&spool, &nth(1), b"content");
    let path = &segments(&bench)[0];
    let good = fs::read(path).unwrap();
    for at in 512..good.len() - 505 {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
        assert!(matches!(read(&spool, &nth(1), 7), Err(SpoolFault::Damaged(..))), "byte {at}");
    }
    fs::write(path, &good[..good.len() - 513]).unwrap();
    assert!(matches!(read(&spool, &nth(1), 7), Err(SpoolFault::Damaged(..))));
    fs::write(path, good).unwrap();
    assert_eq!(read(&spool, &nth(1), 7).unwrap(), b"content");
}

#[test]
fn a_committed_content_whose_record_is_gone_is_missed_by_recovery() {
    let bench = bench();
    let spool = bench.open();
    finish(&spool, &nth(1), b"content");
    drop(spool);
    let path = &segments(&bench)[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[600] ^= 1;
    fs::write(path, bytes).unwrap();
    // Nobody can ask about a record whose head is not readable; that it is not finished is what a start finds out.
    assert_eq!(bench.open().finished_length(&nth(1)).unwrap(), None);
}

#[test]
fn content_that_was_altered_while_nobody_had_it_is_kept_for_people_if_it_was_promised() {
    let bench = bench();
    let spool = bench.open();
    finish(&spool, &nth(1), b"content");
    drop(spool);
    let path = &segments(&bench)[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[1024] ^= 1;
    fs::write(path, &bytes).unwrap();
    for (wanted, expected) in [
        (Keep::Whole(7), Recovered { kept: 1, ..Recovered::default() }),
        (Keep::Whole(8), Recovered { damaged: vec![nth(1)], ..Recovered::default() }),
        (Keep::Prefix(7), Recovered { damaged: vec![nth(1)], ..Recovered::default() }),
        // As after a stop that tore it.
        (Keep::Prefix(0), Recovered { removed: 1, ..Recovered::default() }),
    ] {
        let spool = bench.open();
        assert!(matches!(read(&spool, &nth(1), 7), Err(SpoolFault::Damaged(..))));
        assert_eq!(spool.recover(&|_| wanted).unwrap(), expected, "{wanted:?}");
    }
    assert_eq!(segments(&bench), [] as [PathBuf; 0]);
}

#[test]
fn content_that_the_ledger_cannot_be_asked_about_is_kept_as_it_is() {
    let bench = bench();
    finish(&bench.open(), &nth(1), b"content");
    let kept = bench.open().recover(&|_| Keep::Unknown).unwrap();
    assert_eq!(kept, Recovered { kept: 1, ..Recovered::default() });
    let spool = bench.open();
    assert_eq!(spool.recover(&|_| Keep::Whole(7)).unwrap().kept, 1);
    assert_eq!(read(&spool, &nth(1), 7).unwrap(), b"content");
}

#[test]
fn content_that_a_stop_left_before_its_attempt_was_on_record_does_not_fence_the_next_of_the_same_number() {
    let bench = bench();
    // Another that is wanted keeps the segments, and with them the records that are not.
    finish(&bench.open(), &nth(2), b"other");
    let on_record = |key: &TransferKey| if *key == nth(1) { Keep::Prefix(0) } else { Keep::Whole(5) };
    for stop in 0..3 {
        let spool = bench.open();
        spool.recover(&on_record).unwrap();
        assert!(matches!(read(&spool, &nth(1), 7), Err(SpoolFault::Missing(_))), "after stop {stop}");
        finish(&spool, &nth(1), b"content");
        assert_eq!(read(&spool, &nth(1), 7).unwrap(), b"content");
    }
}

#[test]
fn what_is_no_segment_is_left_alone_and_named() {
    let bench = bench();
    drop(bench.open());
    for (name, bytes) in [("notes.txt", &b"x"[..]), ("1", b"x"), ("00000000000000000001", &[b'x'; 600])] {
        fs::write(bench.root().join("segments").join(name), bytes).unwrap();
    }
    let spool = bench.open();
    finish(&spool, &nth(1), b"content");
    assert_eq!(spool.recover(&|_| Keep::Nothing).unwrap().strange.len(), 3);
    assert_eq!(segments(&bench).len(), 3);
}

#[test]
fn content_that_an_older_version_kept_in_files_stays_there() {
    let mut bench = Bench::new();
    let spool = bench.open();
    finish(&spool, &nth(1), b"done");
    let mut writer = spool.begin(&nth(2), 1, 0, 7).unwrap();
    writer.write(b"partial").unwrap();
    writer.sync().unwrap();
    drop((writer, spool));
    let stamp = bench.root().join("FORMAT");
    let text = fs::read_to_string(&stamp).unwrap();
    fs::write(&stamp, text.replace("layout 3", "layout 2")).unwrap();
    fs::remove_dir(bench.root().join("segments")).unwrap();

    bench = bench.with_segments();
    let spool = bench.open();
    assert_eq!(
        fs::read_to_string(&stamp).unwrap(),
        text,
        "an older version finds out that it does not know this"
    );
    assert_eq!(read(&spool, &nth(1), 4).unwrap(), b"done");
    assert!(matches!(spool.begin(&nth(2), 1, 0, 7).err(), Some(SpoolFault::Fenced { .. })));
    let mut writer = spool.begin(&nth(2), 2, 0, 7).unwrap();
    writer.write(b"content").unwrap();
    writer.finish().unwrap();
    assert_eq!((bench.files(), segments(&bench).len()), (2, 0));
    spool.drop_content(&nth(1)).unwrap();
    spool.drop_content(&nth(2)).unwrap();
    assert_eq!(bench.files(), 0);
}
