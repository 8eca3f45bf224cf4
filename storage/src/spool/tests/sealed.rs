//! What a disk shows without the key, and what becomes of whatever is altered on it.

#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use std::{collections::HashSet, fs};

use super::*;
use crate::spool::layout::{HEADER_BYTES, ROW_BYTES};

const PIECES: usize = 4;

/// Content of some pieces, each of another letter, and a rest.
fn content() -> Vec<u8> {
    let pieces = (b'a'..).take(PIECES).flat_map(|letter| std::iter::repeat_n(letter, PIECE));
    pieces.chain(*b"and a rest").collect()
}

fn path(bench: &Bench, key: &TransferKey) -> PathBuf {
    bench.root().join("done").join(key.file_stem())
}

/// A spool with this content under two names, and the bytes of the first one's file.
fn two(bench: &Bench) -> (FileSpool, Vec<u8>) {
    two_of(bench, &content())
}

fn two_of(bench: &Bench, content: &[u8]) -> (FileSpool, Vec<u8>) {
    let spool = bench.open();
    finish(&spool, &nth(1), content);
    finish(&spool, &nth(2), content);
    let bytes = fs::read(path(bench, &nth(1))).unwrap();
    (spool, bytes)
}

fn head(bytes: &[u8]) -> usize {
    bytes.len() - content().len()
}

/// How many bytes are read before the content is found to be damaged; all of it, if it is not.
fn sound(spool: &FileSpool, key: &TransferKey) -> usize {
    let whole = content();
    let mut reader = match spool.read(key, whole.len() as u64) {
        Ok(reader) => reader,
        Err(SpoolFault::Damaged(..)) => return 0,
        Err(fault) => panic!("{fault:?}"),
    };
    let (mut count, mut buffer) = (0, vec![0; 300_000]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return count,
            Ok(came) => {
                assert!(buffer[..came] == whole[count..count + came], "what is read is what was written");
                count += came;
            }
            Err(error) => {
                let fault = SpoolFault::of_reading(error);
                assert!(matches!(fault, SpoolFault::Damaged(..)), "{fault:?}");
                return count;
            }
        }
    }
}

#[test]
fn nothing_of_the_content_stands_on_the_disk() {
    let bench = Bench::new();
    let (_spool, bytes) = two(&bench);
    for letter in b'a'..b'a' + PIECES as u8 {
        let shown = bytes.windows(8).filter(|window| window.iter().all(|byte| *byte == letter)).count();
        assert_eq!(shown, 0, "{}", char::from(letter));
    }
    assert!(!bytes.windows(10).any(|window| window == b"and a rest"));
    // Nor that two contents are the same one.
    let other = fs::read(path(&bench, &nth(2))).unwrap();
    assert!(bytes[head(&bytes)..] != other[head(&other)..]);
}

#[test]
fn without_a_seal_content_lies_there_as_it_came() {
    let bench = Bench::plain();
    let (_spool, bytes) = two(&bench);
    assert!(bytes[head(&bytes)..] == content());
}

#[test]
fn any_altered_byte_is_found_before_its_piece_is_read() {
    let bench = Bench::new();
    let (spool, good) = two(&bench);
    let (head, rows) = (head(&good), HEADER_BYTES as usize);
    let mut places: Vec<(usize, usize)> = Vec::new();
    for piece in 0..=PIECES {
        let begin = head + piece * PIECE;
        let end = good.len().min(begin + PIECE);
        places.extend([(begin, piece), ((begin + end) / 2, piece), (end - 1, piece)]);
        // The tag, and the number of the attempt.
        let row = rows + piece * ROW_BYTES as usize;
        places.extend((row..row + 20).map(|at| (at, piece)));
    }
    for (at, piece) in places {
        let mut bytes = good.clone();
        bytes[at] ^= 0x01;
        fs::write(path(&bench, &nth(1)), bytes).unwrap();
        assert_eq!(sound(&spool, &nth(1)), piece * PIECE, "byte {at}");
    }
    fs::write(path(&bench, &nth(1)), good).unwrap();
    assert_eq!(sound(&spool, &nth(1)), content().len());
}

#[test]
fn an_altered_length_or_key_opens_nothing() {
    let bench = Bench::new();
    let (spool, good) = two_of(&bench, b"small");
    let attempt = good.windows(8).position(|window| window == b"attempt ").unwrap();
    for at in (0..HEADER_BYTES as usize).filter(|at| !(attempt..attempt + 18).contains(at)) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x01;
        fs::write(path(&bench, &nth(1)), bytes).unwrap();
        let read = spool.read(&nth(1), 5).err();
        assert!(matches!(read, Some(SpoolFault::Damaged(..))), "byte {at}: {read:?}");
        let wanted = |key: &TransferKey| match *key == nth(1) {
            true => Keep::Whole(5),
            false => Keep::Prefix(0),
        };
        assert_eq!(spool.recover(&wanted).unwrap().damaged, [nth(1)], "byte {at}");
    }
}

#[test]
fn what_was_sealed_elsewhere_is_not_taken() {
    let bench = Bench::new();
    let (spool, good) = two(&bench);
    let (own, head) = (path(&bench, &nth(1)), head(&good));
    let other = fs::read(path(&bench, &nth(2))).unwrap();
    let row = |piece: usize| HEADER_BYTES as usize + piece * ROW_BYTES as usize;
    let row_bytes = ROW_BYTES as usize;

    // Another content as a whole, or its header.
    fs::write(&own, &other).unwrap();
    assert_eq!(sound(&spool, &nth(1)), 0);
    fs::write(&own, [&other[..HEADER_BYTES as usize], &good[HEADER_BYTES as usize..]].concat()).unwrap();
    assert_eq!(sound(&spool, &nth(1)), 0);

    // Two pieces in each other's place, with their tags.
    let mut swapped = good.clone();
    for at in 0..PIECE {
        swapped.swap(head + PIECE + at, head + 2 * PIECE + at);
    }
    for at in 0..row_bytes {
        swapped.swap(row(1) + at, row(2) + at);
    }
    fs::write(&own, swapped).unwrap();
    assert_eq!(sound(&spool, &nth(1)), PIECE);

    // A piece of the other content, with its tag.
    let mut mixed = good.clone();
    mixed[head..head + PIECE].copy_from_slice(&other[head..head + PIECE]);
    mixed[row(0)..row(1)].copy_from_slice(&other[row(0)..row(1)]);
    fs::write(&own, mixed).unwrap();
    assert_eq!(sound(&spool, &nth(1)), 0);
}

#[test]
fn content_that_was_cut_off_is_not_taken() {
    let bench = Bench::new();
    let (spool, good) = two(&bench);
    for left in [good.len() - 1, head(&good) + PIECE, head(&good), HEADER_BYTES as usize, 10, 0] {
        fs::write(path(&bench, &nth(1)), &good[..left]).unwrap();
        assert_eq!(sound(&spool, &nth(1)), 0, "{left} bytes");
    }
}

#[test]
fn a_piece_keeps_the_attempt_it_was_sealed_under_and_one_that_comes_again_is_sealed_anew() {
    let bench = Bench::new();
    let spool = bench.open();
    let (key, whole) = (nth(1), content());
    let file = bench.root().join("partial").join(key.file_stem());
    let mut seen = HashSet::new();
    for attempt in 1..=3 {
        let offset = PIECE * (attempt as usize - 1);
        let mut writer = spool.begin(&key, attempt, offset as u64, whole.len() as u64).unwrap();
        writer.write(&whole[offset..]).unwrap();
        writer.sync().unwrap();
        let bytes = fs::read(&file).unwrap();
        for piece in 0..PIECES {
            let begin = head(&bytes) + piece * PIECE;
            seen.insert(bytes[begin..begin + PIECE].to_vec());
        }
    }
    // 4 pieces of the first attempt, 3 of the second, 2 of the third.
    assert_eq!(seen.len(), 9, "no two are sealed alike");
    let mut bytes = Vec::new();
    spool.read(&key, whole.len() as u64).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(bytes == whole);
}

#[test]
fn the_text_of_a_key_is_taken_in_one_spelling_only() {
    let text = SpoolKey::new_text().unwrap().to_string();
    let name = SpoolKey::from_text(text.as_bytes()).unwrap().name();
    assert_eq!(SpoolKey::from_text(text.trim_end().as_bytes()).unwrap().name(), name);
    assert_ne!(SpoolKey::from_text(Bench::new().key.unwrap().as_bytes()).unwrap().name(), name);
    assert!(!text.contains(&name), "the name tells nothing of the key");
    let upper = format!("sekisho-spool-key-1:{}", &text[20..].to_uppercase());
    for wrong in
        ["", "sekisho-spool-key-1:", &text[1..], &text[..text.len() - 2], &format!("{text}\n"), &upper]
    {
        assert!(SpoolKey::from_text(wrong.as_bytes()).is_err(), "{wrong:?}");
    }
}
