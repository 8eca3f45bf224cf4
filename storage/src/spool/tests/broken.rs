//! Disks that fail: what was not made durable is never said to be, and nothing more is taken in.

use std::{
    error::Error as _,
    fs::File,
    path::Path,
    process::Command as Process,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use durable::{Directory, PastCache};

use super::*;
use crate::buffers::Buffers;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Write,
    SetLen,
    Sync,
    SyncDirectory,
    HandOver,
    Remove,
    Unlink,
}

/// Fails one sort of call, from the n-th on, and counts all that come after a failure.
struct FailingDisk {
    call: Call,
    good_ones: AtomicUsize,
    kind: io::ErrorKind,
    after: Arc<AtomicUsize>,
    failed: AtomicUsize,
}

impl FailingDisk {
    fn pass(&self, call: Call) -> io::Result<()> {
        if self.failed.load(Ordering::Relaxed) > 0 {
            self.after.fetch_add(1, Ordering::Relaxed);
        }
        let left = |n: usize| n.checked_sub(1);
        if call == self.call
            && self.good_ones.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err()
        {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(self.kind.into());
        }
        Ok(())
    }
}

impl Disk for FailingDisk {
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        self.pass(Call::Write)?;
        RealDisk.write_at(file, bytes, at)
    }

    fn write_past(&self, file: &mut PastCache, bytes: &[u8], at: u64) -> io::Result<()> {
        self.pass(Call::Write)?;
        RealDisk.write_past(file, bytes, at)
    }

    fn set_len(&self, file: &File, bytes: u64) -> io::Result<()> {
        self.pass(Call::SetLen)?;
        RealDisk.set_len(file, bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.pass(Call::Sync)?;
        RealDisk.sync(file)
    }

    fn sync_directory(&self, directory: &Directory) -> io::Result<()> {
        self.pass(Call::SyncDirectory)?;
        RealDisk.sync_directory(directory)
    }

    fn hand_over(&self, name: &str, from: &Directory, to: &Directory) -> io::Result<()> {
        self.pass(Call::HandOver)?;
        RealDisk.hand_over(name, from, to)
    }

    fn remove(&self, name: &str, directory: &Directory) -> io::Result<()> {
        self.pass(Call::Remove)?;
        RealDisk.remove(name, directory)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.pass(Call::Unlink)?;
        RealDisk.unlink(path)
    }
}

/// A spool on a disk that fails this call after some good ones, and a count of the calls after the failure.
fn failing(
    bench: &Bench,
    call: Call,
    good_ones: usize,
    kind: io::ErrorKind,
) -> (FileSpool, Arc<AtomicUsize>) {
    let after = Arc::new(AtomicUsize::new(0));
    let disk = FailingDisk {
        call,
        good_ones: good_ones.into(),
        kind,
        after: Arc::clone(&after),
        failed: AtomicUsize::new(0),
    };
    (bench.open_on(Environment::Test, Box::new(disk)).unwrap(), after)
}

/// Takes one content in, in two pieces with a sync between, and drops another; ends at the first fault.
fn work(spool: &FileSpool) -> Result<(), SpoolFault> {
    let mut writer = spool.begin(&nth(1), 1, 0, PIECE as u64 + 3)?;
    writer.write(&[b'a'; PIECE])?;
    assert_eq!(writer.sync()?, PIECE as u64);
    writer.write(b"def")?;
    writer.finish()?;
    spool.drop_content(&nth(2))
}

#[test]
fn any_call_that_fails_poisons_the_spool_and_is_not_repeated() {
    for (call, good_ones) in [
        (Call::SetLen, 0),
        (Call::Write, 0),
        (Call::Write, 1),
        (Call::Write, 2),
        (Call::Write, 3),
        (Call::Write, 4),
        (Call::Write, 5),
        (Call::Sync, 0),
        (Call::Sync, 1),
        (Call::SyncDirectory, 0),
        (Call::HandOver, 0),
        (Call::Remove, 0),
    ] {
        let bench = Bench::new();
        let name = format!("{call:?} after {good_ones}");
        let (spool, after) = failing(&bench, call, good_ones, io::ErrorKind::Other);
        let mut open = spool.begin(&nth(3), 1, 0, 9);
        let fault = match &open {
            Ok(_) => work(&spool).unwrap_err(),
            Err(_) => {
                open.as_mut().err().map(|fault| std::mem::replace(fault, SpoolFault::Poisoned)).unwrap()
            }
        };
        assert!(matches!(fault, SpoolFault::Write { .. }), "{name}: {fault:?}");
        assert!(fault.source().is_some() && !fault.is_full(), "{name}: {fault:?}");
        assert!(spool.is_poisoned(), "{name}");

        // Nothing reaches the disk any more, whoever asks.
        let mut faults = vec![
            spool.begin(&nth(4), 1, 0, 1).err(),
            spool.drop_content(&nth(1)).err(),
            spool.recover(&|_| Keep::Nothing).err(),
        ];
        if let Ok(mut open) = open {
            faults.extend([open.write(b"x").err(), open.sync().err(), open.finish().err()]);
        }
        for fault in faults {
            assert!(matches!(fault, Some(SpoolFault::Poisoned)), "{name}: {fault:?}");
        }
        assert_eq!(after.load(Ordering::Relaxed), 0, "{name}: calls after the failure");
    }
}

/// Takes small content in and drops some.
fn work_in_segments(spool: &FileSpool) -> Result<(), SpoolFault> {
    for n in 1..4 {
        let mut writer = spool.begin(&nth(n), 1, 0, 3)?;
        writer.write(b"abc")?;
        writer.finish()?;
        spool.drop_content(&nth(n))?;
    }
    Ok(())
}

#[test]
fn any_call_that_fails_on_a_segment_poisons_the_spool_and_is_not_repeated() {
    for (call, good_ones) in [
        (Call::Write, 0),
        (Call::Write, 1),
        (Call::Sync, 0),
        (Call::Sync, 1),
        (Call::SyncDirectory, 0),
        (Call::SyncDirectory, 1),
        (Call::Unlink, 0),
        (Call::Unlink, 2),
    ] {
        let bench = Bench::new().with_segments();
        let name = format!("{call:?} after {good_ones}");
        let (spool, after) = failing(&bench, call, good_ones, io::ErrorKind::Other);
        let mut open = spool.begin(&nth(9), 1, 0, 1).unwrap();
        open.write(b"x").unwrap();
        let fault = work_in_segments(&spool).unwrap_err();
        assert!(matches!(fault, SpoolFault::Write { .. }), "{name}: {fault:?}");
        assert!(spool.is_poisoned(), "{name}");
        for fault in [
            spool.begin(&nth(4), 1, 0, 1).err(),
            spool.drop_content(&nth(1)).err(),
            spool.recover(&|_| Keep::Nothing).err(),
            open.write(b"").err(),
            open.sync().err(),
            open.finish().err(),
        ] {
            assert!(matches!(fault, Some(SpoolFault::Poisoned)), "{name}: {fault:?}");
        }
        assert_eq!(after.load(Ordering::Relaxed), 0, "{name}: calls after the failure");
    }
}

#[test]
fn small_content_whose_sync_failed_is_not_finished() {
    for call in [Call::Write, Call::Sync, Call::SyncDirectory] {
        let bench = Bench::new().with_segments();
        let (spool, _) = failing(&bench, call, 0, io::ErrorKind::StorageFull);
        let mut writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
        writer.write(b"abc").unwrap();
        let fault = writer.finish().unwrap_err();
        assert!(fault.is_full(), "{fault:?}");
        assert_eq!(spool.finished_length(&nth(1)).unwrap(), None, "{call:?}");
        assert!(matches!(spool.read(&nth(1), 3).err(), Some(SpoolFault::Missing(_))), "{call:?}");
    }
}

#[test]
fn a_segment_that_cannot_be_made_poisons_nothing() {
    let bench = Bench::new().with_segments();
    let spool = bench.open();
    // As when descriptors run out: it says nothing about what is on disk.
    let in_the_way = bench.root().join("segments").join(format!("{:020}", 1));
    std::fs::create_dir(&in_the_way).unwrap();
    let mut writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
    writer.write(b"abc").unwrap();
    let fault = writer.finish().unwrap_err();
    assert!(matches!(fault, SpoolFault::Write { operation: "create", .. }), "{fault:?}");
    assert!(!spool.is_poisoned());
    std::fs::remove_dir(&in_the_way).unwrap();
    finish(&spool, &nth(2), b"abc");
}

#[test]
fn content_whose_sync_failed_is_not_finished() {
    for call in [Call::Sync, Call::HandOver] {
        let bench = Bench::new();
        let (spool, _) = failing(&bench, call, 0, io::ErrorKind::Other);
        let mut writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
        writer.write(b"abc").unwrap();
        writer.finish().unwrap_err();
        assert_eq!(spool.finished_length(&nth(1)).unwrap(), None, "{call:?}");
    }
}

#[test]
fn a_full_disk_is_told_from_a_broken_one() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
        let bench = Bench::new();
        let (spool, _) = failing(&bench, Call::Write, 1, kind);
        let mut writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
        let fault = writer.write(b"abc").unwrap_err();
        assert!(fault.is_full(), "{fault:?}");
        assert!(spool.is_poisoned());
    }
}

#[test]
fn what_was_durable_is_read_from_a_poisoned_spool() {
    let bench = Bench::new();
    let (spool, _) = failing(&bench, Call::Sync, 1, io::ErrorKind::Other);
    finish(&spool, &nth(1), b"safe");
    let mut writer = spool.begin(&nth(2), 1, 0, 3).unwrap();
    writer.write(b"abc").unwrap();
    writer.sync().unwrap_err();
    let mut bytes = Vec::new();
    spool.read(&nth(1), 4).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"safe");
}

#[test]
fn a_file_that_cannot_be_opened_poisons_nothing() {
    let bench = Bench::new();
    let spool = bench.open();
    // As when descriptors run out: it says nothing about what is on disk.
    std::fs::create_dir(bench.root().join("partial").join(nth(1).file_stem())).unwrap();
    let fault = spool.begin(&nth(1), 1, 0, 3).err().unwrap();
    assert!(matches!(fault, SpoolFault::Read { .. } | SpoolFault::Write { .. }), "{fault:?}");
    assert!(!spool.is_poisoned());
    finish(&spool, &nth(2), b"abc");
}

/// A disk without writes past the cache: from the first one on, all goes the ordinary way.
struct PlainDisk {
    asked: Arc<AtomicUsize>,
}

impl Disk for PlainDisk {
    fn write_past(&self, file: &mut PastCache, bytes: &[u8], at: u64) -> io::Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        *file = PastCache::new(file.ordinary().try_clone()?, false);
        RealDisk.write_past(file, bytes, at)
    }
}

#[test]
fn a_file_system_without_writes_past_the_cache_takes_the_others() {
    // What is not sealed has no aligned copy made for such writes once they were turned down; what is sealed needs one anyway.
    for (bench, asked_for) in [(Bench::plain(), 1), (Bench::new(), 4)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let disk = PlainDisk { asked: Arc::clone(&asked) };
        let spool = bench.open_on(Environment::Test, Box::new(disk)).unwrap();
        let content = vec![b'x'; 3 * PIECE + 5];
        finish(&spool, &nth(1), &content);
        assert_eq!(asked.load(Ordering::Relaxed), asked_for);
        let mut bytes = Vec::new();
        spool.read(&nth(1), content.len() as u64).unwrap().read_to_end(&mut bytes).unwrap();
        assert!(bytes == content);
    }
}

/// Where the process below finds its spool, and that it is meant at all.
const DIRECTORY: &str = "STORAGE_TEST_DIRECTORY";
const KEY: &str = "STORAGE_TEST_KEY";

#[cfg(unix)]
#[test]
fn a_disk_that_takes_no_more_poisons_the_spool() {
    let bench = Bench::new();
    // A limit on the size of files is a full disk to whoever writes: a real failure of a real write.
    let limited = Process::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 3000; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "spool::tests::broken::on_a_small_disk"])
        .env(DIRECTORY, bench.directory.path())
        .env(KEY, bench.key.as_ref().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&limited.stdout);
    let wrong = String::from_utf8_lossy(&limited.stderr);
    assert!(limited.status.success() && said.contains("1 passed"), "{said}{wrong}");
    // After a start on a better disk the attempt goes on from where it was durable.
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 2, PIECE as u64, 3 * PIECE as u64).unwrap();
    writer.write(&[2; 2 * PIECE]).unwrap();
    writer.finish().unwrap();
    let mut bytes = Vec::new();
    spool.read(&nth(1), 3 * PIECE as u64).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes[..PIECE] == [1; PIECE] && bytes[PIECE..] == [2; 2 * PIECE]);
}

#[cfg(unix)]
#[ignore = "runs in a process of its own with a limit on the size of files"]
#[test]
fn on_a_small_disk() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let root = std::path::Path::new(&directory).join("spool");
    let key = SpoolKey::from_text(std::env::var(KEY).unwrap().as_bytes()).unwrap();
    let spool = FileSpool::open(&root, Environment::Test, Some(key), Buffers::default()).unwrap();
    let mut writer = spool.begin(&nth(1), 1, 0, 3 * PIECE as u64).unwrap();
    writer.write(&[1; PIECE]).unwrap();
    assert_eq!(writer.sync().unwrap(), PIECE as u64);
    let fault = writer.write(&[1; PIECE]).unwrap_err();
    assert!(fault.is_full(), "{fault:?}");
    assert!(spool.is_poisoned());
    assert!(matches!(writer.sync(), Err(SpoolFault::Poisoned)));
}
