//! Whose spool it is, what else lies in it, and headers that are not readable.

#![expect(clippy::disallowed_methods, reason = "files that only have to live as long as the test")]

use std::fs;

use super::*;
use crate::buffers::Buffers;

#[track_caller]
fn refused(bench: &Bench, environment: Environment, reason: &str) {
    match bench.try_open(environment) {
        Err(SpoolFault::Unusable { reason: given, .. }) => assert!(given.contains(reason), "{given}"),
        Err(fault) => panic!("{fault:?}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[test]
fn a_spool_of_another_environment_is_refused_by_name() {
    let bench = Bench::new();
    drop(bench.open());
    refused(&bench, Environment::Production, "environment `test`, and `production` is configured");
    bench.open();
}

#[test]
fn a_spool_that_this_program_does_not_understand_is_refused() {
    let bench = Bench::plain();
    drop(bench.open());
    let stamp = bench.root().join("FORMAT");
    assert_eq!(fs::read_to_string(&stamp).unwrap(), "layout 3\nenvironment test\nseal none\n");
    for (text, reason) in [
        ("layout 4\nenvironment test\nseal none\n", "newer"),
        ("layout 4\n", "newer"),
        ("layout 0\nenvironment test\nseal none\n", "not readable"),
        ("layout 2\nenvironment test\n", "not readable"),
        ("layout 2\nenvironment test\nseal glue\n", "not readable"),
        ("environment test\n", "not readable"),
        ("", "not readable"),
    ] {
        fs::write(&stamp, text).unwrap();
        refused(&bench, Environment::Test, reason);
    }
    fs::remove_file(&stamp).unwrap();
    refused(&bench, Environment::Test, "no FORMAT");
}

#[test]
fn a_spool_of_an_older_version_is_taken_when_nothing_is_in_it() {
    let bench = Bench::new();
    drop(bench.open());
    let stamp = bench.root().join("FORMAT");
    let content = bench.root().join("done").join(nth(1).file_stem());
    fs::write(&stamp, "layout 1\nenvironment test\n").unwrap();
    fs::write(&content, b"as it was").unwrap();
    refused(&bench, Environment::Test, "start that version again until");
    assert_eq!(fs::read(&content).unwrap(), b"as it was");
    fs::remove_file(&content).unwrap();
    drop(bench.open());
    let name = bench.key().unwrap().name();
    assert_eq!(fs::read_to_string(&stamp).unwrap(), format!("layout 3\nenvironment test\nseal key {name}\n"));
}

#[test]
fn what_is_sealed_by_one_key_is_opened_by_no_other() {
    let mut bench = Bench::new();
    let spool = bench.open();
    finish(&spool, &nth(1), b"abc");
    drop(spool);
    let own = bench.key.clone();
    for other in [Bench::new().key, None] {
        bench.key = other;
        refused(
            &bench,
            Environment::Test,
            &SpoolKey::from_text(own.as_ref().unwrap().as_bytes()).unwrap().name(),
        );
    }
    bench.key = own;
    let spool = bench.open();
    spool.drop_content(&nth(1)).unwrap();
    drop(spool);
    // Nothing is in it any more that another key could not open.
    bench.key = Bench::new().key;
    finish(&bench.open(), &nth(1), b"abc");
}

#[test]
fn a_spool_is_open_once_at_a_time() {
    let bench = Bench::new();
    let spool = bench.open();
    assert!(matches!(
        FileSpool::open(&bench.root(), Environment::Test, bench.key(), Buffers::default()),
        Err(SpoolFault::InUse(_))
    ));
    // A writer that outlives the spool could still write.
    let writer = spool.begin(&nth(1), 1, 0, 3).unwrap();
    drop(spool);
    assert!(matches!(
        FileSpool::open(&bench.root(), Environment::Test, bench.key(), Buffers::default()),
        Err(SpoolFault::InUse(_))
    ));
    drop(writer);
    bench.open();
}

#[test]
fn what_is_not_the_spools_own_is_left_alone_and_named() {
    let bench = Bench::new();
    let spool = bench.open();
    for name in ["partial/notes.txt", "done/.hidden", "done/0.x.y"] {
        fs::write(bench.root().join(name), b"x").unwrap();
    }
    let mut strange = spool.recover(&|_| Keep::Nothing).unwrap().strange;
    strange.sort();
    assert_eq!(strange.len(), 3);
    assert!(strange[0].ends_with(".hidden") && strange[2].ends_with("notes.txt"), "{strange:?}");
    assert_eq!(bench.files(), 3);
}

#[test]
fn content_without_a_readable_header_is_damaged_and_can_only_begin_anew() {
    let bench = Bench::new();
    let spool = bench.open();
    let length = 2 * PIECE as u64;
    let mut writer = spool.begin(&nth(1), 1, 0, length).unwrap();
    writer.write(&[b'a'; PIECE]).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let path = bench.root().join("partial").join(nth(1).file_stem());
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();

    assert!(matches!(spool.read(&nth(1), 3).err(), Some(SpoolFault::Damaged(..))));
    assert!(matches!(spool.begin(&nth(1), 2, PIECE as u64, length).err(), Some(SpoolFault::Damaged(..))));
    assert_eq!(spool.recover(&|_| Keep::Prefix(3)).unwrap().damaged, [nth(1)]);
    assert_eq!(spool.recover(&|_| Keep::Prefix(0)).unwrap().kept, 1);
    let mut anew = spool.begin(&nth(1), 3, 0, 3).unwrap();
    anew.write(b"new").unwrap();
    anew.finish().unwrap();
    let mut bytes = Vec::new();
    spool.read(&nth(1), 3).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"new");
}

#[cfg(unix)]
#[test]
fn content_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let spool = bench.open();
    finish(&spool, &nth(1), b"abc");
    let _writer = spool.begin(&nth(2), 1, 0, 3).unwrap();
    let mode = |name: &str| fs::metadata(bench.root().join(name)).unwrap().permissions().mode() & 0o777;
    for name in ["", "partial", "done"] {
        assert_eq!(mode(name), 0o700, "{name}");
    }
    let (done, partial) = (format!("done/{}", nth(1).file_stem()), format!("partial/{}", nth(2).file_stem()));
    for name in ["FORMAT", "LOCK", &done, &partial] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}
