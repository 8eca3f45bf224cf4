//! A running centre has given up what it does not need; every other test of a centre runs confined too.

#![expect(clippy::unwrap_used, reason = "helpers of the tests")]

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use lab::{program::Process, site::CentreSite};
use tests::{centre::Centre, lab::TestLab, patience::patiently, tools::skip};

/// A centre whose spool would be another directory than one below its data.
fn site_with_a_way_out(lab: &TestLab, name: &str, confine: &str) -> (CentreSite, PathBuf) {
    let site = lab.sites.centre(name, &[("process.confine", confine)]).unwrap();
    let outside = lab.path().join(format!("outside-{name}"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir(&site.data).unwrap();
    symlink(&outside, site.data.join("spool")).unwrap();
    (site, outside)
}

#[tokio::test]
async fn a_centre_writes_nothing_outside_its_directories_even_where_a_link_leads_out() {
    let lab = TestLab::new();
    let (site, outside) = site_with_a_way_out(&lab, "confined", "\"if-possible\"");
    let config = site.config.to_str().unwrap();
    let mut process = Process::start("sekisho-gateway", ["run", "--config", config]).unwrap();
    let ended = patiently("the end of a centre that cannot write its spool", process.ended()).await.unwrap();
    let said = process.err.text();
    if said.contains("confines the process less") {
        return skip("this kernel does not confine");
    }
    assert_eq!(ended.code(), Some(3), "{said}");
    assert!(said.contains("spool") && said.contains("Permission denied"), "{said}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // It is this that kept it in.
    let (site, outside) = site_with_a_way_out(&lab, "free", "\"off\"");
    let centre = Centre::start(site).await;
    assert!(fs::read_dir(&outside).unwrap().count() > 0);
    assert_eq!(centre.status().await.confined, "off");
}

#[tokio::test]
async fn every_thread_of_a_centre_is_confined_and_it_says_how_far() {
    let lab = TestLab::new();
    let free = Centre::start(lab.sites.centre("free", &[("process.confine", "\"off\"")]).unwrap()).await;
    free.logs(&["the process is not confined"]).await;
    let confined = lab.centre(&[]).await;
    for (centre, expected) in [(&free, "0"), (&confined, "1")] {
        let tasks = format!("/proc/{}/task", centre.process.id().unwrap());
        let mut threads = 0;
        for task in fs::read_dir(tasks).unwrap() {
            let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
            let given_up = status.lines().find_map(|line| line.strip_prefix("NoNewPrivs:")).unwrap();
            assert_eq!(given_up.trim(), expected, "{status}");
            threads += 1;
        }
        assert!(threads > 1);
    }
    let degree = confined.status().await.confined;
    assert_ne!(degree, "off");
    confined.logs(&["confine", &degree]).await;
}
