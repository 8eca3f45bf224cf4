//! Deliveries, as their reader sees them.

#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{content::COPY_BYTES, *};
use crate::conformance::samples;

const PARTS: [(&str, &[u8]); 3] =
    [("manifest.jws", b"manifest"), ("receipt.jws", b"receipt"), ("summary.json", b"{}")];

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Bench(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Inbox {
        loop {
            match Inbox::open(self.0.path()) {
                // A test beside this one is just starting a process, which holds all our locks until it is started.
                Err(InboxFault::InUse(_)) => thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    fn names(&self, directory: &str) -> BTreeSet<String> {
        let directory = fs::read_dir(self.0.path().join(directory)).unwrap();
        directory.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.path().join(path)).unwrap()
    }
}

fn nth(n: u64) -> TransferKey {
    samples::key(&samples::sender(n), n)
}

fn expected(bytes: &[u8]) -> Expected {
    Expected { sha256: Sha256::of(bytes), length: bytes.len() as u64 }
}

fn handover<'a>(key: &TransferKey, content: impl Read + Send + 'a, expected: Expected) -> HandOver<'a> {
    let parts = PARTS.map(|(name, bytes)| (name, bytes.into())).into();
    HandOver { key: key.clone(), content: Box::new(content), expected, parts }
}

fn deliver_one(inbox: &Inbox, handover: HandOver<'_>) -> Result<Delivery, InboxFault> {
    inbox.deliver(&mut [handover], &Buffers::default()).pop().unwrap()
}

fn deliver(inbox: &Inbox, key: &TransferKey, bytes: &[u8]) -> Result<Delivery, InboxFault> {
    deliver_one(inbox, handover(key, bytes, expected(bytes)))
}

#[test]
fn a_delivery_stands_in_the_inbox_with_all_its_parts() {
    let bench = Bench::new();
    let inbox = bench.open();
    let content = vec![7; 3 * COPY_BYTES + 5];
    assert_eq!(deliver(&inbox, &nth(1), &content).unwrap(), Delivery::Delivered);
    let stem = nth(1).file_stem();
    assert_eq!(bench.names("inbox"), BTreeSet::from([stem.clone()]));
    assert_eq!(bench.names(".incoming"), BTreeSet::new());
    assert_eq!(bench.names(&format!("inbox/{stem}")).len(), 4);
    assert_eq!(bench.read(&format!("inbox/{stem}/content")), content);
    for (name, bytes) in PARTS {
        assert_eq!(bench.read(&format!("inbox/{stem}/{name}")), bytes);
    }
}

#[test]
fn content_of_any_length_is_delivered_however_it_comes() {
    /// Brings so much at a time.
    struct Cut<'a>(&'a [u8], usize);
    impl Read for Cut<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.1);
            self.0.read(&mut buffer[..count])
        }
    }
    let bench = Bench::new();
    let inbox = bench.open();
    let all: Vec<u8> = (0..2 * COPY_BYTES + 4097).map(|at| (at / 5) as u8).collect();
    let lengths = [0, 1, COPY_BYTES - 1, COPY_BYTES, COPY_BYTES + 1, 2 * COPY_BYTES, all.len()];
    for (n, (length, piece)) in (1..).zip(lengths.into_iter().flat_map(|l| [(l, COPY_BYTES), (l, 65_521)])) {
        let content = &all[..length];
        let handover = handover(&nth(n), Cut(content, piece), expected(content));
        assert_eq!(deliver_one(&inbox, handover).unwrap(), Delivery::Delivered);
        let delivered = bench.read(&format!("inbox/{}/content", nth(n).file_stem()));
        assert!(delivered == content, "{length} bytes, {piece} at a time");
    }
}

#[test]
fn large_content_that_is_not_that_of_the_receipt_is_not_delivered() {
    let bench = Bench::new();
    let inbox = bench.open();
    let content = vec![7; 2 * COPY_BYTES + 5];
    let mut altered = content.clone();
    altered[COPY_BYTES] ^= 1;
    let longer = [&content[..], b"."].concat();
    for damaged in [&altered[..], &content[1..], &content[..COPY_BYTES], &longer] {
        let fault = deliver_one(&inbox, handover(&nth(1), damaged, expected(&content))).unwrap_err();
        assert!(matches!(&fault, InboxFault::ContentDamaged(key) if *key == nth(1)), "{fault:?}");
        assert_eq!((bench.names("inbox"), bench.names(".incoming")), Default::default());
    }
    assert_eq!(deliver(&inbox, &nth(1), &content).unwrap(), Delivery::Delivered);
}

#[test]
fn what_is_delivered_together_stands_there_each_for_itself_and_none_holds_up_another() {
    for syncs in [Syncs::Each, Syncs::Whole] {
        let bench = Bench::new();
        let inbox = Inbox { syncs, ..bench.open() };
        deliver(&inbox, &nth(2), b"before").unwrap();
        let receipt = expected(b"content");
        let mut together = [
            handover(&nth(1), &b"content"[..], receipt),
            handover(&nth(2), &b"content"[..], receipt),
            handover(&nth(3), &b"damaged"[..], receipt),
            handover(&nth(4), &b"content"[..], receipt),
        ];
        match &inbox.deliver(&mut together, &Buffers::default())[..] {
            [
                Ok(Delivery::Delivered),
                Ok(Delivery::AlreadyThere),
                Err(InboxFault::ContentDamaged(key)),
                Ok(Delivery::Delivered),
            ] => assert_eq!(*key, nth(3)),
            outcomes => panic!("{outcomes:?}"),
        }
        assert_eq!(bench.names("inbox"), [1, 2, 4].map(|n| nth(n).file_stem()).into());
        assert_eq!(bench.names(".incoming"), BTreeSet::new());
        for n in [1, 4] {
            assert_eq!(bench.names(&format!("inbox/{}", nth(n).file_stem())).len(), 4);
            assert_eq!(bench.read(&format!("inbox/{}/content", nth(n).file_stem())), b"content");
        }
    }
}

/// Of a file that was opened for its path alone the system makes nothing durable.
#[cfg(target_os = "linux")]
fn refuses_to_sync(directory: &Path) -> Together {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path_only = i32::try_from(rustix::fs::OFlags::PATH.bits()).unwrap();
    Together::Whole(fs::OpenOptions::new().read(true).custom_flags(path_only).open(directory).unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn what_could_not_be_made_durable_together_never_becomes_visible_and_is_delivered_when_it_is_tried_again() {
    let bench = Bench::new();
    let inbox = bench.open();
    deliver(&inbox, &nth(1), b"content").unwrap();
    let receipt = expected(b"content");
    let content = |n| handover(&nth(n), &b"content"[..], receipt);
    let together = refuses_to_sync(bench.0.path());
    let outcomes = inbox.deliver_together(&mut [content(2), content(3)], &Buffers::default(), &together);
    for outcome in outcomes {
        assert!(matches!(outcome, Err(InboxFault::Write { operation: "sync", .. })), "{outcome:?}");
    }
    assert_eq!(bench.names("inbox"), BTreeSet::from([nth(1).file_stem()]));
    assert!(!inbox.is_poisoned(), "nothing of it was visible");
    for n in [2, 3] {
        assert_eq!(deliver(&inbox, &nth(n), b"content").unwrap(), Delivery::Delivered);
    }
}

#[test]
fn of_what_cannot_be_made_visible_together_nothing_counts_as_delivered() {
    let bench = Bench::new();
    let inbox = bench.open();
    deliver(&inbox, &nth(1), b"content").unwrap();
    fs::remove_dir_all(bench.0.path().join("taken")).unwrap();
    fs::rename(bench.0.path().join("inbox"), bench.0.path().join("taken")).unwrap();
    let receipt = expected(b"content");
    let content = |n| handover(&nth(n), &b"content"[..], receipt);
    let outcomes = inbox.deliver(&mut [content(1), content(2), content(3)], &Buffers::default());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(InboxFault::Write { .. }))), "{outcomes:?}");
    assert!(inbox.is_poisoned());
}

#[test]
fn what_stands_in_the_inbox_or_was_taken_is_not_delivered_again() {
    let bench = Bench::new();
    let inbox = bench.open();
    deliver(&inbox, &nth(1), b"first").unwrap();
    let stem = nth(1).file_stem();
    assert_eq!(deliver(&inbox, &nth(1), b"second").unwrap(), Delivery::AlreadyThere);
    assert_eq!(bench.read(&format!("inbox/{stem}/content")), b"first");
    fs::rename(bench.0.path().join("inbox").join(&stem), bench.0.path().join("taken").join(&stem)).unwrap();
    assert_eq!(deliver(&inbox, &nth(1), b"third").unwrap(), Delivery::AlreadyThere);
    drop(inbox);
    assert_eq!(deliver(&bench.open(), &nth(1), b"fourth").unwrap(), Delivery::AlreadyThere);
    assert_eq!(bench.names("inbox"), BTreeSet::new());
    // Another sender's transfer of the same id is another one.
    let other = TransferKey { sender: samples::sender(2), ..nth(1) };
    assert_eq!(deliver(&bench.open(), &other, b"other").unwrap(), Delivery::Delivered);
}

#[test]
fn content_that_is_not_that_of_the_receipt_is_not_delivered() {
    let bench = Bench::new();
    let inbox = bench.open();
    let receipt = expected(b"content");
    for damaged in [&b"Content"[..], b"conten", b"content.", b""] {
        let fault = deliver_one(&inbox, handover(&nth(1), damaged, receipt)).unwrap_err();
        assert!(matches!(&fault, InboxFault::ContentDamaged(key) if *key == nth(1)), "{fault:?}");
    }
    assert_eq!(bench.names("inbox"), BTreeSet::new());
    assert_eq!(bench.names(".incoming"), BTreeSet::new());
    assert!(!inbox.is_poisoned());
    assert_eq!(deliver(&inbox, &nth(1), b"content").unwrap(), Delivery::Delivered);
}

#[test]
fn content_that_cannot_be_read_to_its_end_is_not_delivered() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                // A signal is no failure.
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => (&b"con"[..]).read(buffer),
                _ => Err(io::Error::other("bad sector")),
            }
        }
    }
    let bench = Bench::new();
    let inbox = bench.open();
    let fault = deliver_one(&inbox, handover(&nth(1), Broken(0), expected(b"content"))).unwrap_err();
    assert!(matches!(&fault, InboxFault::Read(source) if source.to_string() == "bad sector"), "{fault:?}");
    assert_eq!(bench.names("inbox"), BTreeSet::new());
}

#[test]
fn content_that_does_not_end_is_given_up_at_once() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            assert!(self.0 <= 3 * COPY_BYTES as u64, "it reads on and on");
            Ok(buffer.len())
        }
    }
    let bench = Bench::new();
    let inbox = bench.open();
    let fault = deliver_one(&inbox, handover(&nth(1), Endless(0), expected(b"content"))).unwrap_err();
    assert!(matches!(fault, InboxFault::ContentDamaged(_)), "{fault:?}");
}

#[test]
fn what_a_stop_left_unfinished_is_swept() {
    let bench = Bench::new();
    drop(bench.open());
    let left = bench.0.path().join(".incoming").join(nth(1).file_stem());
    fs::create_dir(&left).unwrap();
    fs::write(left.join("content"), b"half").unwrap();
    let inbox = bench.open();
    assert_eq!(bench.names(".incoming"), BTreeSet::new());
    assert_eq!(deliver(&inbox, &nth(1), b"whole").unwrap(), Delivery::Delivered);
}

#[test]
fn no_part_can_be_a_path_or_take_the_place_of_another() {
    let bench = Bench::new();
    let inbox = bench.open();
    for bad in ["", ".", "..", "a/b", "/etc/passwd", "a\\b", ".hidden", "content", "あ", "a\0"] {
        let parts = vec![(bad, b"".into())];
        let fault = deliver_one(&inbox, HandOver { parts, ..handover(&nth(1), &b""[..], expected(b"")) });
        let fault = fault.unwrap_err();
        assert!(matches!(fault, InboxFault::BadPartName(_)), "{bad:?}: {fault:?}");
    }
    let parts = vec![("a", b"1".into()), ("a", b"2".into())];
    let twice = HandOver { parts, ..handover(&nth(1), &b""[..], expected(b"")) };
    let fault = deliver_one(&inbox, twice).unwrap_err();
    assert!(matches!(fault, InboxFault::BadPartName(_)), "{fault:?}");
}

#[test]
fn an_inbox_is_open_once_at_a_time() {
    let bench = Bench::new();
    let inbox = bench.open();
    assert!(matches!(Inbox::open(bench.0.path()), Err(InboxFault::InUse(_))));
    drop(inbox);
    bench.open();
}

#[test]
fn a_delivery_whose_rename_failed_stops_the_inbox() {
    let bench = Bench::new();
    let inbox = bench.open();
    fs::remove_dir(bench.0.path().join("inbox")).unwrap();
    let fault = deliver(&inbox, &nth(1), b"content").unwrap_err();
    assert!(matches!(fault, InboxFault::Write { operation: "rename", .. }), "{fault:?}");
    assert!(inbox.is_poisoned());
    assert!(matches!(deliver(&inbox, &nth(2), b"content"), Err(InboxFault::Poisoned)));
}

#[test]
fn a_delivery_that_could_not_be_filled_may_be_tried_again() {
    let bench = Bench::new();
    let inbox = bench.open();
    let incoming = bench.0.path().join(".incoming");
    fs::remove_dir(&incoming).unwrap();
    fs::write(&incoming, b"in the way").unwrap();
    let fault = deliver(&inbox, &nth(1), b"content").unwrap_err();
    assert!(matches!(fault, InboxFault::Write { .. }), "{fault:?}");
    assert!(!inbox.is_poisoned());
    fs::remove_file(&incoming).unwrap();
    fs::create_dir(&incoming).unwrap();
    assert_eq!(deliver(&inbox, &nth(1), b"content").unwrap(), Delivery::Delivered);
}

#[test]
fn however_many_deliver_the_reader_gets_each_transfer_once_and_whole() {
    const TRANSFERS: u64 = 40;
    const DELIVERERS: usize = 4;
    let bench = Bench::new();
    let inbox = Arc::new(bench.open());
    let (delivered, start) = (AtomicUsize::new(0), Barrier::new(DELIVERERS + 1));
    let content = vec![3; 100_000];
    let mut taken = Vec::new();
    thread::scope(|threads| {
        let deliverers: Vec<_> = (0..DELIVERERS)
            .map(|_| {
                threads.spawn(|| {
                    start.wait();
                    for n in 0..TRANSFERS {
                        if deliver(&inbox, &nth(n), &content).unwrap() == Delivery::Delivered {
                            delivered.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
            })
            .collect();
        start.wait();
        // The reader takes whatever it sees at once, which is when a second delivery would go unnoticed.
        loop {
            let over = deliverers.iter().all(|deliverer| deliverer.is_finished());
            for name in bench.names("inbox") {
                let (from, to) =
                    (bench.0.path().join("inbox").join(&name), bench.0.path().join("taken").join(&name));
                fs::rename(from, &to).unwrap();
                assert_eq!(fs::read(to.join("content")).unwrap().len(), content.len());
                assert_eq!(fs::read_dir(&to).unwrap().count(), 4);
                taken.push(name);
            }
            if over {
                break;
            }
        }
    });
    assert_eq!(delivered.load(Ordering::Relaxed) as u64, TRANSFERS);
    let once: BTreeSet<_> = taken.iter().collect();
    assert_eq!((taken.len() as u64, once.len() as u64), (TRANSFERS, TRANSFERS));
}

#[cfg(unix)]
#[test]
fn deliveries_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    deliver(&bench.open(), &nth(1), b"content").unwrap();
    let mode = |path: &str| fs::metadata(bench.0.path().join(path)).unwrap().permissions().mode() & 0o777;
    let stem = nth(1).file_stem();
    for directory in [".incoming", "inbox", "taken", &format!("inbox/{stem}")] {
        assert_eq!(mode(directory), 0o700, "{directory}");
    }
    for file in ["content", "manifest.jws", "receipt.jws", "summary.json"] {
        assert_eq!(mode(&format!("inbox/{stem}/{file}")), 0o600, "{file}");
    }
}
