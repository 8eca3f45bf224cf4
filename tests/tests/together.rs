//! Several files of one sender at the same time, and a sender that does not use all of its line.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{
    any::Any,
    num::NonZeroU64,
    path::{Path, PathBuf},
    time::Instant,
};

use lab::{
    program::Process,
    proxy::{Fault, FaultProxy, Plan},
    site::{SenderSite, change},
};
use protocol::{cause::Cause, kind::Kind};
use serde::Deserialize;
use tests::{
    centre::Centre,
    files::claims_file,
    lab::{TestLab, institution},
    patience::patiently,
    sender::{Attempt, run, status},
    shared_line::SharedLine,
};

/// Bytes of files that have a line of their own, and of files that do not.
const LARGE: u64 = 9_000_000;
const SMALL: u64 = 50_000;

struct Setting {
    lab: TestLab,
    centre: Centre,
    /// By which the sender reaches the centre.
    _line: Box<dyn Any>,
    site: SenderSite,
}

/// A sender each of whose connections brings no more bytes in a second than this.
async fn setting(centre: &[(&str, &str)], bytes_per_second: u64) -> Setting {
    let lab = TestLab::new();
    let centre = lab.centre(centre).await;
    let slow = Fault::Throttle { bytes_per_second: NonZeroU64::new(bytes_per_second).unwrap() };
    let plan = move |_| Plan::clean().up(slow);
    let proxy = FaultProxy::start("127.0.0.1:0".parse().unwrap(), centre.address, plan).await.unwrap();
    let site = lab.sender("clinic", &institution(Kind::Medical, 1), proxy.address(), &[]);
    Setting { lab, centre, _line: Box::new(proxy), site }
}

impl Setting {
    /// A file in a directory of this name: all files have the same name there.
    fn file(&self, directory: &str, bytes: u64, seed: u64) -> PathBuf {
        let content = claims_file(Kind::Medical, &institution(Kind::Medical, 1), bytes, seed);
        self.lab.file(&format!("{directory}/RECEIPTC.UKE"), &content)
    }

    /// Arguments of `sekisho send`.
    fn arguments<'a>(&'a self, options: &[&'a str], files: &'a [&Path]) -> Vec<&'a str> {
        let settings = ["send", "--settings", self.site.settings.to_str().unwrap()];
        let files = files.iter().map(|file| file.to_str().unwrap());
        settings.into_iter().chain(options.iter().copied()).chain(files).collect()
    }
}

/// What `sekisho send --json` says.
#[derive(Deserialize)]
struct Said {
    files: Vec<FileSaid>,
}

#[derive(Deserialize)]
struct FileSaid {
    file: PathBuf,
    ok: bool,
    #[serde(default)]
    attempts: Vec<Attempt>,
}

/// Waits until `sekisho send` has told of each of these that it arrived.
async fn arrive(process: &Process, files: &[PathBuf]) {
    for file in files {
        let name = file.to_str().unwrap();
        let arrived = |line: &str| (line.contains("到達確認") && line.contains(name)).then_some(());
        patiently("a small file that arrives", process.out.wait_for(arrived)).await.unwrap();
    }
}

#[tokio::test]
async fn small_files_arrive_while_large_ones_are_on_their_way_and_a_stop_ends_all() {
    let setting = setting(&[], 500_000).await;
    let large = [setting.file("large", LARGE, 1), setting.file("larger", LARGE + 1_000_000, 2)];
    let small = [setting.file("small", SMALL, 3), setting.file("smaller", SMALL / 2, 4)];
    let files: Vec<&Path> = large.iter().chain(&small).map(PathBuf::as_path).collect();
    let mut process = Process::start("sekisho", setting.arguments(&["--parallel", "2"], &files)).unwrap();
    arrive(&process, &small).await;
    process.terminate().await.unwrap();
    let ended = patiently("the end of `sekisho send`", process.ended()).await.unwrap();
    assert_eq!(ended.code(), Some(5));
    let told = status(&setting.site).await;
    assert_eq!(told.iter().filter(|transfer| transfer.phase == "received").count(), 2, "{told:?}");
    let stopped = told.iter().filter(|transfer| transfer.cause == Some(Cause::Cancelled)).count();
    assert_eq!((stopped, told.len()), (1, 3), "one large file was on its way, the other not begun: {told:?}");

    // The same command goes on with what is missing, on a better line.
    let centre = format!("\"{}\"", setting.centre.address);
    change(&setting.site.settings, &[("centre.address", centre.as_str())]).unwrap();
    let arguments = setting.arguments(&["--json", "--parallel", "4"], &files);
    let (status, said) = run::<Said>(&arguments).await;
    assert!(status.success());
    assert!(said.files.iter().map(|said| said.file.as_path()).eq(files.iter().copied()), "in their order");
    // The one that was stopped needs one more attempt at least, and nothing that had arrived was sent again.
    let attempts: Vec<_> = said.files.iter().map(|said| said.attempts.len()).collect();
    assert!(attempts[0] >= 2 && attempts[1..] == [1, 1, 1], "{attempts:?}");
}

#[tokio::test]
async fn on_a_line_that_all_share_small_files_arrive_while_two_large_ones_are_under_way() {
    let lab = TestLab::new();
    // The kernel of a sender takes something new in steps that are farther apart than this on so slow a line.
    let patience = [("link.stall_max", "\"2s\"")];
    let centre = lab.centre(&patience).await;
    let line = SharedLine::to(centre.address, NonZeroU64::new(500_000).unwrap()).await;
    let site = lab.sender("clinic", &institution(Kind::Medical, 1), line.address(), &patience);
    let setting = Setting { lab, centre, _line: Box::new(line), site };
    let large: Vec<PathBuf> =
        (1..=3).map(|seed| setting.file(&format!("large-{seed}"), LARGE, seed)).collect();
    let small: Vec<PathBuf> =
        (4..=8).map(|seed| setting.file(&format!("small-{seed}"), SMALL / 2, seed)).collect();
    let files: Vec<&Path> = large.iter().chain(&small).map(PathBuf::as_path).collect();
    let process = Process::start("sekisho", setting.arguments(&["--parallel", "3"], &files)).unwrap();
    arrive(&process, &small).await;
    let transfers = setting.centre.status().await.transfers;
    let count = |phase: &str| transfers.get(phase).copied();
    let said = process.err.text();
    assert_eq!((count("committed"), count("receiving")), (Some(5), Some(2)), "{transfers:?}\n{said}");
}

#[tokio::test]
async fn a_file_that_fails_ends_no_other_and_is_told_in_its_place() {
    let setting = setting(&[], 10_000_000).await;
    let (first, last) = (setting.file("first", SMALL, 1), setting.file("last", SMALL, 2));
    let missing = setting.lab.path().join("missing/RECEIPTC.UKE");
    let files = [first.as_path(), missing.as_path(), last.as_path()];
    let (status, said) = run::<Said>(&setting.arguments(&["--json"], &files)).await;
    assert_eq!(status.code(), Some(2));
    let said: Vec<_> = said.files.iter().map(|said| (said.file.as_path(), said.ok)).collect();
    assert_eq!(said, [(files[0], true), (files[1], false), (files[2], true)]);
    assert_eq!(setting.centre.status().await.transfers.get("committed"), Some(&2));
}

#[tokio::test]
async fn the_same_content_named_twice_is_sent_once_and_both_files_are_told_of_as_arrived() {
    let setting = setting(&[], 10_000_000).await;
    let (one, other) = (setting.file("one", SMALL, 1), setting.file("other", SMALL, 1));
    let files = [one.as_path(), other.as_path()];
    let (status, said) = run::<Said>(&setting.arguments(&["--json"], &files)).await;
    assert!(status.success());
    let said: Vec<_> = said.files.iter().map(|said| (said.file.as_path(), said.ok)).collect();
    assert_eq!(said, [(files[0], true), (files[1], true)]);
    assert_eq!(setting.centre.status().await.transfers.get("committed"), Some(&1));
}

#[tokio::test]
async fn a_sender_that_limits_its_rate_is_not_taken_for_one_that_stands_still() {
    let patience = [("link.stall_max", "\"2s\""), ("link.min_rate_bytes_per_second", "\"64KiB\"")];
    let setting = setting(&patience, 100_000_000).await;
    let (large, small) = (setting.file("large", LARGE, 1), setting.file("small", 10 * SMALL, 2));
    for (file, rate) in [(&small, "128KiB"), (&large, "3MiB")] {
        let files = [file.as_path()];
        let (status, said) = run::<Said>(&setting.arguments(&["--json", "--rate-max", rate], &files)).await;
        assert!(status.success());
        let [said] = said.files.as_slice() else { panic!("one file") };
        assert_eq!(said.attempts.len(), 1, "{:?}", said.attempts);
    }
}

#[tokio::test]
async fn content_takes_as_long_on_the_wire_as_its_limited_rate_says_whichever_line_it_leaves_on() {
    let setting = setting(&[], 100_000_000).await;
    let (large, small) = (setting.file("large", LARGE, 1), setting.file("small", 4 * SMALL, 2));
    for (file, rate, bytes_per_second) in [(&small, "96KiB", 96 << 10), (&large, "4MiB", 4 << 20)] {
        let begun = Instant::now();
        let files = [file.as_path()];
        let (status, _) = run::<Said>(&setting.arguments(&["--json", "--rate-max", rate], &files)).await;
        let took = begun.elapsed();
        assert!(status.success());
        // What may leave at once: a sip, and what is made up for. A slow machine only takes longer.
        let at_once: u64 = bytes_per_second / 5;
        let least = (file.metadata().unwrap().len() - at_once) as f64 / bytes_per_second as f64;
        assert!(took.as_secs_f64() >= least, "{took:?} at {rate} in a second, at least {least} s");
    }
}
