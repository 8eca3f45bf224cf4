//! Claims about spools.

use std::io::Read as _;

use protocol::{limits::PIECE_BYTES, transfer_id::TransferKey};

use super::{
    SpoolBench,
    dice::Dice,
    samples::{key, sender},
};
use crate::spool::{Keep, Recovered, SMALL_CONTENT_MAX, Spool, SpoolFault};

const PIECE: usize = PIECE_BYTES as usize;

/// A whole piece of each of these letters.
fn pieces(letters: &str) -> Vec<u8> {
    letters.bytes().flat_map(|letter| std::iter::repeat_n(letter, PIECE)).collect()
}

fn nth(n: u64) -> TransferKey {
    key(&sender(n), n)
}

fn read(spool: &impl Spool, key: &TransferKey, upto: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    spool.read(key, upto as u64).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), upto);
    bytes
}

fn finish(spool: &impl Spool, key: &TransferKey, attempt: u32, bytes: &[u8]) {
    let mut writer = spool.begin(key, attempt, 0, bytes.len() as u64).unwrap();
    writer.write(bytes).unwrap();
    writer.finish().unwrap();
}

#[track_caller]
fn is_fenced<T>(result: Result<T, SpoolFault>, by: u32) {
    match result {
        Err(SpoolFault::Fenced { attempt }) => assert_eq!(attempt, by),
        Err(fault) => panic!("not fenced, but {fault:?}"),
        Ok(_) => panic!("not fenced"),
    }
}

pub fn what_was_synced_is_there_after_a_kill(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 1, 0, 4 * PIECE_BYTES).unwrap();
    let content = pieces("ab");
    let (first, second) = content.split_at(700_000);
    writer.write(first).unwrap();
    writer.write(second).unwrap();
    assert_eq!(writer.sync().unwrap(), 2 * PIECE_BYTES);
    writer.write(&pieces("c")).unwrap();
    drop((writer, spool));

    let spool = bench.open();
    assert!(read(&spool, &nth(1), content.len()) == content);
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), None);
}

pub fn what_is_durable_ends_where_a_piece_does(bench: &impl SpoolBench) {
    let spool = bench.open();
    let length = PIECE_BYTES + 3;
    let mut writer = spool.begin(&nth(1), 1, 0, length).unwrap();
    assert_eq!(writer.sync().unwrap(), 0);
    writer.write(b"x").unwrap();
    assert_eq!(writer.sync().unwrap(), 0);
    writer.write(&pieces("x")).unwrap();
    assert_eq!(writer.sync().unwrap(), PIECE_BYTES);
    writer.write(b"yz").unwrap();
    assert_eq!(writer.sync().unwrap(), length, "the last piece ends where the content does");
    assert!(read(&spool, &nth(1), length as usize) == [&pieces("x")[..], b"xyz"].concat());
}

pub fn finished_content_is_there_after_a_kill(bench: &impl SpoolBench) {
    let spool = bench.open();
    finish(&spool, &nth(1), 1, b"whole");
    drop(spool);
    let spool = bench.open();
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(5));
    assert_eq!(read(&spool, &nth(1), 5), b"whole");
    assert_eq!(bench.contents(&spool), 1);
}

pub fn empty_content_can_be_finished(bench: &impl SpoolBench) {
    let spool = bench.open();
    finish(&spool, &nth(1), 1, b"");
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(0));
    assert_eq!(read(&spool, &nth(1), 0), b"");
}

pub fn content_that_comes_in_any_portions_is_read_in_any_portions(bench: &impl SpoolBench) {
    let spool = bench.open();
    let content = [&pieces("abc")[..], b"and a rest"].concat();
    for (n, portion) in [1_000, 300_000, PIECE, PIECE + 1, content.len()].into_iter().enumerate() {
        let key = nth(n as u64);
        let mut writer = spool.begin(&key, 1, 0, content.len() as u64).unwrap();
        for bytes in content.chunks(portion) {
            writer.write(bytes).unwrap();
        }
        writer.finish().unwrap();
        for upto in [content.len(), 2 * PIECE, PIECE + 17] {
            let (mut reader, mut came) = (spool.read(&key, upto as u64).unwrap(), Vec::new());
            let mut buffer = vec![0; portion];
            loop {
                match reader.read(&mut buffer).unwrap() {
                    0 => break,
                    count => came.extend_from_slice(&buffer[..count]),
                }
            }
            assert!(came == content[..upto], "{upto} bytes in portions of {portion}");
        }
    }
}

pub fn a_newer_attempt_fences_the_older_writer(bench: &impl SpoolBench) {
    let spool = bench.open();
    let length = 2 * PIECE_BYTES;
    let mut old = spool.begin(&nth(1), 1, 0, length).unwrap();
    old.write(&pieces("o")).unwrap();
    old.sync().unwrap();
    let mut new = spool.begin(&nth(1), 2, PIECE_BYTES, length).unwrap();
    is_fenced(old.write(&pieces("O")), 1);
    is_fenced(old.sync(), 1);
    new.write(&pieces("n")).unwrap();
    is_fenced(old.write(&pieces("O")), 1);
    is_fenced(old.finish(), 1);
    assert_eq!(new.sync().unwrap(), length);
    new.finish().unwrap();
    assert!(read(&spool, &nth(1), 2 * PIECE) == pieces("on"));
}

pub fn what_an_older_attempt_still_writes_is_never_seen(bench: &impl SpoolBench) {
    const LENGTH: usize = 3 * PIECE + 400;
    let spool = bench.open();
    for round in 0..20 {
        let key = nth(round);
        let mut old = spool.begin(&key, 1, 0, LENGTH as u64).unwrap();
        std::thread::scope(|threads| {
            let writing = threads.spawn(move || {
                // Writes until it is fenced, as an attempt does that has not heard yet.
                for _ in 0..LENGTH / 400 {
                    match old.write(&[b'o'; 400]) {
                        Ok(()) => {}
                        Err(SpoolFault::Fenced { attempt: 1 }) => return,
                        Err(fault) => panic!("{fault:?}"),
                    }
                }
            });
            let mut new = spool.begin(&key, 2, 0, LENGTH as u64).unwrap();
            new.write(&[b'n'; LENGTH]).unwrap();
            new.finish().unwrap();
            writing.join().unwrap();
        });
        assert!(read(&spool, &key, LENGTH) == [b'n'; LENGTH], "round {round}");
    }
}

pub fn an_older_attempt_cannot_begin_after_a_newer_one(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut new = spool.begin(&nth(1), 2, 0, 3).unwrap();
    is_fenced(spool.begin(&nth(1), 1, 0, 3), 1);
    new.write(b"new").unwrap();
    new.sync().unwrap();
    // Nor once the newer one was given up, nor after a stop.
    drop(new);
    is_fenced(spool.begin(&nth(1), 1, 0, 3), 1);
    drop(spool);
    let spool = bench.open();
    is_fenced(spool.begin(&nth(1), 1, 0, 3), 1);
    assert_eq!(read(&spool, &nth(1), 3), b"new");
}

pub fn an_older_attempt_cannot_touch_what_a_newer_one_finished(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut old = spool.begin(&nth(1), 1, 0, 5).unwrap();
    old.write(b"wrong").unwrap();
    finish(&spool, &nth(1), 3, b"right");
    is_fenced(old.write(b""), 1);
    is_fenced(old.finish(), 1);
    is_fenced(spool.begin(&nth(1), 2, 0, 5), 2);
    assert_eq!(read(&spool, &nth(1), 5), b"right");
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(5));
}

pub fn an_attempt_begins_once(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
    is_fenced(spool.begin(&nth(1), 1, 0, 3), 1);
    writer.write(b"abc").unwrap();
    drop(writer);
    is_fenced(spool.begin(&nth(1), 1, 0, 3), 1);
}

pub fn an_attempt_goes_on_exactly_where_it_said(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut first = spool.begin(&nth(1), 1, 0, 4 * PIECE_BYTES).unwrap();
    first.write(&pieces("abc")).unwrap();
    assert_eq!(first.sync().unwrap(), 3 * PIECE_BYTES);
    drop((first, spool));
    // More may be there than the ledger counts; it goes.
    let spool = bench.open();
    let mut second = spool.begin(&nth(1), 2, 2 * PIECE_BYTES, 4 * PIECE_BYTES).unwrap();
    assert!(spool.read(&nth(1), 2 * PIECE_BYTES + 1).is_err(), "content beyond the offset is still there");
    second.write(&pieces("C")).unwrap();
    assert_eq!(second.sync().unwrap(), 3 * PIECE_BYTES);
    second.write(&pieces("D")).unwrap();
    second.finish().unwrap();
    assert!(read(&spool, &nth(1), 4 * PIECE) == pieces("abCD"));
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(4 * PIECE_BYTES));
}

pub fn an_attempt_does_not_begin_beyond_what_is_there(bench: &impl SpoolBench) {
    let spool = bench.open();
    let length = 3 * PIECE_BYTES;
    let nothing = spool.begin(&nth(1), 1, PIECE_BYTES, length).err();
    assert!(matches!(nothing, Some(SpoolFault::Damaged(..))), "{nothing:?}");
    let mut writer = spool.begin(&nth(1), 2, 0, length).unwrap();
    writer.write(&pieces("a")).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let beyond = spool.begin(&nth(1), 3, 2 * PIECE_BYTES, length).err();
    assert!(matches!(beyond, Some(SpoolFault::Damaged(..))), "{beyond:?}");
    let outside = spool.begin(&nth(1), 4, 4 * PIECE_BYTES, length).err();
    assert!(matches!(outside, Some(SpoolFault::Length { .. })), "{outside:?}");
    let other_length = spool.begin(&nth(1), 4, PIECE_BYTES, length + 1).err();
    assert!(matches!(other_length, Some(SpoolFault::Damaged(..))), "{other_length:?}");
    assert!(!spool.is_poisoned());
    assert!(read(&spool, &nth(1), PIECE) == pieces("a"));
}

pub fn content_of_any_length_is_kept(bench: &impl SpoolBench) {
    let lengths: [u64; 10] = [
        0,
        1,
        511,
        512,
        513,
        SMALL_CONTENT_MAX - 1,
        SMALL_CONTENT_MAX,
        SMALL_CONTENT_MAX + 1,
        PIECE_BYTES,
        PIECE_BYTES + 1,
    ];
    let content = |length: u64| (0..length).map(|at| (at % 251) as u8).collect::<Vec<_>>();
    let spool = bench.open();
    for (n, length) in (0..).zip(lengths) {
        finish(&spool, &nth(n), 1, &content(length));
    }
    drop(spool);
    let spool = bench.open();
    for (n, length) in (0..).zip(lengths) {
        assert_eq!(spool.finished_length(&nth(n)).unwrap(), Some(length));
        assert!(read(&spool, &nth(n), length as usize) == content(length), "{length} bytes");
    }
}

pub fn small_content_is_durable_as_a_whole_or_not_at_all(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 1, 0, 10).unwrap();
    writer.write(b"all but 1").unwrap();
    assert_eq!(writer.sync().unwrap(), 0);
    drop((writer, spool));
    let spool = bench.open();
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), None);
    assert!(spool.read(&nth(1), 1).is_err());
    let mut writer = spool.begin(&nth(1), 2, 0, 10).unwrap();
    writer.write(b"every byte").unwrap();
    assert_eq!(writer.sync().unwrap(), 10);
    drop((writer, spool));
    assert_eq!(read(&bench.open(), &nth(1), 10), b"every byte");
}

pub fn small_content_that_is_whole_may_be_finished_by_a_newer_attempt(bench: &impl SpoolBench) {
    let spool = bench.open();
    finish(&spool, &nth(1), 1, b"whole");
    drop(spool);
    let spool = bench.open();
    let damaged = spool.begin(&nth(1), 2, 6, 6).err();
    assert!(matches!(damaged, Some(SpoolFault::Damaged(..))), "{damaged:?}");
    let writer = spool.begin(&nth(1), 3, 5, 5).unwrap();
    assert_eq!(read(&spool, &nth(1), 5), b"whole");
    writer.finish().unwrap();
    drop(spool);
    let spool = bench.open();
    is_fenced(spool.begin(&nth(1), 3, 0, 5), 3);
    assert_eq!(read(&spool, &nth(1), 5), b"whole");
}

pub fn content_may_begin_anew_with_another_length(bench: &impl SpoolBench) {
    let spool = bench.open();
    finish(&spool, &nth(1), 1, b"small");
    finish(&spool, &nth(1), 2, &pieces("a"));
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(PIECE_BYTES));
    assert!(read(&spool, &nth(1), PIECE) == pieces("a"));
    finish(&spool, &nth(1), 3, b"small again");
    assert_eq!(read(&spool, &nth(1), 11), b"small again");
    assert_eq!(bench.contents(&spool), 1);
}

pub fn what_many_finish_at_once_is_all_there_after_a_kill(bench: &impl SpoolBench) {
    const EACH: u64 = 25;
    let spool = bench.open();
    let content = |n: u64| vec![n as u8; 100 + n as usize];
    std::thread::scope(|threads| {
        for thread in 0..8 {
            let spool = &spool;
            threads.spawn(move || {
                for n in thread * EACH..(thread + 1) * EACH {
                    finish(spool, &nth(n), 1, &content(n));
                    assert_eq!(read(spool, &nth(n), content(n).len()), content(n));
                    if n % 3 == 0 {
                        spool.drop_content(&nth(n)).unwrap();
                    }
                }
            });
        }
    });
    drop(spool);
    let spool = bench.open();
    let wanted = |key: &TransferKey| match (0..8 * EACH).find(|n| nth(*n) == *key) {
        Some(n) if n % 3 != 0 => Keep::Whole(content(n).len() as u64),
        _ => Keep::Nothing,
    };
    let recovered = spool.recover(&wanted).unwrap();
    assert!(recovered.damaged.is_empty() && recovered.strange.is_empty(), "{recovered:?}");
    for n in 0..8 * EACH {
        match n % 3 {
            0 => assert_eq!(spool.finished_length(&nth(n)).unwrap(), None),
            _ => assert_eq!(read(&spool, &nth(n), content(n).len()), content(n)),
        }
    }
}

pub fn an_attempt_begins_where_a_piece_does(bench: &impl SpoolBench) {
    let spool = bench.open();
    let length = PIECE_BYTES + 10;
    let content = vec![b'a'; length as usize];
    finish(&spool, &nth(1), 1, &content);
    for offset in [1, PIECE_BYTES - 1, PIECE_BYTES + 1] {
        let within = spool.begin(&nth(1), 2, offset, length).err();
        assert!(matches!(within, Some(SpoolFault::WithinPiece { .. })), "{within:?}");
    }
    // Nothing was touched; at the end nothing is left to bring.
    assert!(read(&spool, &nth(1), content.len()) == content);
    spool.begin(&nth(1), 2, length, length).unwrap().finish().unwrap();
    assert!(read(&spool, &nth(1), content.len()) == content);
}

pub fn finished_content_can_be_opened_again_by_a_newer_attempt(bench: &impl SpoolBench) {
    let spool = bench.open();
    finish(&spool, &nth(1), 1, &pieces("ab"));
    drop(spool);
    // Finished, but the stop came before the commit.
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 2, PIECE_BYTES, 2 * PIECE_BYTES).unwrap();
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), None);
    writer.write(&pieces("B")).unwrap();
    writer.finish().unwrap();
    assert!(read(&spool, &nth(1), 2 * PIECE) == pieces("aB"));
    assert_eq!(bench.contents(&spool), 1);
}

pub fn content_is_never_longer_than_declared(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 1, 0, 4).unwrap();
    writer.write(b"abc").unwrap();
    let fault = writer.write(b"de").unwrap_err();
    assert!(matches!(fault, SpoolFault::Length { length: 4, written: 5 }), "{fault:?}");
    writer.write(b"d").unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&spool, &nth(1), 4), b"abcd");
}

pub fn content_that_is_short_is_not_finished(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 1, 0, 4).unwrap();
    writer.write(b"abc").unwrap();
    let fault = writer.finish().unwrap_err();
    assert!(matches!(fault, SpoolFault::Length { length: 4, written: 3 }), "{fault:?}");
    assert_eq!(spool.finished_length(&nth(1)).unwrap(), None);
}

pub fn dropped_content_is_gone_and_its_writer_fenced(bench: &impl SpoolBench) {
    let spool = bench.open();
    let mut writer = spool.begin(&nth(1), 2, 0, 4).unwrap();
    writer.write(b"ab").unwrap();
    writer.sync().unwrap();
    finish(&spool, &nth(2), 1, b"done");
    spool.drop_content(&nth(1)).unwrap();
    spool.drop_content(&nth(2)).unwrap();
    assert_eq!(bench.contents(&spool), 0);
    is_fenced(writer.write(b"cd"), 2);
    is_fenced(writer.sync(), 2);
    is_fenced(spool.begin(&nth(1), 1, 0, 4), 1);
    assert!(matches!(spool.read(&nth(2), 4).err(), Some(SpoolFault::Missing(_))));
    // A later attempt begins anew.
    finish(&spool, &nth(1), 3, b"anew");
    is_fenced(writer.finish(), 2);
    assert_eq!(read(&spool, &nth(1), 4), b"anew");
}

pub fn dropping_what_is_not_there_is_no_fault(bench: &impl SpoolBench) {
    let spool = bench.open();
    spool.drop_content(&nth(1)).unwrap();
    spool.drop_content(&nth(1)).unwrap();
}

pub fn reading_beyond_what_is_there_is_a_fault(bench: &impl SpoolBench) {
    let spool = bench.open();
    assert!(matches!(spool.read(&nth(1), 0).err(), Some(SpoolFault::Missing(_))));
    finish(&spool, &nth(1), 1, b"abc");
    for upto in [4, u64::MAX] {
        assert!(matches!(spool.read(&nth(1), upto).err(), Some(SpoolFault::Damaged(..))));
    }
    assert_eq!(read(&spool, &nth(1), 2), b"ab");
}

pub fn one_transfers_content_is_not_anothers(bench: &impl SpoolBench) {
    let spool = bench.open();
    let other_sender = TransferKey { sender: sender(2), ..nth(1) };
    finish(&spool, &nth(1), 1, b"one");
    finish(&spool, &other_sender, 1, b"other");
    assert_eq!(read(&spool, &nth(1), 3), b"one");
    assert_eq!(read(&spool, &other_sender, 5), b"other");
}

pub fn recovery_keeps_what_is_wanted_and_removes_the_rest(bench: &impl SpoolBench) {
    let spool = bench.open();
    for n in 1..=4 {
        let mut writer = spool.begin(&nth(n), 1, 0, 2 * PIECE_BYTES).unwrap();
        writer.write(&pieces("a")).unwrap();
        writer.sync().unwrap();
        finish(&spool, &nth(n + 10), 1, b"done");
    }
    finish(&spool, &nth(15), 1, &pieces("de"));
    drop(spool);
    let spool = bench.open();
    let wanted = |key: &TransferKey| match (1..20).find(|n| nth(*n) == *key) {
        Some(1) => Keep::Prefix(PIECE_BYTES),
        // Nothing of it is counted, but it may be one that could not be looked up.
        Some(2) => Keep::Prefix(0),
        Some(11) => Keep::Whole(4),
        // Finished, but the stop came before the commit.
        Some(15) => Keep::Prefix(PIECE_BYTES),
        Some(_) => Keep::Nothing,
        None => panic!("asked about {key}"),
    };
    let recovered = spool.recover(&wanted).unwrap();
    assert_eq!(recovered, Recovered { kept: 4, removed: 5, ..Recovered::default() });
    assert_eq!(bench.contents(&spool), 4);
    assert!(read(&spool, &nth(1), PIECE) == pieces("a"));
    assert_eq!(read(&spool, &nth(11), 4), b"done");
    assert!(matches!(spool.read(&nth(3), 0).err(), Some(SpoolFault::Missing(_))));
}

pub fn recovery_names_what_is_shorter_than_the_ledger_says(bench: &impl SpoolBench) {
    let spool = bench.open();
    for n in 1..=2 {
        let mut writer = spool.begin(&nth(n), 1, 0, 3 * PIECE_BYTES).unwrap();
        writer.write(&pieces("a")).unwrap();
        writer.sync().unwrap();
    }
    finish(&spool, &nth(3), 1, b"done");
    drop(spool);
    let spool = bench.open();
    let wanted = |key: &TransferKey| match () {
        () if *key == nth(1) => Keep::Prefix(2 * PIECE_BYTES),
        () if *key == nth(2) => Keep::Whole(PIECE_BYTES),
        () => Keep::Whole(5),
    };
    let mut recovered = spool.recover(&wanted).unwrap();
    recovered.damaged.sort();
    assert_eq!(recovered.damaged, [nth(1), nth(2), nth(3)]);
    assert_eq!((recovered.kept, recovered.removed), (0, 0));
    // It is left for people to look at.
    assert_eq!(bench.contents(&spool), 3);
}

pub fn a_random_life_is_that_of_a_list_of_bytes(bench: &impl SpoolBench) {
    const LENGTH: u64 = 3 * PIECE_BYTES + 5;
    let mut dice = Dice::from_seed();
    let (mut spool, mut attempt) = (bench.open(), 0);
    let (mut bytes, mut durable): (Vec<u8>, usize) = (Vec::new(), 0);
    let mut writer = None;
    for _ in 0..400 {
        match dice.below(12) {
            0 => {
                let offset = dice.below(durable as u64 + 1);
                let offset = if offset == LENGTH { offset } else { offset - offset % PIECE_BYTES };
                attempt += 1;
                writer = Some(spool.begin(&nth(1), attempt, offset, LENGTH).unwrap());
                bytes.truncate(offset as usize);
                durable = bytes.len();
            }
            1 => {
                drop((writer.take(), spool));
                spool = bench.open();
                bytes.truncate(durable);
            }
            2 if dice.once_in(4) => {
                spool.drop_content(&nth(1)).unwrap();
                (writer, bytes, durable) = (None, Vec::new(), 0);
            }
            3..6 => {
                let Some(writer) = &mut writer else { continue };
                let whole = if bytes.len() as u64 == LENGTH { bytes.len() } else { bytes.len() / PIECE * PIECE };
                assert_eq!(writer.sync().unwrap(), whole as u64);
                durable = whole;
            }
            6 if bytes.len() as u64 == LENGTH => {
                let Some(writer) = writer.take() else { continue };
                writer.finish().unwrap();
                durable = bytes.len();
                assert_eq!(spool.finished_length(&nth(1)).unwrap(), Some(LENGTH));
            }
            _ => {
                let Some(writer) = &mut writer else { continue };
                let room = LENGTH as usize - bytes.len();
                let mut piece = vec![dice.roll() as u8; dice.below(PIECE_BYTES + PIECE_BYTES / 4) as usize];
                // Nobody brings more than is wanted very often.
                if piece.len() > room && !dice.once_in(4) {
                    piece.truncate(room);
                }
                match writer.write(&piece) {
                    Ok(()) => bytes.extend(piece),
                    Err(SpoolFault::Length { .. }) => assert!(piece.len() > room),
                    Err(fault) => panic!("{fault:?}"),
                }
            }
        }
        if durable > 0 {
            assert!(read(&spool, &nth(1), durable) == bytes[..durable]);
        }
    }
}

pub fn the_random_lives_of_small_contents_are_those_of_lists_of_bytes(bench: &impl SpoolBench) {
    const TRANSFERS: u64 = 6;
    let mut dice = Dice::from_seed();
    let (mut spool, mut attempt) = (bench.open(), 0);
    // What is durable of each.
    let mut kept: Vec<Option<Vec<u8>>> = vec![None; TRANSFERS as usize];
    for _ in 0..300 {
        let n = dice.below(TRANSFERS);
        match dice.below(10) {
            0 => {
                drop(spool);
                spool = bench.open();
                let wanted = |key: &TransferKey| {
                    let whole = (0..TRANSFERS).find(|n| nth(*n) == *key).and_then(|n| kept[n as usize].as_ref());
                    whole.map_or(Keep::Nothing, |bytes| Keep::Whole(bytes.len() as u64))
                };
                assert_eq!(spool.recover(&wanted).unwrap().damaged, []);
            }
            1 => {
                spool.drop_content(&nth(n)).unwrap();
                kept[n as usize] = None;
            }
            roll => {
                attempt += 1;
                let bytes = vec![dice.roll() as u8; dice.below(20_000) as usize];
                let mut writer = spool.begin(&nth(n), attempt, 0, bytes.len() as u64).unwrap();
                kept[n as usize] = None;
                let (first, rest) = bytes.split_at(dice.below(bytes.len() as u64 + 1) as usize);
                writer.write(first).unwrap();
                if roll < 8 {
                    writer.write(rest).unwrap();
                    writer.finish().unwrap();
                    kept[n as usize] = Some(bytes);
                }
            }
        }
        for (n, bytes) in (0..).zip(&kept) {
            let length = bytes.as_ref().map(|bytes| bytes.len() as u64);
            assert_eq!(spool.finished_length(&nth(n)).unwrap(), length);
            if let Some(bytes) = bytes {
                assert!(read(&spool, &nth(n), bytes.len()) == *bytes);
            }
        }
    }
}
