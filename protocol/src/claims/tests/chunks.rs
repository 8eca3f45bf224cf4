//! However the bytes are cut into chunks, the verdict is the same.

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::{ClaimsCheck, Fault, RECORD_LENGTH_MAX, Summary},
    HEAD, check, complete,
};

/// Pieces of claims files, whole and broken, from which odd files are put together.
fn pieces() -> Vec<Vec<u8>> {
    let texts = [
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "\x1A",
        ",",
        "R",
        "RE",
        "RE,1",
        "RE,2\r\n",
        "GO,1,2,99",
        "GO,1,2,99\r\n\x1A",
        "GO,1,2,00\r\n",
        "GO,",
        "BU,1\r\n",
        "SI,1,2,3\r\n",
        "XX",
        "UK,",
        "\r\nRE,",
        "\r\nGO,3,4,99\r\n\x1A",
    ];
    let mut pieces: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    pieces.push(vec![b'x'; RECORD_LENGTH_MAX / 2]);
    pieces.push(b"RE,1\r\nHO,2,3\r\n".repeat(2500));
    pieces.push(b"CO,\x83\x5C\x95\x5C\x94\x5C\r\n".repeat(10));
    pieces
}

fn odd_file() -> impl Strategy<Value = Vec<u8>> {
    let good_head = format!("{HEAD}\r\n");
    let beginning =
        select(vec![good_head.clone(), good_head.clone(), good_head, format!("{HEAD}\n"), String::new()]);
    let ending = select(vec!["\r\nGO,1,2,99\r\n\x1A", "GO,1,2,99\r\n\x1A", ""]);
    (beginning, vec(select(pieces()), 0..8), ending).prop_map(|(beginning, pieces, ending)| {
        [beginning.into_bytes(), pieces.concat(), ending.as_bytes().to_vec()].concat()
    })
}

/// The verdict, and what was known of the head and the fault just before it.
fn verdict<'a>(
    chunks: impl Iterator<Item = &'a [u8]>,
) -> (Option<String>, Option<Fault>, Result<Summary, Fault>) {
    let mut check = ClaimsCheck::new();
    chunks.for_each(|chunk| check.update(chunk));
    (check.head().map(|head| format!("{head:?}")), check.fault(), check.finish())
}

/// The bytes in chunks of these lengths, repeated as often as needed.
fn cut<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    lengths.iter().cycle().map_while(move |length| {
        let (chunk, rest) = bytes.split_at(bytes.len().min(*length));
        bytes = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

proptest! {
    #[test]
    fn any_cut_of_any_file_gives_the_same_verdict(bytes in odd_file(), lengths in vec(1usize..40_000, 1..8)) {
        prop_assert_eq!(verdict([&bytes[..]].into_iter()), verdict(cut(&bytes, &lengths)));
    }

    #[test]
    fn any_file_byte_by_byte_gives_the_same_verdict(bytes in odd_file()) {
        prop_assert_eq!(verdict([&bytes[..]].into_iter()), verdict(bytes.chunks(1)));
    }

    #[test]
    fn any_file_in_small_chunks_gives_the_same_verdict(bytes in odd_file(), lengths in vec(1usize..9, 1..8)) {
        prop_assert_eq!(verdict([&bytes[..]].into_iter()), verdict(cut(&bytes, &lengths)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..2000)) {
        let _ = check(&bytes);
        let _ = check(&[format!("{HEAD}\r\n").as_bytes(), &bytes].concat());
    }
}

#[test]
fn every_pair_of_cuts_of_a_complete_file_gives_the_same_summary() {
    let whole = complete();
    let expected = check(&whole);
    assert!(expected.is_ok());
    for first in 0..=whole.len() {
        for second in first..=whole.len() {
            let (rest, end) = whole.split_at(second);
            let (start, middle) = rest.split_at(first);
            assert_eq!(super::check_in_chunks([start, middle, end]), expected, "cut at {first} and {second}");
        }
    }
}
